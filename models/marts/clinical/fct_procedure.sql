{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='procedure_id',
        on_schema_change='fail',
        dist='patient_key',
        sort=['started_at'],
        post_hook="{{ biostar.realign_patient_versions('cast(started_at as date)') }}"
    )
}}
-- dist: a patient's facts of all stars lie together; sort: questions ask for a period of procedures

with procedures as (

    {{ biostar.rows_to_build(
        staged=ref('stg_ehr__procedures'),
        base=ref('base_ehr__procedures'),
        id='procedure_id',
        keep_occurrences=true
    ) }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

fct_procedure as (

    select
        -- foreign keys
        {{ biostar.reference_key('procedures.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('procedures.patient_id') }} as patient_version_key,
        {{ biostar.code_key('procedure', 'procedures.procedure_code', 'procedures.code_system') }}
            as procedure_code_key,
        {{ biostar.code_key('reason', 'procedures.reason_code') }} as reason_code_key,
        {{ biostar.date_key('procedures.started_at') }} as started_date_key,
        {{ biostar.date_key('procedures.stopped_at') }} as stopped_date_key,

        -- business ids
        cast(procedures.procedure_id as varchar(32)) as procedure_id,
        cast(procedures.occurrence_number as integer) as occurrence_number,
        cast(procedures.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(procedures.started_at as timestamp) as started_at,
        cast(procedures.stopped_at as timestamp) as stopped_at,

        -- facts
        cast(procedures.base_cost_amount as numeric(18, 2)) as base_cost_amount,

        -- load
        cast(procedures._load_id as bigint) as _load_id,
        cast(procedures._ingest_date as date) as _ingest_date
    from procedures
    {{ biostar.patient_version_join(
        'patient_versions', 'procedures.patient_id', 'cast(procedures.started_at as date)'
    ) }}

)

select * from fct_procedure
