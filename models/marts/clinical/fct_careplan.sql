{{
    config(
        dist='patient_key',
        sort=['started_date']
    )
}}
-- dist: a patient's facts of all stars lie together; sort: by the date that questions ask for

with careplans as (

    select * from {{ ref('stg_ehr__careplans') }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

fct_careplan as (

    select
        -- foreign keys
        {{ biostar.reference_key('careplans.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('careplans.patient_id') }} as patient_version_key,
        {{ biostar.code_key('careplan', 'careplans.careplan_code') }} as careplan_code_key,
        {{ biostar.code_key('reason', 'careplans.reason_code') }} as reason_code_key,
        {{ biostar.date_key('careplans.started_date') }} as started_date_key,
        {{ biostar.date_key('careplans.stopped_date') }} as stopped_date_key,

        -- business ids
        cast(careplans.careplan_id as varchar(64)) as careplan_id,
        cast(careplans.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(careplans.started_date as date) as started_date,
        cast(careplans.stopped_date as date) as stopped_date,

        -- load
        cast(careplans._load_id as bigint) as _load_id,
        cast(careplans._ingest_date as date) as _ingest_date
    from careplans
    {{ biostar.patient_version_join(
        'patient_versions', 'careplans.patient_id', 'careplans.started_date'
    ) }}

)

select * from fct_careplan
