{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='observation_id',
        on_schema_change='fail',
        dist='patient_key',
        sort=['observed_at'],
        post_hook="{{ biostar.realign_patient_versions('cast(observed_at as date)') }}"
    )
}}
-- dist: a patient's facts of all stars lie together; sort: questions ask for a period of observations

with observations as (

    {{ biostar.rows_to_build(
        staged=ref('stg_ehr__observations'),
        base=ref('base_ehr__observations'),
        id='observation_id',
        keep_occurrences=true
    ) }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

fct_observation as (

    select
        -- foreign keys
        {{ biostar.reference_key('observations.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('observations.patient_id') }} as patient_version_key,
        {{ biostar.code_key('observation', 'observations.observation_code') }} as observation_code_key,
        {{ biostar.date_key('observations.observed_at') }} as observed_date_key,

        -- business ids
        cast(observations.observation_id as varchar(32)) as observation_id,
        cast(observations.occurrence_number as integer) as occurrence_number,
        cast(observations.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(observations.observation_category as varchar(32)) as observation_category,
        cast(observations.observed_at as timestamp) as observed_at,
        cast(observations.value_type as varchar(16)) as value_type,
        cast(observations.observation_unit as varchar(32)) as observation_unit,
        cast(observations.observation_value as varchar(1024)) as observation_value,

        -- facts
        cast(
            case
                when observations.value_type = 'numeric'
                    then {{ biostar.safe_numeric('observations.observation_value', 18, 6) }}
            end as numeric(18, 6)
        ) as numeric_value,

        -- load
        cast(observations._load_id as bigint) as _load_id,
        cast(observations._ingest_date as date) as _ingest_date
    from observations
    {{ biostar.patient_version_join(
        'patient_versions', 'observations.patient_id', 'cast(observations.observed_at as date)'
    ) }}

)

select * from fct_observation
