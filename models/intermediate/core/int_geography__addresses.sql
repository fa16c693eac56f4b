with patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

providers as (

    select * from {{ ref('stg_ehr__providers') }}

),

organizations as (

    select * from {{ ref('stg_ehr__organizations') }}

),

payers as (

    select * from {{ ref('stg_ehr__payers') }}

),

us_states as (

    select * from {{ ref('us_states') }}

),

delivered as (

    select
        cast('patient' as varchar(16)) as member_type,
        patient_version_key as member_key,
        city,
        county_name,
        state_name as delivered_state,
        postal_code as delivered_postal_code
    from patient_versions

    union all

    select
        cast('provider' as varchar(16)) as member_type,
        {{ biostar.surrogate_key(['provider_id']) }} as member_key,
        city,
        cast(null as varchar(128)) as county_name,
        state_code as delivered_state,
        postal_code as delivered_postal_code
    from providers

    union all

    select
        cast('organization' as varchar(16)) as member_type,
        {{ biostar.surrogate_key(['organization_id']) }} as member_key,
        city,
        cast(null as varchar(128)) as county_name,
        state_code as delivered_state,
        postal_code as delivered_postal_code
    from organizations

    union all

    select
        cast('payer' as varchar(16)) as member_type,
        {{ biostar.surrogate_key(['payer_id']) }} as member_key,
        city,
        cast(null as varchar(128)) as county_name,
        state_code as delivered_state,
        postal_code as delivered_postal_code
    from payers

),

-- patients have the name of their state, the others its abbreviation; what is neither stays as delivered
conformed as (

    select
        delivered.member_type,
        delivered.member_key,
        delivered.city,
        delivered.county_name,
        coalesce(by_name.state_code, by_code.state_code) as state_code,
        coalesce(by_name.state_name, by_code.state_name, upper(delivered.delivered_state)) as state_name,
        {{ biostar.us_postal_code('delivered.delivered_postal_code') }} as postal_code
    from delivered
    left join us_states as by_name
        on upper(delivered.delivered_state) = upper(by_name.state_name)
    left join us_states as by_code
        on upper(delivered.delivered_state) = by_code.state_code

),

addresses as (

    select
        member_type,
        member_key,
        {{ biostar.geography_key('state_name', 'city', 'postal_code') }} as geography_key,
        state_code,
        state_name,
        county_name,
        city,
        postal_code
    from conformed

)

select * from addresses
