{{
    config(
        materialized='table',
        dist='patient_key',
        sort=['patient_key', 'valid_from']
    )
}}
-- dist, sort: every fact looks its version up here by patient and date

-- A change of these begins a version.
{%- set tracked = [
    'last_name', 'marital_status_code', 'street_address', 'city', 'county_name', 'state_name', 'postal_code'
] %}
-- These belong to the address, but begin no version: they are derived from it, and a newer exporter adds some.
{%- set following = ['county_fips_code', 'latitude', 'longitude'] %}
-- These are corrected, or run up over life: the newest delivery is right for all versions.
{%- set corrected = [
    'birth_date', 'death_date', 'social_security_number', 'drivers_license_number', 'passport_number',
    'name_prefix', 'first_name', 'middle_name', 'name_suffix', 'maiden_name', 'race', 'ethnicity', 'gender_code',
    'birthplace', 'healthcare_expenses_amount', 'healthcare_coverage_amount', 'income_amount'
] %}

with deliveries as (

    select * from {{ ref('base_ehr__patients') }}

),

ranked as (

    select
        patient_id,
        {%- for column in tracked + following + corrected %}
        {{ column }},
        {%- endfor %}
        {{ biostar.record_hash(tracked) }} as tracked_hash,
        _load_id,
        _ingest_date,
        row_number() over (
            partition by patient_id, _ingest_date
            order by _load_id desc, row_hash asc
        ) as day_rank
    from deliveries
    where reject_reason is null

),

-- what was known of each patient at the end of each day with a delivery
days as (

    select
        ranked.*,
        case
            when
                lag(tracked_hash) over (partition by patient_id order by _ingest_date) = tracked_hash
                then 0
            else 1
        end as begins_version,
        row_number() over (partition by patient_id order by _ingest_date desc) as recency
    from ranked
    where day_rank = 1

),

numbered as (

    select
        days.*,
        sum(begins_version) over (
            partition by patient_id
            order by _ingest_date
            rows between unbounded preceding and current row
        ) as version_number
    from days

),

newest_of_version as (

    select
        numbered.*,
        min(_ingest_date) over (partition by patient_id, version_number) as first_ingest_date,
        row_number() over (
            partition by patient_id, version_number
            order by _ingest_date desc
        ) as version_recency
    from numbered

),

versions as (

    select
        newest_of_version.*,
        case
            when version_number = 1 then cast('1900-01-01' as date)
            else first_ingest_date
        end as valid_from,
        coalesce(
            lead(first_ingest_date) over (partition by patient_id order by version_number),
            cast('9999-12-31' as date)
        ) as valid_to
    from newest_of_version
    where version_recency = 1

),

newest_of_patient as (

    select * from days
    where recency = 1

),

keyed as (

    select
        -- keys
        {{ biostar.surrogate_key(['versions.patient_id', 'cast(versions.valid_from as varchar(10))']) }}
            as patient_version_key,
        {{ biostar.surrogate_key(['versions.patient_id']) }} as patient_key,
        versions.patient_id,

        -- validity
        cast(versions.version_number as integer) as version_number,
        versions.valid_from,
        versions.valid_to,
        versions.recency = 1 as is_current,

        -- attributes of the version
        {%- for column in tracked + following %}
        versions.{{ column }},
        {%- endfor %}

        -- attributes of the patient
        {%- for column in corrected %}
        newest_of_patient.{{ column }},
        {%- endfor %}

        -- load
        versions._load_id,
        versions._ingest_date
    from versions
    inner join newest_of_patient
        on versions.patient_id = newest_of_patient.patient_id

)

select * from keyed
