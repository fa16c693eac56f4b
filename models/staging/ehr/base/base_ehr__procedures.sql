with source as (

    select * from {{ source('raw_ehr', 'procedures') }}

),

typed as (

    select
        -- identity
        {{ biostar.record_hash(['patient', 'encounter', 'start', 'code']) }} as record_id,
        {{ biostar.record_hash([
            'start', 'stop', 'patient', 'encounter', '"system"', 'code', 'description', 'base_cost',
            'reasoncode', 'reasondescription'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_timestamp('start') }} as started_at,
        {{ biostar.safe_timestamp('stop') }} as stopped_at,

        -- attributes
        {{ biostar.clean_text('"system"') }} as code_system,
        {{ biostar.clean_text('code') }} as procedure_code,
        {{ biostar.clean_text('description') }} as procedure_description,
        {{ biostar.clean_text('reasoncode') }} as reason_code,
        {{ biostar.clean_text('reasondescription') }} as reason_description,

        -- amounts and counts
        {{ biostar.safe_numeric('base_cost', 18, 2) }} as base_cost_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['start', 'patient', 'code'],
            timestamps=['start', 'stop'],
            amounts=['base_cost']
        ) }} as reject_reason
    from source

)

select * from typed
