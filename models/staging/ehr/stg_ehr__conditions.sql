with newest as (

    {{ biostar.newest_versions(ref('base_ehr__conditions'), keep_occurrences=true) }}

)

select
    -- keys
    record_id as condition_id,
    occurrence_number,
    patient_id,
    encounter_id,

    -- times
    onset_date,
    abatement_date,

    -- attributes
    code_system,
    condition_code,
    condition_description,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
