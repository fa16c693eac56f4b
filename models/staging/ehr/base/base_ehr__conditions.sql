with source as (

    select * from {{ source('raw_ehr', 'conditions') }}

),

typed as (

    select
        -- identity
        {{ record_hash(['patient', 'encounter', 'start', 'code']) }} as record_id,
        {{ record_hash([
            'start', 'stop', 'patient', 'encounter', '"system"', 'code', 'description'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('patient') }} as patient_id,
        {{ clean_text('encounter') }} as encounter_id,

        -- times
        {{ safe_date('start') }} as onset_date,
        {{ safe_date('stop') }} as abatement_date,

        -- attributes
        {{ clean_text('"system"') }} as code_system,
        {{ clean_text('code') }} as condition_code,
        {{ clean_text('description') }} as condition_description,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['start', 'patient', 'code'],
            dates=['start', 'stop']
        ) }} as reject_reason
    from source

)

select * from typed
