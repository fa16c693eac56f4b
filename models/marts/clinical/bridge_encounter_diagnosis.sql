{{
    config(
        dist='patient_key',
        sort=['diagnosis_date']
    )
}}
-- dist: joined with the patient's encounters; sort: the period of the encounters

with encounters as (

    select * from {{ ref('fct_encounter') }}

),

conditions as (

    select * from {{ ref('stg_ehr__conditions') }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

recorded as (

    select
        encounter_id,
        {{ biostar.code_key('condition', 'condition_code', 'code_system') }} as diagnosis_code_key,
        min(patient_id) as patient_id,
        min(condition_code) as condition_code,
        min(onset_date) as onset_date,
        count(*) as merged_row_count,
        max(_load_id) as _load_id
    from conditions
    where encounter_id is not null
    group by encounter_id, {{ biostar.code_key('condition', 'condition_code', 'code_system') }}

),

reasons as (

    select
        encounter_id,
        reason_code_key as diagnosis_code_key,
        _load_id
    from encounters
    where reason_code_key <> -1

),

diagnoses as (

    select
        coalesce(reasons.encounter_id, recorded.encounter_id) as encounter_id,
        coalesce(reasons.diagnosis_code_key, recorded.diagnosis_code_key) as diagnosis_code_key,
        reasons.encounter_id is not null as is_reason,
        recorded.encounter_id is not null as is_recorded,
        recorded.patient_id,
        recorded.condition_code,
        recorded.onset_date,
        coalesce(recorded.merged_row_count, 0) as merged_row_count,
        greatest(
            coalesce(reasons._load_id, recorded._load_id),
            coalesce(recorded._load_id, reasons._load_id)
        ) as _load_id
    from reasons
    full outer join recorded
        on
            reasons.encounter_id = recorded.encounter_id
            and reasons.diagnosis_code_key = recorded.diagnosis_code_key

),

-- a diagnosis may arrive before its encounter: then its own patient and onset stand in
placed as (

    select
        coalesce(encounters.patient_key, {{ biostar.reference_key('diagnoses.patient_id') }}) as patient_key,
        coalesce(encounters.patient_version_key, {{ biostar.patient_version_key('diagnoses.patient_id') }})
            as patient_version_key,
        diagnoses.diagnosis_code_key,
        diagnoses.encounter_id,
        coalesce(cast(encounters.started_at as date), diagnoses.onset_date) as diagnosis_date,
        row_number() over (
            partition by diagnoses.encounter_id
            order by
                case when diagnoses.is_reason then 0 else 1 end,
                diagnoses.onset_date,
                diagnoses.condition_code,
                diagnoses.diagnosis_code_key
        ) as diagnosis_position,
        count(*) over (partition by diagnoses.encounter_id) as diagnosis_count,
        diagnoses.is_reason,
        diagnoses.is_recorded,
        diagnoses.merged_row_count,
        diagnoses._load_id
    from diagnoses
    left join encounters
        on diagnoses.encounter_id = encounters.encounter_id
    {{ biostar.patient_version_join('patient_versions', 'diagnoses.patient_id', 'diagnoses.onset_date') }}

),

bridge_encounter_diagnosis as (

    select
        -- foreign keys
        cast(patient_key as bigint) as patient_key,
        cast(patient_version_key as bigint) as patient_version_key,
        cast(diagnosis_code_key as bigint) as diagnosis_code_key,
        {{ biostar.date_key('diagnosis_date') }} as diagnosis_date_key,

        -- business id
        cast(encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(diagnosis_position as integer) as diagnosis_position,
        is_reason,
        is_recorded,
        cast(diagnosis_date as date) as diagnosis_date,

        -- facts
        cast(diagnosis_count as integer) as diagnosis_count,
        cast(merged_row_count as integer) as merged_row_count,

        -- load
        cast(_load_id as bigint) as _load_id
    from placed

)

select * from bridge_encounter_diagnosis
