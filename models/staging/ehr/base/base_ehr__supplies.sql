with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'supplies'),
        biostar.record_hash(['patient', 'encounter', 'date', 'code'])
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
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

        -- what was parsed, as delivered
        date as date_text,
        quantity as quantity_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={'date': 'supplied_at', 'patient': 'patient_id', 'code': 'supply_code'},
            timestamps={'date': 'supplied_at'},
            integers={'quantity': 'supply_quantity'}
        ) }} as reject_reason
    from typed

)

select * from judged
