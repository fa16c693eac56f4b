with newest as (

    {{ biostar.newest_versions(ref('base_ehr__immunizations'), keep_occurrences=true) }}

)

select
    -- keys
    record_id as immunization_id,
    occurrence_number,
    patient_id,
    encounter_id,

    -- times
    administered_at,

    -- attributes
    vaccine_code,
    vaccine_description,

    -- amounts and counts
    base_cost_amount,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
