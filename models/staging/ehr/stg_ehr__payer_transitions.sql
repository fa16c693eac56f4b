with newest as (

    {{ biostar.newest_versions(ref('base_ehr__payer_transitions'), keep_occurrences=true) }}

)

select
    -- keys
    record_id as coverage_id,
    occurrence_number,
    patient_id,
    member_id,
    payer_id,
    secondary_payer_id,

    -- times
    coverage_start_at,
    coverage_end_at,

    -- attributes
    plan_ownership,
    plan_owner_name,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
