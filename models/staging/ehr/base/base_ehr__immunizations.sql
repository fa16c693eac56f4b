with source as (

    select * from {{ source('raw_ehr', 'immunizations') }}

),

typed as (

    select
        -- identity
        {{ biostar.record_hash(['patient', 'encounter', 'date', 'code']) }} as record_id,
        {{ biostar.record_hash([
            'date', 'patient', 'encounter', 'code', 'description', 'base_cost'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_timestamp('date') }} as administered_at,

        -- attributes
        {{ biostar.clean_text('code') }} as vaccine_code,
        {{ biostar.clean_text('description') }} as vaccine_description,

        -- amounts and counts
        {{ biostar.safe_numeric('base_cost', 18, 2) }} as base_cost_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['date', 'patient', 'code'],
            timestamps=['date'],
            amounts=['base_cost']
        ) }} as reject_reason
    from source

)

select * from typed
