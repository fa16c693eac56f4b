{#- Every row of a raw table is staged, rejected or superseded, and only one of them, load by load. Without it a row
    that a rule drops, or counts twice, would be missed by nobody.

    table_name   raw table of the health records; the test is declared on its staging model

    ehr_superseded_rows is the union of what is counted here; one table's part is planned in a twentieth of the time. -#}
{% test rows_accounted_for(model, table_name) %}

with raw_rows as (

    select _load_id, count(*) as row_count
    from {{ source('raw_ehr', table_name) }}
    group by _load_id

),

staged as (

    select _load_id, count(*) as row_count
    from {{ model }}
    group by _load_id

),

rejected as (

    select _load_id, count(*) as row_count
    from {{ ref('rejected_ehr__' ~ table_name) }}
    group by _load_id

),

superseded as (

    select _load_id, count(*) as row_count
    from (

        {{ biostar.superseded_rows(ref('base_ehr__' ~ table_name)) }}

    ) as superseded_rows
    group by _load_id

),

counts as (

    select _load_id, row_count as raw_count, 0 as staged_count, 0 as rejected_count, 0 as superseded_count
    from raw_rows

    union all

    select _load_id, 0, row_count, 0, 0
    from staged

    union all

    select _load_id, 0, 0, row_count, 0
    from rejected

    union all

    select _load_id, 0, 0, 0, row_count
    from superseded

)

select
    _load_id,
    sum(raw_count) as raw_count,
    sum(staged_count) as staged_count,
    sum(rejected_count) as rejected_count,
    sum(superseded_count) as superseded_count
from counts
group by _load_id
having sum(raw_count) <> sum(staged_count) + sum(rejected_count) + sum(superseded_count)

{% endtest %}
