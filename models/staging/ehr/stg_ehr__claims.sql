with newest as (

    {{ biostar.newest_versions(ref('base_ehr__claims')) }}

)

select
    -- keys
    claim_id,
    patient_id,
    provider_id,
    primary_payer_id,
    secondary_payer_id,
    referring_provider_id,
    encounter_id,
    supervising_provider_id,

    -- times
    current_illness_at,
    service_at,
    primary_last_billed_at,
    secondary_last_billed_at,
    patient_last_billed_at,

    -- attributes
    department_id,
    patient_department_id,
    diagnosis_1_code,
    diagnosis_2_code,
    diagnosis_3_code,
    diagnosis_4_code,
    diagnosis_5_code,
    diagnosis_6_code,
    diagnosis_7_code,
    diagnosis_8_code,
    primary_status,
    secondary_status,
    patient_status,
    primary_claim_type_id,
    secondary_claim_type_id,

    -- amounts and counts
    primary_outstanding_amount,
    secondary_outstanding_amount,
    patient_outstanding_amount,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
