with newest as (

    {{ biostar.newest_versions(ref('base_ehr__procedures'), keep_occurrences=true) }}

)

select
    -- keys
    record_id as procedure_id,
    occurrence_number,
    patient_id,
    encounter_id,

    -- times
    started_at,
    stopped_at,

    -- attributes
    code_system,
    procedure_code,
    procedure_description,
    reason_code,
    reason_description,

    -- amounts and counts
    base_cost_amount,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
