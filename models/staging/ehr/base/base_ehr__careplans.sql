with source as (

    select * from {{ source('raw_ehr', 'careplans') }}

),

typed as (

    select
        -- identity
        {{ clean_text('id') }} as record_id,
        {{ record_hash([
            'id', 'start', 'stop', 'patient', 'encounter', 'code', 'description', 'reasoncode',
            'reasondescription'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('id') }} as careplan_id,
        {{ clean_text('patient') }} as patient_id,
        {{ clean_text('encounter') }} as encounter_id,

        -- times
        {{ safe_date('start') }} as started_date,
        {{ safe_date('stop') }} as stopped_date,

        -- attributes
        {{ clean_text('code') }} as careplan_code,
        {{ clean_text('description') }} as careplan_description,
        {{ clean_text('reasoncode') }} as reason_code,
        {{ clean_text('reasondescription') }} as reason_description,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['id', 'start', 'patient', 'code'],
            dates=['start', 'stop']
        ) }} as reject_reason
    from source

)

select * from typed
