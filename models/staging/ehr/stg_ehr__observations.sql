with newest as (

    {{ biostar.newest_versions(ref('base_ehr__observations'), keep_occurrences=true) }}

)

select
    -- keys
    record_id as observation_id,
    occurrence_number,
    patient_id,
    encounter_id,

    -- times
    observed_at,

    -- attributes
    observation_category,
    observation_code,
    observation_description,
    observation_value,
    observation_unit,
    value_type,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
