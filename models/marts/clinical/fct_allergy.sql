{{
    config(
        dist='patient_key',
        sort=['recorded_date']
    )
}}
-- dist: a patient's facts of all stars lie together; sort: by the date that questions ask for

with allergies as (

    select * from {{ ref('stg_ehr__allergies') }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

fct_allergy as (

    select
        -- foreign keys
        {{ biostar.reference_key('allergies.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('allergies.patient_id') }} as patient_version_key,
        {{ biostar.code_key('allergen', 'allergies.allergen_code', 'allergies.code_system') }} as allergen_code_key,
        {{ biostar.code_key('reaction', 'allergies.reaction_1_code') }} as reaction_1_code_key,
        {{ biostar.code_key('reaction', 'allergies.reaction_2_code') }} as reaction_2_code_key,
        {{ biostar.date_key('allergies.recorded_date') }} as recorded_date_key,
        {{ biostar.date_key('allergies.resolved_date') }} as resolved_date_key,

        -- business ids
        cast(allergies.allergy_id as varchar(32)) as allergy_id,
        cast(allergies.occurrence_number as integer) as occurrence_number,
        cast(allergies.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(allergies.allergy_type as varchar(32)) as allergy_type,
        cast(allergies.allergy_category as varchar(32)) as allergy_category,
        cast(allergies.reaction_1_severity as varchar(32)) as reaction_1_severity,
        cast(allergies.reaction_2_severity as varchar(32)) as reaction_2_severity,
        cast(allergies.recorded_date as date) as recorded_date,
        cast(allergies.resolved_date as date) as resolved_date,

        -- load
        cast(allergies._load_id as bigint) as _load_id,
        cast(allergies._ingest_date as date) as _ingest_date
    from allergies
    {{ biostar.patient_version_join(
        'patient_versions', 'allergies.patient_id', 'allergies.recorded_date'
    ) }}

)

select * from fct_allergy
