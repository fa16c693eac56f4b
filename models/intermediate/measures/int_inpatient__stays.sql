{{ config(materialized='table', dist='patient_key', sort=['admitted_at']) }}
-- dist, sort: each patient's stays are compared with each other in the order of time

with encounters as (

    select * from {{ ref('fct_encounter') }}
    where encounter_class = 'inpatient'

),

procedures as (

    select * from {{ ref('fct_procedure') }}

),

value_sets as (

    select
        value_set,
        {{ biostar.surrogate_key(['code_system', 'code']) }} as clinical_code_key
    from {{ ref('inpatient_stay_value_sets') }}

),

encounter_codes as (

    select
        encounter_id,
        encounter_code_key as clinical_code_key
    from encounters

    union all

    select
        encounter_id,
        reason_code_key as clinical_code_key
    from encounters

    union all

    select
        encounters.encounter_id,
        procedures.procedure_code_key as clinical_code_key
    from encounters
    inner join procedures
        on encounters.encounter_id = procedures.encounter_id

),

encounter_flags as (

    select
        encounter_codes.encounter_id,
        max(
            case when value_sets.value_set in ('planned admission', 'planned procedure') then 1 else 0 end
        ) as is_planned,
        max(case when value_sets.value_set = 'rehabilitation' then 1 else 0 end) as is_rehabilitation,
        max(case when value_sets.value_set = 'psychiatric' then 1 else 0 end) as is_psychiatric,
        max(case when value_sets.value_set = 'cancer treatment' then 1 else 0 end) as is_cancer_treatment
    from encounter_codes
    inner join value_sets
        on encounter_codes.clinical_code_key = value_sets.clinical_code_key
    group by encounter_codes.encounter_id

),

sequenced as (

    select
        encounters.*,
        lag(organization_key) over (
            partition by patient_key
            order by started_at, stopped_at, encounter_id
        ) as previous_organization_key,
        lag(reason_code_key) over (
            partition by patient_key
            order by started_at, stopped_at, encounter_id
        ) as previous_reason_code_key,
        max(coalesce(stopped_at, started_at)) over (
            partition by patient_key
            order by started_at, stopped_at, encounter_id
            rows between unbounded preceding and 1 preceding
        ) as previous_stopped_at
    from encounters

),

-- What CMS counts as one episode of acute care: encounters that overlap; a transfer, which is an admission to another
-- hospital on the day of discharge or the day after; and a return to the same hospital on the day of discharge for the
-- same condition.
flagged as (

    select
        sequenced.*,
        case
            when previous_stopped_at is null then 1
            when started_at < previous_stopped_at then 0
            when
                organization_key <> previous_organization_key
                and cast(started_at as date) - cast(previous_stopped_at as date) <= 1
                then 0
            when
                organization_key = previous_organization_key
                and cast(started_at as date) = cast(previous_stopped_at as date)
                and reason_code_key = previous_reason_code_key
                then 0
            else 1
        end as begins_stay
    from sequenced

),

numbered as (

    select
        flagged.*,
        sum(begins_stay) over (
            partition by patient_key
            order by started_at, stopped_at, encounter_id
            rows between unbounded preceding and current row
        ) as stay_number
    from flagged

),

ranked as (

    select
        numbered.*,
        row_number() over (
            partition by patient_key, stay_number
            order by started_at, stopped_at, encounter_id
        ) as position_from_start,
        row_number() over (
            partition by patient_key, stay_number
            order by started_at desc, stopped_at desc, encounter_id desc
        ) as position_from_end
    from numbered

),

-- Whether an admission was planned is read from its first encounter, why the patient was treated from the last one:
-- CMS holds the hospital that discharges responsible.
stays as (

    select
        ranked.patient_key,
        ranked.stay_number,
        max(case when ranked.position_from_start = 1 then ranked.encounter_id end) as first_encounter_id,
        max(case when ranked.position_from_end = 1 then ranked.encounter_id end) as last_encounter_id,
        max(case when ranked.position_from_start = 1 then ranked.patient_version_key end) as patient_version_key,
        max(case when ranked.position_from_start = 1 then ranked.payer_key end) as payer_key,
        max(case when ranked.position_from_start = 1 then ranked.encounter_code_key end) as admission_code_key,
        max(case when ranked.position_from_start = 1 then ranked.reason_code_key end) as admission_reason_code_key,
        max(case when ranked.position_from_end = 1 then ranked.organization_key end) as organization_key,
        max(case when ranked.position_from_end = 1 then ranked.provider_key end) as provider_key,
        max(case when ranked.position_from_end = 1 then ranked.encounter_code_key end) as discharge_code_key,
        max(case when ranked.position_from_end = 1 then ranked.reason_code_key end) as discharge_reason_code_key,
        min(ranked.started_at) as admitted_at,
        -- a stay that has an encounter without an end has none
        case when count(ranked.stopped_at) = count(*) then max(ranked.stopped_at) end as discharged_at,
        count(*) as encounter_count,
        max(
            case when ranked.position_from_start = 1 then coalesce(encounter_flags.is_planned, 0) end
        ) as is_planned,
        max(
            case when ranked.position_from_end = 1 then coalesce(encounter_flags.is_rehabilitation, 0) end
        ) as is_rehabilitation,
        max(
            case when ranked.position_from_end = 1 then coalesce(encounter_flags.is_psychiatric, 0) end
        ) as is_psychiatric,
        max(
            case when ranked.position_from_end = 1 then coalesce(encounter_flags.is_cancer_treatment, 0) end
        ) as is_cancer_treatment
    from ranked
    left join encounter_flags
        on ranked.encounter_id = encounter_flags.encounter_id
    group by
        ranked.patient_key,
        ranked.stay_number

)

select
    patient_key,
    stay_number,
    first_encounter_id,
    last_encounter_id,
    patient_version_key,
    payer_key,
    admission_code_key,
    admission_reason_code_key,
    organization_key,
    provider_key,
    discharge_code_key,
    discharge_reason_code_key,
    admitted_at,
    discharged_at,
    encounter_count,
    is_planned = 1 as is_planned,
    is_rehabilitation = 1 as is_rehabilitation,
    is_psychiatric = 1 as is_psychiatric,
    is_cancer_treatment = 1 as is_cancer_treatment
from stays
