{%- set table_names = [
    'allergies', 'careplans', 'claims', 'claims_transactions', 'conditions', 'devices', 'encounters',
    'imaging_studies', 'immunizations', 'medications', 'observations', 'organizations', 'patients',
    'payer_transitions', 'payers', 'procedures', 'providers', 'supplies',
] %}

with superseded as (

    {% for table_name in table_names -%}
    select
        cast('{{ table_name }}' as varchar(64)) as table_name,
        {{ table_name }}.record_id,
        {{ table_name }}.row_hash,
        {{ table_name }}._load_id,
        {{ table_name }}._ingest_date,
        {{ table_name }}.superseded_by_load_id,
        {{ table_name }}.is_exact_copy
    from (

        {{ biostar.superseded_rows(ref('base_ehr__' ~ table_name)) }}

    ) as {{ table_name }}
    {%- if not loop.last %}

    union all

    {% endif %}
    {%- endfor %}

)

select * from superseded
