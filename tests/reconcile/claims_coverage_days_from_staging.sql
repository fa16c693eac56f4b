-- Without this a coverage period could vanish, or its days be counted twice at the edge of a month, unnoticed: member
-- months would be wrong and no key or grain with them. Days of each patient and payer, from the periods as delivered;
-- where periods of one payer overlap, the days must lie between the longest period and their sum.

with payer_transitions as (

    select * from {{ ref('stg_ehr__payer_transitions') }}

),

patients as (

    select * from {{ ref('stg_ehr__patients') }}

),

-- a period without an end, or with one outside of the calendar, lasts until the day of its delivery
dated as (

    select
        payer_transitions.*,
        case
            when coverage_end_at < cast('2101-01-01' as date) then cast(coverage_end_at as date)
            else cast(_ingest_date + 1 as date)
        end as coverage_end_date
    from payer_transitions
    where coverage_start_at < cast('2101-01-01' as date)

),

payers as (

    select
        patient_id,
        payer_id,
        coverage_start_at,
        coverage_end_date
    from dated

    union all

    select
        patient_id,
        secondary_payer_id as payer_id,
        coverage_start_at,
        coverage_end_date
    from dated
    where secondary_payer_id is not null

),

periods as (

    select
        {{ biostar.surrogate_key(['payers.patient_id']) }} as patient_key,
        {{ biostar.surrogate_key(['payers.payer_id']) }} as payer_key,
        greatest(cast(payers.coverage_start_at as date), cast('1900-01-01' as date)) as start_date,
        case
            when patients.death_date < cast(payers.coverage_start_at as date)
                then cast(payers.coverage_start_at as date)
            when patients.death_date < payers.coverage_end_date then cast(patients.death_date + 1 as date)
            when payers.coverage_end_date < cast(payers.coverage_start_at as date)
                then cast(payers.coverage_start_at as date)
            else payers.coverage_end_date
        end as end_date
    from payers
    left join patients
        on payers.patient_id = patients.patient_id

),

sequenced as (

    select
        periods.*,
        max(end_date) over (
            partition by patient_key, payer_key
            order by start_date, end_date
            rows between unbounded preceding and 1 preceding
        ) as previous_end_date
    from periods

),

staged as (

    select
        patient_key,
        payer_key,
        sum(end_date - start_date) as day_count,
        max(end_date - start_date) as longest_day_count,
        max(case when start_date < previous_end_date then 1 else 0 end) as overlap_count
    from sequenced
    group by
        patient_key,
        payer_key

),

facts as (

    select
        patient_key,
        payer_key,
        sum(covered_days) as day_count,
        max(covered_days - days_in_month) as excess_day_count
    from {{ ref('fct_coverage_month') }}
    group by
        patient_key,
        payer_key

),

compared as (

    select
        case
            when facts.patient_key is null then 'periods without a month'
            when staged.patient_key is null then 'months without a period'
            when facts.excess_day_count > 0 then 'more days than the month has'
            when staged.overlap_count = 0 and facts.day_count <> staged.day_count then 'other days than the periods'
            when
                staged.overlap_count = 1
                and (facts.day_count >= staged.day_count or facts.day_count < staged.longest_day_count)
                then 'other days than overlapping periods'
        end as difference,
        coalesce(facts.day_count, 0) - coalesce(staged.day_count, 0) as day_difference
    from staged
    full outer join facts
        on
            staged.patient_key = facts.patient_key
            and staged.payer_key = facts.payer_key

)

select
    difference,
    count(*) as patient_payer_count,
    sum(day_difference) as day_difference
from compared
where difference is not null
group by difference
