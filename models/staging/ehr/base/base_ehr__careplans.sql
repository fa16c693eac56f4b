with source as (

    select * from {{ source('raw_ehr', 'careplans') }}

),

typed as (

    select
        -- identity
        {{ biostar.clean_text('id') }} as record_id,
        {{ biostar.record_hash([
            'id', 'start', 'stop', 'patient', 'encounter', 'code', 'description', 'reasoncode',
            'reasondescription'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('id') }} as careplan_id,
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_date('start') }} as started_date,
        {{ biostar.safe_date('stop') }} as stopped_date,

        -- attributes
        {{ biostar.clean_text('code') }} as careplan_code,
        {{ biostar.clean_text('description') }} as careplan_description,
        {{ biostar.clean_text('reasoncode') }} as reason_code,
        {{ biostar.clean_text('reasondescription') }} as reason_description,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['id', 'start', 'patient', 'code'],
            dates=['start', 'stop']
        ) }} as reject_reason
    from source

)

select * from typed
