{{
    config(
        dist='patient_key',
        sort=['discharged_date_key']
    )
}}
-- dist: drilled into with the patient's encounters and coverage; sort: rates are asked for by period of discharge.

with stays as (

    select * from {{ ref('int_inpatient__stays') }}

),

encounters as (

    select * from {{ ref('fct_encounter') }}

),

coverage_months as (

    select * from {{ ref('fct_coverage_month') }}

),

uninsured as (

    select * from {{ ref('int_payers__uninsured') }}

),

patients as (

    select * from {{ ref('dim_patient') }}
    where is_current

),

-- the day up to which the warehouse knows the stays: that of their newest delivery, not that of the wall clock
as_of as (

    select max(_ingest_date) as as_of_date from encounters

),

-- months are counted through: year times twelve plus month
insured_months as (

    select distinct
        coverage_months.patient_key,
        coverage_months.month_date_key / 10000 * 12 + mod(coverage_months.month_date_key / 100, 100) as month_index
    from coverage_months
    where
        coverage_months.covered_days > 0
        and not exists (
            select 1 from uninsured
            where uninsured.payer_key = coverage_months.payer_key
        )

),

dated as (

    select
        stays.*,
        cast(stays.admitted_at as date) as admitted_date,
        cast(stays.discharged_at as date) as discharged_date,
        patients.birth_date,
        patients.death_date,
        cast(extract(year from stays.admitted_at) as integer) * 12
        + cast(extract(month from stays.admitted_at) as integer) as admitted_month_index,
        -- nobody needs to be insured after death
        least(cast(cast(stays.discharged_at as date) + 30 as date), patients.death_date) as follow_up_end_date,
        lead(stays.first_encounter_id) over (
            partition by stays.patient_key
            order by stays.stay_number
        ) as next_encounter_id,
        lead(cast(stays.admitted_at as date)) over (
            partition by stays.patient_key
            order by stays.stay_number
        ) as next_admitted_date,
        lead(stays.is_planned) over (
            partition by stays.patient_key
            order by stays.stay_number
        ) as is_next_planned
    from stays
    left join patients
        on stays.patient_key = patients.patient_key

),

followed as (

    select
        dated.*,
        cast(extract(year from follow_up_end_date) as integer) * 12
        + cast(extract(month from follow_up_end_date) as integer) as follow_up_month_index,
        next_admitted_date - discharged_date as days_to_next_admission
    from dated

),

enrolled as (

    select
        followed.patient_key,
        followed.stay_number,
        sum(
            case when insured_months.month_index < followed.admitted_month_index then 1 else 0 end
        ) as insured_month_before_count,
        sum(
            case when insured_months.month_index >= followed.admitted_month_index then 1 else 0 end
        ) as insured_month_after_count
    from followed
    inner join insured_months
        on
            followed.patient_key = insured_months.patient_key
            and followed.admitted_month_index - 12 <= insured_months.month_index
            and followed.follow_up_month_index >= insured_months.month_index
    group by
        followed.patient_key,
        followed.stay_number

),

-- The first reason that holds is named.
judged as (

    select
        followed.*,
        case
            when followed.discharged_date is null then 'not discharged'
            when followed.death_date <= followed.discharged_date then 'died in hospital'
            when followed.is_rehabilitation then 'rehabilitation'
            when followed.is_psychiatric then 'psychiatric'
            when followed.is_cancer_treatment then 'cancer treatment'
            when cast(followed.discharged_date + 30 as date) > as_of.as_of_date then 'follow-up not complete'
            when coalesce(enrolled.insured_month_before_count, 0) < 12 then 'not insured before'
            when
                coalesce(enrolled.insured_month_after_count, 0)
                < followed.follow_up_month_index - followed.admitted_month_index + 1
                then 'not insured after'
        end as exclusion_reason
    from followed
    cross join as_of
    left join enrolled
        on
            followed.patient_key = enrolled.patient_key
            and followed.stay_number = enrolled.stay_number

),

outcomes as (

    select
        judged.*,
        exclusion_reason is null as is_index_stay,
        coalesce(days_to_next_admission between 0 and 30, false) as is_readmitted,
        coalesce(days_to_next_admission between 0 and 30 and not is_next_planned, false) as is_readmitted_unplanned
    from judged

),

msr_readmission_30d as (

    select
        -- foreign keys
        cast(patient_key as bigint) as patient_key,
        cast(patient_version_key as bigint) as patient_version_key,
        cast(organization_key as bigint) as organization_key,
        cast(provider_key as bigint) as provider_key,
        cast(payer_key as bigint) as payer_key,
        cast(admission_code_key as bigint) as admission_code_key,
        cast(discharge_reason_code_key as bigint) as reason_code_key,
        cast({{ biostar.date_key('admitted_date') }} as integer) as admitted_date_key,
        cast({{ biostar.date_key('discharged_date') }} as integer) as discharged_date_key,

        -- business ids
        cast(first_encounter_id as varchar(64)) as first_encounter_id,
        cast(last_encounter_id as varchar(64)) as last_encounter_id,
        cast(next_encounter_id as varchar(64)) as next_encounter_id,

        -- attributes
        cast(admitted_at as timestamp) as admitted_at,
        cast(discharged_at as timestamp) as discharged_at,
        cast(exclusion_reason as varchar(32)) as exclusion_reason,
        cast(is_planned as boolean) as is_planned,
        cast(is_index_stay as boolean) as is_index_stay,
        cast(is_readmitted as boolean) as is_readmitted,
        cast(is_readmitted_unplanned as boolean) as is_readmitted_unplanned,

        -- facts
        cast(encounter_count as integer) as encounter_count,
        {{ biostar.age_in_years('birth_date', 'admitted_date') }} as age_years,
        {{ biostar.days_between('admitted_date', 'discharged_date') }} as length_of_stay_days,
        cast(days_to_next_admission as integer) as days_to_next_admission,
        cast(case when is_index_stay then 1 else 0 end as integer) as index_stay_count,
        cast(case when is_index_stay and is_readmitted_unplanned then 1 else 0 end as integer) as readmission_count
    from outcomes

)

select * from msr_readmission_30d
