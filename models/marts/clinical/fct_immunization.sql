{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='immunization_id',
        on_schema_change='fail',
        dist='patient_key',
        sort=['administered_at'],
        post_hook="{{ biostar.realign_patient_versions('cast(administered_at as date)') }}"
    )
}}
-- dist: a patient's facts of all stars lie together; sort: questions ask for a period of vaccinations

with immunizations as (

    {{ biostar.rows_to_build(
        staged=ref('stg_ehr__immunizations'),
        base=ref('base_ehr__immunizations'),
        id='immunization_id',
        keep_occurrences=true
    ) }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

fct_immunization as (

    select
        -- foreign keys
        {{ biostar.reference_key('immunizations.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('immunizations.patient_id') }} as patient_version_key,
        {{ biostar.code_key('vaccine', 'immunizations.vaccine_code') }} as vaccine_code_key,
        {{ biostar.date_key('immunizations.administered_at') }} as administered_date_key,

        -- business ids
        cast(immunizations.immunization_id as varchar(32)) as immunization_id,
        cast(immunizations.occurrence_number as integer) as occurrence_number,
        cast(immunizations.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(immunizations.administered_at as timestamp) as administered_at,

        -- facts
        cast(immunizations.base_cost_amount as numeric(18, 2)) as base_cost_amount,

        -- load
        cast(immunizations._load_id as bigint) as _load_id,
        cast(immunizations._ingest_date as date) as _ingest_date
    from immunizations
    {{ biostar.patient_version_join(
        'patient_versions', 'immunizations.patient_id', 'cast(immunizations.administered_at as date)'
    ) }}

)

select * from fct_immunization
