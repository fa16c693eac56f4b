-- a small table that every dimension is joined with: a copy on each node
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    dist='all',
    sort=['member_type', 'member_id']
) }}

-- noqa: disable=LT02
{%- set references = [
    ('patient', 'allergies', 'patient'),
    ('patient', 'careplans', 'patient'),
    ('patient', 'claims', 'patientid'),
    ('patient', 'claims_transactions', 'patientid'),
    ('patient', 'conditions', 'patient'),
    ('patient', 'devices', 'patient'),
    ('patient', 'encounters', 'patient'),
    ('patient', 'imaging_studies', 'patient'),
    ('patient', 'immunizations', 'patient'),
    ('patient', 'medications', 'patient'),
    ('patient', 'observations', 'patient'),
    ('patient', 'payer_transitions', 'patient'),
    ('patient', 'procedures', 'patient'),
    ('patient', 'supplies', 'patient'),
    ('provider', 'claims', 'providerid'),
    ('provider', 'claims', 'referringproviderid'),
    ('provider', 'claims', 'supervisingproviderid'),
    ('provider', 'claims_transactions', 'providerid'),
    ('provider', 'claims_transactions', 'supervisingproviderid'),
    ('provider', 'encounters', 'provider'),
    ('organization', 'claims_transactions', 'placeofservice'),
    ('organization', 'encounters', 'organization'),
    ('organization', 'providers', 'organization'),
    ('payer', 'claims', 'primarypatientinsuranceid'),
    ('payer', 'claims', 'secondarypatientinsuranceid'),
    ('payer', 'encounters', 'payer'),
    ('payer', 'medications', 'payer'),
    ('payer', 'payer_transitions', 'payer'),
    ('payer', 'payer_transitions', 'secondary_payer'),
] %}

with referred as (

    {% for member_type, table_name, column_name in references -%}
    select
        cast('{{ member_type }}' as varchar(16)) as member_type,
        {{ column_name }} as delivered_id,
        min(_load_id) as _load_id
    from {{ source('raw_ehr', table_name) }}
    where
        {{ column_name }} is not null
        {%- if is_incremental() %}
        and _load_id > (select coalesce(max(seen._load_id), 0) from {{ this }} as seen)
        {%- endif %}
    group by {{ column_name }}
    {%- if not loop.last %}

    union all

    {% endif %}
    {%- endfor %}

),

members as (

    select
        member_type,
        cast({{ biostar.clean_text('delivered_id') }} as varchar(64)) as member_id,
        min(_load_id) as _load_id
    from referred
    group by member_type, {{ biostar.clean_text('delivered_id') }}

),

member_references as (

    select
        members.member_type,
        members.member_id,
        members._load_id
    from members
    where
        members.member_id is not null
        -- the exporter writes 0 where a claim has no payer
        and not (members.member_type = 'payer' and members.member_id = '0')
        {%- if is_incremental() %}
        and not exists (
            select 1
            from {{ this }} as seen
            where
                seen.member_type = members.member_type
                and seen.member_id = members.member_id
        )
        {%- endif %}

)

select * from member_references
