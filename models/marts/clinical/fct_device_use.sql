{{
    config(
        dist='patient_key',
        sort=['started_at']
    )
}}
-- dist: a patient's facts of all stars lie together; sort: by the date that questions ask for

with devices as (

    select * from {{ ref('stg_ehr__devices') }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

fct_device_use as (

    select
        -- foreign keys
        {{ biostar.reference_key('devices.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('devices.patient_id') }} as patient_version_key,
        {{ biostar.code_key('device', 'devices.device_code') }} as device_code_key,
        {{ biostar.date_key('devices.started_at') }} as started_date_key,
        {{ biostar.date_key('devices.stopped_at') }} as stopped_date_key,

        -- business ids
        cast(devices.device_use_id as varchar(32)) as device_use_id,
        cast(devices.occurrence_number as integer) as occurrence_number,
        cast(devices.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(devices.started_at as timestamp) as started_at,
        cast(devices.stopped_at as timestamp) as stopped_at,

        -- load
        cast(devices._load_id as bigint) as _load_id,
        cast(devices._ingest_date as date) as _ingest_date
    from devices
    {{ biostar.patient_version_join(
        'patient_versions', 'devices.patient_id', 'cast(devices.started_at as date)'
    ) }}

)

select * from fct_device_use
