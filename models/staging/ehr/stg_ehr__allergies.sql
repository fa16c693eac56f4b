with newest as (

    {{ biostar.newest_versions(ref('base_ehr__allergies'), keep_occurrences=true) }}

)

select
    -- keys
    record_id as allergy_id,
    occurrence_number,
    patient_id,
    encounter_id,

    -- times
    recorded_date,
    resolved_date,

    -- attributes
    allergen_code,
    code_system,
    allergen_description,
    allergy_type,
    allergy_category,
    reaction_1_code,
    reaction_1_description,
    reaction_1_severity,
    reaction_2_code,
    reaction_2_description,
    reaction_2_severity,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
