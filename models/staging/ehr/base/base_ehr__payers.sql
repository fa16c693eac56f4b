with source as (

    select * from {{ source('raw_ehr', 'payers') }}

),

typed as (

    select
        -- identity
        {{ biostar.clean_text('id') }} as record_id,
        {{ biostar.record_hash([
            'id', 'name', 'ownership', 'address', 'city', 'state_headquartered', 'zip', 'phone',
            'amount_covered', 'amount_uncovered', 'revenue', 'covered_encounters', 'uncovered_encounters',
            'covered_medications', 'uncovered_medications', 'covered_procedures', 'uncovered_procedures',
            'covered_immunizations', 'uncovered_immunizations', 'unique_customers', 'qols_avg',
            'member_months'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('id') }} as payer_id,

        -- attributes
        {{ biostar.clean_text('name') }} as payer_name,
        {{ biostar.clean_text('ownership') }} as ownership_type,
        {{ biostar.clean_text('address') }} as street_address,
        {{ biostar.clean_text('city') }} as city,
        {{ biostar.clean_text('state_headquartered') }} as state_code,
        {{ biostar.clean_text('zip') }} as postal_code,
        {{ biostar.clean_text('phone') }} as phone_number,

        -- amounts and counts
        {{ biostar.safe_numeric('amount_covered', 18, 2) }} as covered_amount,
        {{ biostar.safe_numeric('amount_uncovered', 18, 2) }} as uncovered_amount,
        {{ biostar.safe_numeric('revenue', 18, 2) }} as revenue_amount,
        {{ biostar.safe_integer('covered_encounters') }} as covered_encounter_count,
        {{ biostar.safe_integer('uncovered_encounters') }} as uncovered_encounter_count,
        {{ biostar.safe_integer('covered_medications') }} as covered_medication_count,
        {{ biostar.safe_integer('uncovered_medications') }} as uncovered_medication_count,
        {{ biostar.safe_integer('covered_procedures') }} as covered_procedure_count,
        {{ biostar.safe_integer('uncovered_procedures') }} as uncovered_procedure_count,
        {{ biostar.safe_integer('covered_immunizations') }} as covered_immunization_count,
        {{ biostar.safe_integer('uncovered_immunizations') }} as uncovered_immunization_count,
        {{ biostar.safe_integer('unique_customers') }} as customer_count,
        {{ biostar.safe_numeric('qols_avg', 9, 6) }} as average_qols,
        {{ biostar.safe_integer('member_months') }} as member_month_count,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['id'],
            integers=['covered_encounters', 'uncovered_encounters', 'covered_medications', 'uncovered_medications', 'covered_procedures', 'uncovered_procedures', 'covered_immunizations', 'uncovered_immunizations', 'unique_customers', 'member_months'],
            amounts=['amount_covered', 'amount_uncovered', 'revenue']
        ) }} as reject_reason
    from source

)

select * from typed
