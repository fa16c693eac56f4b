with newest as (

    {{ biostar.newest_versions(ref('base_ehr__supplies'), keep_occurrences=true) }}

)

select
    -- keys
    record_id as supply_id,
    occurrence_number,
    patient_id,
    encounter_id,

    -- times
    supplied_at,

    -- attributes
    supply_code,
    supply_description,

    -- amounts and counts
    supply_quantity,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
