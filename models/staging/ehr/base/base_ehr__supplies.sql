with source as (

    select * from {{ source('raw_ehr', 'supplies') }}

),

typed as (

    select
        -- identity
        {{ biostar.record_hash(['patient', 'encounter', 'date', 'code']) }} as record_id,
        {{ biostar.record_hash([
            'date', 'patient', 'encounter', 'code', 'description', 'quantity'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_timestamp('date') }} as supplied_at,

        -- attributes
        {{ biostar.clean_text('code') }} as supply_code,
        {{ biostar.clean_text('description') }} as supply_description,

        -- amounts and counts
        {{ biostar.safe_integer('quantity') }} as supply_quantity,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['date', 'patient', 'code'],
            timestamps=['date'],
            integers=['quantity']
        ) }} as reject_reason
    from source

)

select * from typed
