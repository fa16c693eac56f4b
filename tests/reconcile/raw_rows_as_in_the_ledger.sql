-- Every load has as many raw rows as the loader's ledger says, and no raw row is of a load that the ledger does not
-- know. Without it a load that was cut short, run twice or edited by hand would pass as complete.
{%- set table_names = [
    'allergies', 'careplans', 'claims', 'claims_transactions', 'conditions', 'devices', 'encounters',
    'imaging_studies', 'immunizations', 'medications', 'observations', 'organizations', 'patients',
    'payer_transitions', 'payers', 'procedures', 'providers', 'supplies',
] %}

with raw_rows as (

    {% for table_name in table_names -%}
    select
        cast('{{ table_name }}' as varchar(64)) as table_name,
        _load_id as load_id,
        count(*) as row_count
    from {{ source('raw_ehr', table_name) }}
    group by _load_id
    {%- if not loop.last %}

    union all

    {% endif %}
    {%- endfor %}

),

ledger as (

    select
        table_name,
        load_id,
        sum(rows_loaded) as row_count
    from {{ source('raw_meta', 'load_ledger') }}
    where source_name = 'raw_ehr' and superseded_by_load_id is null
    group by table_name, load_id

),

counts as (

    select
        table_name,
        load_id,
        row_count as raw_count,
        0 as ledger_count
    from raw_rows

    union all

    select
        table_name,
        load_id,
        0 as raw_count,
        row_count as ledger_count
    from ledger

)

select
    table_name,
    load_id,
    sum(raw_count) as raw_count,
    sum(ledger_count) as ledger_count
from counts
group by table_name, load_id
having sum(raw_count) <> sum(ledger_count)
