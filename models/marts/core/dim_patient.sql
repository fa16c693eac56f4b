{{
    config(
        dist='patient_key',
        sort=['patient_key', 'valid_from']
    )
}}
-- dist: a person's versions lie beside the person's facts; sort: one person's history is one block

with versions as (

    select * from {{ ref('int_patients__versions') }}

),

addresses as (

    select * from {{ ref('int_geography__addresses') }}
    where member_type = 'patient'

),

member_references as (

    select * from {{ ref('stg_ehr__member_references') }}
    where member_type = 'patient'

),

delivered as (

    select
        versions.patient_version_key,
        versions.patient_key,
        addresses.geography_key,
        versions.patient_id,
        versions.version_number,
        versions.valid_from,
        versions.valid_to,
        versions.is_current,
        false as is_inferred,
        versions.birth_date,
        versions.death_date,
        versions.death_date is not null as is_deceased,
        versions.gender_code,
        versions.race,
        versions.ethnicity,
        versions.marital_status_code,
        versions.name_prefix,
        versions.first_name,
        versions.middle_name,
        versions.last_name,
        versions.name_suffix,
        versions.maiden_name,
        versions.birthplace,
        versions.street_address,
        versions.city,
        versions.county_name,
        versions.county_fips_code,
        versions.state_name,
        versions.postal_code,
        versions.latitude,
        versions.longitude,
        versions.social_security_number,
        versions.drivers_license_number,
        versions.passport_number,
        versions.healthcare_expenses_amount,
        versions.healthcare_coverage_amount,
        versions.income_amount,
        versions._load_id
    from versions
    inner join addresses
        on versions.patient_version_key = addresses.member_key

),

-- whom facts refer to before they are delivered, and the two members that stand for nobody
inferred as (

    select
        {{ biostar.first_patient_version_key('member_references.member_id') }} as patient_version_key,
        {{ biostar.surrogate_key(['member_references.member_id']) }} as patient_key,
        member_references.member_id as patient_id,
        true as is_inferred,
        member_references._load_id
    from member_references
    where
        not exists (
            select 1 from versions
            where versions.patient_id = member_references.member_id
        )

    union all

    select
        cast(-1 as bigint) as patient_version_key,
        cast(-1 as bigint) as patient_key,
        null as patient_id,
        false as is_inferred,
        cast(0 as bigint) as _load_id

    union all

    select
        cast(-2 as bigint) as patient_version_key,
        cast(-2 as bigint) as patient_key,
        null as patient_id,
        false as is_inferred,
        cast(0 as bigint) as _load_id

),

members as (

    select * from delivered

    union all

    select
        patient_version_key,
        patient_key,
        -1 as geography_key,
        patient_id,
        1 as version_number,
        cast('1900-01-01' as date) as valid_from,
        cast('9999-12-31' as date) as valid_to,
        true as is_current,
        is_inferred,
        null as birth_date,
        null as death_date,
        null as is_deceased,
        null as gender_code,
        null as race,
        null as ethnicity,
        null as marital_status_code,
        null as name_prefix,
        null as first_name,
        null as middle_name,
        null as last_name,
        null as name_suffix,
        null as maiden_name,
        null as birthplace,
        null as street_address,
        null as city,
        null as county_name,
        null as county_fips_code,
        null as state_name,
        null as postal_code,
        null as latitude,
        null as longitude,
        null as social_security_number,
        null as drivers_license_number,
        null as passport_number,
        null as healthcare_expenses_amount,
        null as healthcare_coverage_amount,
        null as income_amount,
        _load_id
    from inferred

),

dim_patient as (

    select
        -- key
        cast(patient_version_key as bigint) as patient_version_key,

        -- entity and foreign keys
        cast(patient_key as bigint) as patient_key,
        cast(geography_key as bigint) as geography_key,

        -- business key
        cast(patient_id as varchar(64)) as patient_id,

        -- validity
        cast(version_number as integer) as version_number,
        cast(valid_from as date) as valid_from,
        cast(valid_to as date) as valid_to,
        is_current,
        is_inferred,

        -- the person
        cast(birth_date as date) as birth_date,
        cast(death_date as date) as death_date,
        is_deceased,
        cast(gender_code as varchar(16)) as gender_code,
        cast(race as varchar(32)) as race,
        cast(ethnicity as varchar(32)) as ethnicity,
        cast(marital_status_code as varchar(16)) as marital_status_code,
        cast(name_prefix as varchar(32)) as name_prefix,
        cast(first_name as varchar(128)) as first_name,
        cast(middle_name as varchar(128)) as middle_name,
        cast(last_name as varchar(128)) as last_name,
        cast(name_suffix as varchar(32)) as name_suffix,
        cast(maiden_name as varchar(128)) as maiden_name,
        cast(birthplace as varchar(256)) as birthplace,

        -- the address
        cast(street_address as varchar(256)) as street_address,
        cast(city as varchar(128)) as city,
        cast(county_name as varchar(128)) as county_name,
        cast(county_fips_code as varchar(16)) as county_fips_code,
        cast(state_name as varchar(64)) as state_name,
        cast(postal_code as varchar(16)) as postal_code,
        cast(latitude as numeric(9, 6)) as latitude,
        cast(longitude as numeric(9, 6)) as longitude,

        -- identifiers
        cast(social_security_number as varchar(16)) as social_security_number,
        cast(drivers_license_number as varchar(32)) as drivers_license_number,
        cast(passport_number as varchar(32)) as passport_number,

        -- amounts over life
        cast(healthcare_expenses_amount as numeric(18, 2)) as healthcare_expenses_amount,
        cast(healthcare_coverage_amount as numeric(18, 2)) as healthcare_coverage_amount,
        cast(income_amount as numeric(18, 2)) as income_amount,

        -- load
        cast(_load_id as bigint) as _load_id
    from members

)

select * from dim_patient
