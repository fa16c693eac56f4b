with source as (

    select * from {{ source('raw_ehr', 'observations') }}

),

typed as (

    select
        -- identity
        {{ biostar.record_hash(['patient', 'encounter', 'date', 'code']) }} as record_id,
        {{ biostar.record_hash([
            'date', 'patient', 'encounter', 'category', 'code', 'description', 'value', 'units', 'type'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_timestamp('date') }} as observed_at,

        -- attributes
        {{ biostar.clean_text('category') }} as observation_category,
        {{ biostar.clean_text('code') }} as observation_code,
        {{ biostar.clean_text('description') }} as observation_description,
        {{ biostar.clean_text('value') }} as observation_value,
        {{ biostar.clean_text('units') }} as observation_unit,
        {{ biostar.clean_text('type') }} as value_type,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['date', 'patient', 'code'],
            timestamps=['date']
        ) }} as reject_reason
    from source

)

select * from typed
