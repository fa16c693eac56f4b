with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'payers'),
        biostar.clean_text('id')
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
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

        -- what was parsed, as delivered
        amount_covered as amount_covered_text,
        amount_uncovered as amount_uncovered_text,
        revenue as revenue_text,
        covered_encounters as covered_encounters_text,
        uncovered_encounters as uncovered_encounters_text,
        covered_medications as covered_medications_text,
        uncovered_medications as uncovered_medications_text,
        covered_procedures as covered_procedures_text,
        uncovered_procedures as uncovered_procedures_text,
        covered_immunizations as covered_immunizations_text,
        uncovered_immunizations as uncovered_immunizations_text,
        unique_customers as unique_customers_text,
        qols_avg as qols_avg_text,
        member_months as member_months_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={'id': 'payer_id'},
            integers={
                'covered_encounters': 'covered_encounter_count',
                'uncovered_encounters': 'uncovered_encounter_count',
                'covered_medications': 'covered_medication_count',
                'uncovered_medications': 'uncovered_medication_count',
                'covered_procedures': 'covered_procedure_count',
                'uncovered_procedures': 'uncovered_procedure_count',
                'covered_immunizations': 'covered_immunization_count',
                'uncovered_immunizations': 'uncovered_immunization_count',
                'unique_customers': 'customer_count',
                'member_months': 'member_month_count',
            },
            amounts={
                'amount_covered': 'covered_amount',
                'amount_uncovered': 'uncovered_amount',
                'revenue': 'revenue_amount',
            },
            averages={'qols_avg': 'average_qols'}
        ) }} as reject_reason
    from typed

)

select * from judged
