with newest as (

    {{ biostar.newest_versions(ref('base_ehr__careplans')) }}

)

select
    -- keys
    careplan_id,
    patient_id,
    encounter_id,

    -- times
    started_date,
    stopped_date,

    -- attributes
    careplan_code,
    careplan_description,
    reason_code,
    reason_description,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
