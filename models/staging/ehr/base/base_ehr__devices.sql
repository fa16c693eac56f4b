with source as (

    select * from {{ source('raw_ehr', 'devices') }}

),

typed as (

    select
        -- identity
        {{ record_hash(['patient', 'encounter', 'start', 'code', 'udi']) }} as record_id,
        {{ record_hash([
            'start', 'stop', 'patient', 'encounter', 'code', 'description', 'udi'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('patient') }} as patient_id,
        {{ clean_text('encounter') }} as encounter_id,

        -- times
        {{ safe_timestamp('start') }} as started_at,
        {{ safe_timestamp('stop') }} as stopped_at,

        -- attributes
        {{ clean_text('code') }} as device_code,
        {{ clean_text('description') }} as device_description,
        {{ clean_text('udi') }} as device_udi,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['start', 'patient', 'code'],
            timestamps=['start', 'stop']
        ) }} as reject_reason
    from source

)

select * from typed
