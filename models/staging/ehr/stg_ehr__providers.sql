with newest as (

    {{ biostar.newest_versions(ref('base_ehr__providers')) }}

)

select
    -- keys
    provider_id,
    organization_id,

    -- attributes
    provider_name,
    gender_code,
    specialty,
    street_address,
    city,
    state_code,
    postal_code,
    latitude,
    longitude,
    npi,

    -- amounts and counts
    encounter_count,
    procedure_count,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
