with newest as (

    {{ biostar.newest_versions(ref('base_ehr__encounters')) }}

)

select
    -- keys
    encounter_id,
    patient_id,
    organization_id,
    provider_id,
    payer_id,

    -- times
    started_at,
    stopped_at,

    -- attributes
    encounter_class,
    encounter_code,
    encounter_description,
    reason_code,
    reason_description,

    -- amounts and counts
    base_cost_amount,
    total_claim_amount,
    payer_coverage_amount,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
