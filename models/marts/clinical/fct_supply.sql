{{
    config(
        dist='patient_key',
        sort=['supplied_at']
    )
}}
-- dist: a patient's facts of all stars lie together; sort: by the date that questions ask for

with supplies as (

    select * from {{ ref('stg_ehr__supplies') }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

fct_supply as (

    select
        -- foreign keys
        {{ biostar.reference_key('supplies.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('supplies.patient_id') }} as patient_version_key,
        {{ biostar.code_key('supply', 'supplies.supply_code') }} as supply_code_key,
        {{ biostar.date_key('supplies.supplied_at') }} as supplied_date_key,

        -- business ids
        cast(supplies.supply_id as varchar(32)) as supply_id,
        cast(supplies.occurrence_number as integer) as occurrence_number,
        cast(supplies.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(supplies.supplied_at as timestamp) as supplied_at,

        -- facts
        cast(supplies.supply_quantity as integer) as supply_quantity,

        -- load
        cast(supplies._load_id as bigint) as _load_id,
        cast(supplies._ingest_date as date) as _ingest_date
    from supplies
    {{ biostar.patient_version_join(
        'patient_versions', 'supplies.patient_id', 'cast(supplies.supplied_at as date)'
    ) }}

)

select * from fct_supply
