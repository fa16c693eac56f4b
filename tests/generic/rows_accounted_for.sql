{#- Every row of a raw table is staged, rejected or superseded, and only one of them, load by load. Without it a row
    that a rule drops, or counts twice, would be missed by nobody.

    It fails as well where more than rejected_pct_limit per cent (a variable, 50) of the newest load of the table are
    rejected, from a hundred rows on: then it is the format that changed, and facts built of the rest would mislead.
    A load with good rows, delivered later, ends that.

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

newest as (

    select max(_load_id) as newest_load_id
    from raw_rows

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

),

summed as (

    select
        _load_id,
        sum(raw_count) as raw_count,
        sum(staged_count) as staged_count,
        sum(rejected_count) as rejected_count,
        sum(superseded_count) as superseded_count
    from counts
    group by _load_id

),

judged as (

    select
        summed.*,
        case
            when summed.raw_count <> summed.staged_count + summed.rejected_count + summed.superseded_count
                then 'not accounted for'
            when
                summed._load_id = newest.newest_load_id
                and summed.raw_count >= 100
                and summed.rejected_count * 100 > summed.raw_count * {{ var('rejected_pct_limit', 50) | int }}
                then 'too many rejected'
        end as finding
    from summed
    cross join newest

)

select
    finding,
    _load_id,
    raw_count,
    staged_count,
    rejected_count,
    superseded_count
from judged
where finding is not null

{% endtest %}
