with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'immunizations'),
        biostar.record_hash(['patient', 'encounter', 'date', 'code'])
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
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

        -- what was parsed, as delivered
        date as date_text,
        base_cost as base_cost_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={'date': 'administered_at', 'patient': 'patient_id', 'code': 'vaccine_code'},
            timestamps={'date': 'administered_at'},
            amounts={'base_cost': 'base_cost_amount'}
        ) }} as reject_reason
    from typed

)

select * from judged
