with newest as (

    {{ biostar.newest_versions(ref('base_ehr__devices'), keep_occurrences=true) }}

)

select
    -- keys
    record_id as device_use_id,
    occurrence_number,
    patient_id,
    encounter_id,

    -- times
    started_at,
    stopped_at,

    -- attributes
    device_code,
    device_description,
    device_udi,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
