with source as (

    select * from {{ source('raw_ehr', 'medications') }}

),

typed as (

    select
        -- identity
        {{ record_hash(['patient', 'encounter', 'start', 'code']) }} as record_id,
        {{ record_hash([
            'start', 'stop', 'patient', 'payer', 'encounter', 'code', 'description', 'base_cost',
            'payer_coverage', 'dispenses', 'totalcost', 'reasoncode', 'reasondescription'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('patient') }} as patient_id,
        {{ clean_text('payer') }} as payer_id,
        {{ clean_text('encounter') }} as encounter_id,

        -- times
        {{ safe_timestamp('start') }} as started_at,
        {{ safe_timestamp('stop') }} as stopped_at,

        -- attributes
        {{ clean_text('code') }} as medication_code,
        {{ clean_text('description') }} as medication_description,
        {{ clean_text('reasoncode') }} as reason_code,
        {{ clean_text('reasondescription') }} as reason_description,

        -- amounts and counts
        {{ safe_numeric('base_cost', 18, 2) }} as base_cost_amount,
        {{ safe_numeric('payer_coverage', 18, 2) }} as payer_coverage_amount,
        {{ safe_integer('dispenses') }} as dispense_count,
        {{ safe_numeric('totalcost', 18, 2) }} as total_cost_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['start', 'patient', 'code'],
            timestamps=['start', 'stop'],
            integers=['dispenses'],
            amounts=['base_cost', 'payer_coverage', 'totalcost']
        ) }} as reject_reason
    from source

)

select * from typed
