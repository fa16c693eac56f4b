with source as (

    select * from {{ source('raw_ehr', 'patients') }}

),

typed as (

    select
        -- identity
        {{ clean_text('id') }} as record_id,
        {{ record_hash([
            'id', 'birthdate', 'deathdate', 'ssn', 'drivers', 'passport', 'prefix', 'first', 'middle',
            'last', 'suffix', 'maiden', 'marital', 'race', 'ethnicity', 'gender', 'birthplace', 'address',
            'city', 'state', 'county', 'fips', 'zip', 'lat', 'lon', 'healthcare_expenses',
            'healthcare_coverage', 'income'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('id') }} as patient_id,

        -- times
        {{ safe_date('birthdate') }} as birth_date,
        {{ safe_date('deathdate') }} as death_date,

        -- attributes
        {{ clean_text('ssn') }} as social_security_number,
        {{ clean_text('drivers') }} as drivers_license_number,
        {{ clean_text('passport') }} as passport_number,
        {{ clean_text('prefix') }} as name_prefix,
        {{ clean_text('first') }} as first_name,
        {{ clean_text('middle') }} as middle_name,
        {{ clean_text('last') }} as last_name,
        {{ clean_text('suffix') }} as name_suffix,
        {{ clean_text('maiden') }} as maiden_name,
        {{ clean_text('marital') }} as marital_status_code,
        {{ clean_text('race') }} as race,
        {{ clean_text('ethnicity') }} as ethnicity,
        {{ clean_text('gender') }} as gender_code,
        {{ clean_text('birthplace') }} as birthplace,
        {{ clean_text('address') }} as street_address,
        {{ clean_text('city') }} as city,
        {{ clean_text('state') }} as state_name,
        {{ clean_text('county') }} as county_name,
        {{ clean_text('fips') }} as county_fips_code,
        {{ clean_text('zip') }} as postal_code,
        {{ safe_numeric('lat', 9, 6) }} as latitude,
        {{ safe_numeric('lon', 9, 6) }} as longitude,

        -- amounts and counts
        {{ safe_numeric('healthcare_expenses', 18, 2) }} as healthcare_expenses_amount,
        {{ safe_numeric('healthcare_coverage', 18, 2) }} as healthcare_coverage_amount,
        {{ safe_numeric('income', 18, 2) }} as income_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['id', 'birthdate'],
            dates=['birthdate', 'deathdate'],
            amounts=['healthcare_expenses', 'healthcare_coverage', 'income'],
            coordinates=['lat', 'lon']
        ) }} as reject_reason
    from source

)

select * from typed
