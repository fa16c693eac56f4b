-- a small table, read only to make the list of codes: a copy on each node
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    dist='all',
    sort=['code_system', 'code']
) }}

-- noqa: disable=LT02
{#- domain, table, code, its name in the file, its terminology in the file -#}
{%- set references = [
    ('allergen', 'allergies', 'code', 'description', '"system"'),
    ('reaction', 'allergies', 'reaction1', 'description1', none),
    ('reaction', 'allergies', 'reaction2', 'description2', none),
    ('careplan', 'careplans', 'code', 'description', none),
    ('reason', 'careplans', 'reasoncode', 'reasondescription', none),
    ('condition', 'claims', 'diagnosis1', none, none),
    ('condition', 'claims', 'diagnosis2', none, none),
    ('condition', 'claims', 'diagnosis3', none, none),
    ('condition', 'claims', 'diagnosis4', none, none),
    ('condition', 'claims', 'diagnosis5', none, none),
    ('condition', 'claims', 'diagnosis6', none, none),
    ('condition', 'claims', 'diagnosis7', none, none),
    ('condition', 'claims', 'diagnosis8', none, none),
    ('charge', 'claims_transactions', 'procedurecode', 'notes', none),
    ('condition', 'conditions', 'code', 'description', '"system"'),
    ('device', 'devices', 'code', 'description', none),
    ('encounter', 'encounters', 'code', 'description', none),
    ('reason', 'encounters', 'reasoncode', 'reasondescription', none),
    ('body_site', 'imaging_studies', 'bodysite_code', 'bodysite_description', none),
    ('modality', 'imaging_studies', 'modality_code', 'modality_description', none),
    ('sop', 'imaging_studies', 'sop_code', 'sop_description', none),
    ('procedure', 'imaging_studies', 'procedure_code', none, none),
    ('vaccine', 'immunizations', 'code', 'description', none),
    ('medication', 'medications', 'code', 'description', none),
    ('reason', 'medications', 'reasoncode', 'reasondescription', none),
    ('observation', 'observations', 'code', 'description', none),
    ('procedure', 'procedures', 'code', 'description', '"system"'),
    ('reason', 'procedures', 'reasoncode', 'reasondescription', none),
    ('supply', 'supplies', 'code', 'description', none),
] %}

with delivered as (

    {% for domain, table_name, code, description, system in references -%}
    select
        cast('{{ domain }}' as varchar(16)) as domain,
        {{ code }} as code,
        cast({{ description or 'null' }} as varchar(512)) as description,
        cast({{ system or 'null' }} as varchar(64)) as declared_system,
        _load_id,
        count(*) as row_count
    from {{ source('raw_ehr', table_name) }}
    where
        {{ code }} is not null
        {%- if is_incremental() %}
        and _load_id > (select coalesce(max(seen._load_id), 0) from {{ this }} as seen)
        {%- endif %}
    group by {{ [code, description, system, '_load_id'] | select | join(', ') }}
    {%- if not loop.last %}

    union all

    {% endif %}
    {%- endfor %}

),

cleaned as (

    select
        domain,
        {{ biostar.clean_text('code') }} as code,
        {{ biostar.clean_text('description') }} as description,
        {{ biostar.clean_text('declared_system') }} as declared_system,
        _load_id,
        row_count
    from delivered

),

named as (

    select
        domain,
        code,
        description,
        case
            {%- for domain in references | map(attribute=0) | unique %}
            when domain = '{{ domain }}'
                then {{ biostar.code_system(domain, 'code', 'declared_system', 'description') }}
            {%- endfor %}
        end as code_system,
        _load_id,
        row_count
    from cleaned
    where code is not null

),

code_references as (

    select
        cast(code_system as varchar(64)) as code_system,
        cast(code as varchar(128)) as code,
        cast(description as varchar(512)) as description,
        domain,
        _load_id,
        cast(sum(row_count) as bigint) as row_count
    from named
    group by code_system, code, description, domain, _load_id

)

select * from code_references
