{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='encounter_id',
        on_schema_change='fail',
        dist='patient_key',
        sort=['started_at'],
        post_hook="{{ biostar.realign_patient_versions('cast(started_at as date)') }}"
    )
}}
-- dist: a patient's facts of all stars lie together; sort: questions ask for a period of encounters

with encounters as (

    {{ biostar.rows_to_build(
        staged=ref('stg_ehr__encounters'),
        base=ref('base_ehr__encounters'),
        id='encounter_id'
    ) }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

fct_encounter as (

    select
        -- foreign keys
        {{ biostar.reference_key('encounters.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('encounters.patient_id') }} as patient_version_key,
        {{ biostar.reference_key('encounters.provider_id') }} as provider_key,
        {{ biostar.reference_key('encounters.organization_id') }} as organization_key,
        {{ biostar.reference_key('encounters.payer_id') }} as payer_key,
        {{ biostar.code_key('encounter', 'encounters.encounter_code') }} as encounter_code_key,
        {{ biostar.code_key('reason', 'encounters.reason_code') }} as reason_code_key,
        {{ biostar.date_key('encounters.started_at') }} as started_date_key,
        {{ biostar.date_key('encounters.stopped_at') }} as stopped_date_key,

        -- business id
        cast(encounters.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(encounters.encounter_class as varchar(32)) as encounter_class,
        cast(encounters.started_at as timestamp) as started_at,
        cast(encounters.stopped_at as timestamp) as stopped_at,

        -- facts
        cast(
            cast(encounters.stopped_at as date) - cast(encounters.started_at as date) as integer
        ) as length_of_stay_days,
        cast(encounters.base_cost_amount as numeric(18, 2)) as base_cost_amount,
        cast(encounters.total_claim_amount as numeric(18, 2)) as total_claim_amount,
        cast(encounters.payer_coverage_amount as numeric(18, 2)) as payer_coverage_amount,

        -- load
        cast(encounters._load_id as bigint) as _load_id,
        cast(encounters._ingest_date as date) as _ingest_date
    from encounters
    {{ biostar.patient_version_join(
        'patient_versions', 'encounters.patient_id', 'cast(encounters.started_at as date)'
    ) }}

)

select * from fct_encounter
