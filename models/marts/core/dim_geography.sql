{{
    config(
        dist='all',
        sort=['geography_key']
    )
}}
-- dist: small, and joined from dimensions that lie on every node

with addresses as (

    select * from {{ ref('int_geography__addresses') }}

),

places as (

    select
        geography_key,
        max(state_code) as state_code,
        max(state_name) as state_name,
        -- patients' addresses are in mixed case, the others' in capitals: the former reads better
        coalesce(max(case when city <> upper(city) then city end), max(city)) as city,
        max(postal_code) as postal_code
    from addresses
    where geography_key <> -1
    group by geography_key

),

counted_counties as (

    select
        geography_key,
        county_name,
        count(*) as address_count
    from addresses
    where county_name is not null
    group by geography_key, county_name

),

ranked_counties as (

    select
        geography_key,
        county_name,
        row_number() over (
            partition by geography_key
            order by address_count desc, county_name asc
        ) as county_rank,
        count(*) over (partition by geography_key) as county_count
    from counted_counties

),

members as (

    select
        places.geography_key,
        case when places.state_code is not null then cast('US' as varchar(2)) end as country_code,
        places.state_code,
        places.state_name,
        ranked_counties.county_name,
        coalesce(ranked_counties.county_count, 0) as county_count,
        places.city,
        places.postal_code
    from places
    left join ranked_counties
        on
            places.geography_key = ranked_counties.geography_key
            and ranked_counties.county_rank = 1

    union all

    select
        cast(-1 as bigint) as geography_key,
        null as country_code,
        null as state_code,
        'Unknown' as state_name,
        'Unknown' as county_name,
        0 as county_count,
        'Unknown' as city,
        null as postal_code

    union all

    select
        cast(-2 as bigint) as geography_key,
        null as country_code,
        null as state_code,
        'Not applicable' as state_name,
        'Not applicable' as county_name,
        0 as county_count,
        'Not applicable' as city,
        null as postal_code

),

dim_geography as (

    select
        -- key
        cast(geography_key as bigint) as geography_key,

        -- attributes
        cast(country_code as varchar(2)) as country_code,
        cast(state_code as varchar(2)) as state_code,
        cast(state_name as varchar(64)) as state_name,
        cast(county_name as varchar(128)) as county_name,
        cast(county_count as integer) as county_count,
        cast(city as varchar(128)) as city,
        cast(postal_code as varchar(16)) as postal_code
    from members

)

select * from dim_geography
