with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'patients'),
        biostar.clean_text('id')
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'id', 'birthdate', 'deathdate', 'ssn', 'drivers', 'passport', 'prefix', 'first', 'middle',
            'last', 'suffix', 'maiden', 'marital', 'race', 'ethnicity', 'gender', 'birthplace', 'address',
            'city', 'state', 'county', 'fips', 'zip', 'lat', 'lon', 'healthcare_expenses',
            'healthcare_coverage', 'income'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('id') }} as patient_id,

        -- times
        {{ biostar.safe_date('birthdate') }} as birth_date,
        {{ biostar.safe_date('deathdate') }} as death_date,

        -- attributes
        {{ biostar.clean_text('ssn') }} as social_security_number,
        {{ biostar.clean_text('drivers') }} as drivers_license_number,
        {{ biostar.clean_text('passport') }} as passport_number,
        {{ biostar.clean_text('prefix') }} as name_prefix,
        {{ biostar.clean_text('first') }} as first_name,
        {{ biostar.clean_text('middle') }} as middle_name,
        {{ biostar.clean_text('last') }} as last_name,
        {{ biostar.clean_text('suffix') }} as name_suffix,
        {{ biostar.clean_text('maiden') }} as maiden_name,
        {{ biostar.clean_text('marital') }} as marital_status_code,
        {{ biostar.clean_text('race') }} as race,
        {{ biostar.clean_text('ethnicity') }} as ethnicity,
        {{ biostar.clean_text('gender') }} as gender_code,
        {{ biostar.clean_text('birthplace') }} as birthplace,
        {{ biostar.clean_text('address') }} as street_address,
        {{ biostar.clean_text('city') }} as city,
        {{ biostar.clean_text('state') }} as state_name,
        {{ biostar.clean_text('county') }} as county_name,
        {{ biostar.clean_text('fips') }} as county_fips_code,
        {{ biostar.clean_text('zip') }} as postal_code,
        {{ biostar.safe_numeric('lat', 9, 6) }} as latitude,
        {{ biostar.safe_numeric('lon', 9, 6) }} as longitude,

        -- amounts and counts
        {{ biostar.safe_numeric('healthcare_expenses', 18, 2) }} as healthcare_expenses_amount,
        {{ biostar.safe_numeric('healthcare_coverage', 18, 2) }} as healthcare_coverage_amount,
        {{ biostar.safe_numeric('income', 18, 2) }} as income_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,

        -- what was parsed, as delivered
        birthdate as birthdate_text,
        deathdate as deathdate_text,
        lat as lat_text,
        lon as lon_text,
        healthcare_expenses as healthcare_expenses_text,
        healthcare_coverage as healthcare_coverage_text,
        income as income_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={'id': 'patient_id', 'birthdate': 'birth_date'},
            dates={'birthdate': 'birth_date', 'deathdate': 'death_date'},
            amounts={
                'healthcare_expenses': 'healthcare_expenses_amount',
                'healthcare_coverage': 'healthcare_coverage_amount',
                'income': 'income_amount',
            },
            coordinates={'lat': 'latitude', 'lon': 'longitude'},
            periods=[('birth_date', 'death_date')]
        ) }} as reject_reason
    from typed

)

select * from judged
