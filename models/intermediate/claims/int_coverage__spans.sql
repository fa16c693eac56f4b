{{ config(materialized='view') }}

with payer_transitions as (

    select * from {{ ref('stg_ehr__payer_transitions') }}

),

patients as (

    select * from {{ ref('stg_ehr__patients') }}

),

-- Whom a second payer insures as well is covered by both.
payers as (

    select
        patient_id,
        payer_id,
        coverage_start_at,
        coverage_end_at,
        _load_id,
        _ingest_date
    from payer_transitions

    union all

    select
        patient_id,
        secondary_payer_id as payer_id,
        coverage_start_at,
        coverage_end_at,
        _load_id,
        _ingest_date
    from payer_transitions
    where secondary_payer_id is not null

),

-- Days are counted whole: a period covers the day on which it starts and not the day on which it ends, which belongs
-- to the period that follows. Nobody is covered after the day of death. A period without an end (staging reads the year
-- 9999 as none), or with one outside of the calendar, has lasted at least until the day of its delivery.
periods as (

    select
        payers.patient_id,
        payers.payer_id,
        greatest(cast(payers.coverage_start_at as date), cast('1900-01-01' as date)) as start_date,
        least(
            case
                when payers.coverage_end_at < cast('2101-01-01' as date) then cast(payers.coverage_end_at as date)
                else cast(payers._ingest_date + 1 as date)
            end,
            cast(patients.death_date + 1 as date)
        ) as end_date,
        greatest(payers._load_id, patients._load_id) as _load_id
    from payers
    left join patients
        on payers.patient_id = patients.patient_id
    where payers.coverage_start_at < cast('2101-01-01' as date)

),

-- A period that ends before it starts covers no day.
bounded as (

    select
        patient_id,
        payer_id,
        start_date,
        case when end_date < start_date then start_date else end_date end as end_date,
        _load_id
    from periods

),

-- Periods of one payer that overlap or follow each other without a gap are one span, so that no day counts twice.
flagged as (

    select
        bounded.*,
        case
            when
                start_date <= max(end_date) over (
                    partition by patient_id, payer_id
                    order by start_date, end_date
                    rows between unbounded preceding and 1 preceding
                )
                then 0
            else 1
        end as begins_span
    from bounded

),

numbered as (

    select
        flagged.*,
        sum(begins_span) over (
            partition by patient_id, payer_id
            order by start_date, end_date
            rows between unbounded preceding and current row
        ) as span_number,
        max(_load_id) over (partition by patient_id) as patient_load_id
    from flagged

),

spans as (

    select
        patient_id,
        payer_id,
        min(start_date) as start_date,
        max(end_date) as end_date,
        count(*) as period_count,
        max(patient_load_id) as _load_id
    from numbered
    group by
        patient_id,
        payer_id,
        span_number

)

select * from spans
