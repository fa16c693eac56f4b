{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='medication_order_id',
        on_schema_change='fail',
        dist='patient_key',
        sort=['started_at'],
        post_hook="{{ biostar.realign_patient_versions('cast(started_at as date)') }}"
    )
}}
-- dist: a patient's facts of all stars lie together; sort: questions ask for a period of prescriptions

with medications as (

    {{ biostar.rows_to_build(
        staged=ref('stg_ehr__medications'),
        base=ref('base_ehr__medications'),
        id='medication_order_id',
        keep_occurrences=true
    ) }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

fct_medication_order as (

    select
        -- foreign keys
        {{ biostar.reference_key('medications.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('medications.patient_id') }} as patient_version_key,
        {{ biostar.reference_key('medications.payer_id') }} as payer_key,
        {{ biostar.code_key('medication', 'medications.medication_code') }} as medication_code_key,
        {{ biostar.code_key('reason', 'medications.reason_code') }} as reason_code_key,
        {{ biostar.date_key('medications.started_at') }} as started_date_key,
        {{ biostar.date_key('medications.stopped_at') }} as stopped_date_key,

        -- business ids
        cast(medications.medication_order_id as varchar(32)) as medication_order_id,
        cast(medications.occurrence_number as integer) as occurrence_number,
        cast(medications.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(medications.started_at as timestamp) as started_at,
        cast(medications.stopped_at as timestamp) as stopped_at,

        -- facts
        cast(medications.dispense_count as integer) as dispense_count,
        cast(medications.base_cost_amount as numeric(18, 2)) as base_cost_amount,
        cast(medications.payer_coverage_amount as numeric(18, 2)) as payer_coverage_amount,
        cast(medications.total_cost_amount as numeric(18, 2)) as total_cost_amount,

        -- load
        cast(medications._load_id as bigint) as _load_id,
        cast(medications._ingest_date as date) as _ingest_date
    from medications
    {{ biostar.patient_version_join(
        'patient_versions', 'medications.patient_id', 'cast(medications.started_at as date)'
    ) }}

)

select * from fct_medication_order
