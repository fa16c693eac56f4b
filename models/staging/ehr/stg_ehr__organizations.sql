with newest as (

    {{ biostar.newest_versions(ref('base_ehr__organizations')) }}

)

select
    -- keys
    organization_id,

    -- attributes
    organization_name,
    street_address,
    city,
    state_code,
    postal_code,
    latitude,
    longitude,
    phone_number,
    npi,

    -- amounts and counts
    revenue_amount,
    encounter_count,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
