with newest as (

    {{ biostar.newest_versions(ref('base_ehr__medications'), keep_occurrences=true) }}

)

select
    -- keys
    record_id as medication_order_id,
    occurrence_number,
    patient_id,
    payer_id,
    encounter_id,

    -- times
    started_at,
    stopped_at,

    -- attributes
    medication_code,
    medication_description,
    reason_code,
    reason_description,

    -- amounts and counts
    base_cost_amount,
    payer_coverage_amount,
    dispense_count,
    total_cost_amount,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
