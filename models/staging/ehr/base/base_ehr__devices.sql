with source as (

    select * from {{ source('raw_ehr', 'devices') }}

),

typed as (

    select
        -- identity
        {{ biostar.record_hash(['patient', 'encounter', 'start', 'code', 'udi']) }} as record_id,
        {{ biostar.record_hash([
            'start', 'stop', 'patient', 'encounter', 'code', 'description', 'udi'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_timestamp('start') }} as started_at,
        {{ biostar.safe_timestamp('stop') }} as stopped_at,

        -- attributes
        {{ biostar.clean_text('code') }} as device_code,
        {{ biostar.clean_text('description') }} as device_description,
        {{ biostar.clean_text('udi') }} as device_udi,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['start', 'patient', 'code'],
            timestamps=['start', 'stop']
        ) }} as reject_reason
    from source

)

select * from typed
