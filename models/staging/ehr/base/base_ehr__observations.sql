with source as (

    select * from {{ source('raw_ehr', 'observations') }}

),

typed as (

    select
        -- identity
        {{ record_hash(['patient', 'encounter', 'date', 'code']) }} as record_id,
        {{ record_hash([
            'date', 'patient', 'encounter', 'category', 'code', 'description', 'value', 'units', 'type'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('patient') }} as patient_id,
        {{ clean_text('encounter') }} as encounter_id,

        -- times
        {{ safe_timestamp('date') }} as observed_at,

        -- attributes
        {{ clean_text('category') }} as observation_category,
        {{ clean_text('code') }} as observation_code,
        {{ clean_text('description') }} as observation_description,
        {{ clean_text('value') }} as observation_value,
        {{ clean_text('units') }} as observation_unit,
        {{ clean_text('type') }} as value_type,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['date', 'patient', 'code'],
            timestamps=['date']
        ) }} as reject_reason
    from source

)

select * from typed
