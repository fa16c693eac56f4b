with newest as (

    {{ biostar.newest_versions(ref('base_ehr__patients')) }}

)

select
    -- keys
    patient_id,

    -- times
    birth_date,
    death_date,

    -- attributes
    social_security_number,
    drivers_license_number,
    passport_number,
    name_prefix,
    first_name,
    middle_name,
    last_name,
    name_suffix,
    maiden_name,
    marital_status_code,
    race,
    ethnicity,
    gender_code,
    birthplace,
    street_address,
    city,
    state_name,
    county_name,
    county_fips_code,
    postal_code,
    latitude,
    longitude,

    -- amounts and counts
    healthcare_expenses_amount,
    healthcare_coverage_amount,
    income_amount,

    -- load
    _load_id,
    _ingest_date,
    _loaded_at
from newest
