with source as (

    select * from {{ source('raw_ehr', 'conditions') }}

),

typed as (

    select
        -- identity
        {{ biostar.record_hash(['patient', 'encounter', 'start', 'code']) }} as record_id,
        {{ biostar.record_hash([
            'start', 'stop', 'patient', 'encounter', '"system"', 'code', 'description'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_date('start') }} as onset_date,
        {{ biostar.safe_date('stop') }} as abatement_date,

        -- attributes
        {{ biostar.clean_text('"system"') }} as code_system,
        {{ biostar.clean_text('code') }} as condition_code,
        {{ biostar.clean_text('description') }} as condition_description,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['start', 'patient', 'code'],
            dates=['start', 'stop']
        ) }} as reject_reason
    from source

)

select * from typed
