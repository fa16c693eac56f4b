with newest as (

    {{ biostar.newest_versions(ref('base_ehr__imaging_studies'), keep_occurrences=true) }}

)

select
    -- keys
    record_id as imaging_instance_id,
    occurrence_number,
    imaging_study_id,
    patient_id,
    encounter_id,

    -- times
    studied_at,

    -- attributes
    series_uid,
    body_site_code,
    body_site_description,
    modality_code,
    modality_description,
    instance_uid,
    sop_code,
    sop_description,
    procedure_code,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
