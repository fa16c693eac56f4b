with newest as (

    {{ biostar.newest_versions(ref('base_ehr__claims_transactions')) }}

)

select
    -- keys
    claim_transaction_id,
    claim_id,
    patient_id,
    organization_id,
    encounter_id,
    patient_insurance_id,
    provider_id,
    supervising_provider_id,

    -- times
    from_at,
    to_at,

    -- attributes
    charge_id,
    transaction_type,
    payment_method,
    procedure_code,
    modifier_1,
    modifier_2,
    department_id,
    notes,
    transfer_out_id,
    transfer_type,
    line_note,
    fee_schedule_id,

    -- amounts and counts
    transaction_amount,
    diagnosis_ref_1,
    diagnosis_ref_2,
    diagnosis_ref_3,
    diagnosis_ref_4,
    unit_count,
    unit_amount,
    payment_amount,
    adjustment_amount,
    transfer_amount,
    outstanding_amount,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
