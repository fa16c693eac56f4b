with newest as (

    {{ biostar.newest_versions(ref('base_ehr__payers')) }}

)

select
    -- keys
    payer_id,

    -- attributes
    payer_name,
    ownership_type,
    street_address,
    city,
    state_code,
    postal_code,
    phone_number,

    -- amounts and counts
    covered_amount,
    uncovered_amount,
    revenue_amount,
    covered_encounter_count,
    uncovered_encounter_count,
    covered_medication_count,
    uncovered_medication_count,
    covered_procedure_count,
    uncovered_procedure_count,
    covered_immunization_count,
    uncovered_immunization_count,
    customer_count,
    average_qols,
    member_month_count,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
