with source as (

    select * from {{ source('raw_ehr', 'payers') }}

),

typed as (

    select
        -- identity
        {{ clean_text('id') }} as record_id,
        {{ record_hash([
            'id', 'name', 'ownership', 'address', 'city', 'state_headquartered', 'zip', 'phone',
            'amount_covered', 'amount_uncovered', 'revenue', 'covered_encounters', 'uncovered_encounters',
            'covered_medications', 'uncovered_medications', 'covered_procedures', 'uncovered_procedures',
            'covered_immunizations', 'uncovered_immunizations', 'unique_customers', 'qols_avg',
            'member_months'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('id') }} as payer_id,

        -- attributes
        {{ clean_text('name') }} as payer_name,
        {{ clean_text('ownership') }} as ownership_type,
        {{ clean_text('address') }} as street_address,
        {{ clean_text('city') }} as city,
        {{ clean_text('state_headquartered') }} as state_code,
        {{ clean_text('zip') }} as postal_code,
        {{ clean_text('phone') }} as phone_number,

        -- amounts and counts
        {{ safe_numeric('amount_covered', 18, 2) }} as covered_amount,
        {{ safe_numeric('amount_uncovered', 18, 2) }} as uncovered_amount,
        {{ safe_numeric('revenue', 18, 2) }} as revenue_amount,
        {{ safe_integer('covered_encounters') }} as covered_encounter_count,
        {{ safe_integer('uncovered_encounters') }} as uncovered_encounter_count,
        {{ safe_integer('covered_medications') }} as covered_medication_count,
        {{ safe_integer('uncovered_medications') }} as uncovered_medication_count,
        {{ safe_integer('covered_procedures') }} as covered_procedure_count,
        {{ safe_integer('uncovered_procedures') }} as uncovered_procedure_count,
        {{ safe_integer('covered_immunizations') }} as covered_immunization_count,
        {{ safe_integer('uncovered_immunizations') }} as uncovered_immunization_count,
        {{ safe_integer('unique_customers') }} as customer_count,
        {{ safe_numeric('qols_avg', 9, 6) }} as average_qols,
        {{ safe_integer('member_months') }} as member_month_count,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['id'],
            integers=['covered_encounters', 'uncovered_encounters', 'covered_medications', 'uncovered_medications', 'covered_procedures', 'uncovered_procedures', 'covered_immunizations', 'uncovered_immunizations', 'unique_customers', 'member_months'],
            amounts=['amount_covered', 'amount_uncovered', 'revenue']
        ) }} as reject_reason
    from source

)

select * from typed
