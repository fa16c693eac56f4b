{{
    config(
        dist='all',
        sort=['organization_key']
    )
}}
-- dist: small, and joined from every fact

with organizations as (

    select * from {{ ref('stg_ehr__organizations') }}

),

addresses as (

    select * from {{ ref('int_geography__addresses') }}
    where member_type = 'organization'

),

member_references as (

    select * from {{ ref('stg_ehr__member_references') }}
    where member_type = 'organization'

),

delivered as (

    select
        {{ biostar.surrogate_key(['organizations.organization_id']) }} as organization_key,
        addresses.geography_key,
        organizations.organization_id,
        false as is_inferred,
        organizations.organization_name,
        organizations.npi,
        organizations.phone_number,
        organizations.street_address,
        organizations.city,
        organizations.state_code,
        organizations.postal_code,
        organizations.latitude,
        organizations.longitude,
        organizations.revenue_amount,
        organizations.encounter_count,
        organizations._load_id
    from organizations
    inner join addresses
        on {{ biostar.surrogate_key(['organizations.organization_id']) }} = addresses.member_key

),

-- whom facts refer to before they are delivered, and the two members that stand for nobody
inferred as (

    select
        {{ biostar.surrogate_key(['member_references.member_id']) }} as organization_key,
        cast(-1 as bigint) as geography_key,
        member_references.member_id as organization_id,
        true as is_inferred,
        cast('Not delivered' as varchar(256)) as organization_name,
        member_references._load_id
    from member_references
    where
        not exists (
            select 1 from organizations
            where organizations.organization_id = member_references.member_id
        )

    union all

    select
        cast(-1 as bigint) as organization_key,
        cast(-1 as bigint) as geography_key,
        null as organization_id,
        false as is_inferred,
        'Unknown' as organization_name,
        cast(0 as bigint) as _load_id

    union all

    select
        cast(-2 as bigint) as organization_key,
        cast(-2 as bigint) as geography_key,
        null as organization_id,
        false as is_inferred,
        'Not applicable' as organization_name,
        cast(0 as bigint) as _load_id

),

members as (

    select * from delivered

    union all

    select
        organization_key,
        geography_key,
        organization_id,
        is_inferred,
        organization_name,
        null as npi,
        null as phone_number,
        null as street_address,
        null as city,
        null as state_code,
        null as postal_code,
        null as latitude,
        null as longitude,
        null as revenue_amount,
        null as encounter_count,
        _load_id
    from inferred

),

dim_organization as (

    select
        -- key
        cast(organization_key as bigint) as organization_key,

        -- foreign keys
        cast(geography_key as bigint) as geography_key,

        -- business key
        cast(organization_id as varchar(64)) as organization_id,

        -- attributes
        is_inferred,
        cast(organization_name as varchar(256)) as organization_name,
        cast(npi as varchar(16)) as npi,
        cast(phone_number as varchar(64)) as phone_number,

        -- the address
        cast(street_address as varchar(256)) as street_address,
        cast(city as varchar(128)) as city,
        cast(state_code as varchar(32)) as state_code,
        cast(postal_code as varchar(16)) as postal_code,
        cast(latitude as numeric(9, 6)) as latitude,
        cast(longitude as numeric(9, 6)) as longitude,

        -- amounts and counts, as delivered
        cast(revenue_amount as numeric(18, 2)) as revenue_amount,
        cast(encounter_count as integer) as encounter_count,

        -- load
        cast(_load_id as bigint) as _load_id
    from members

)

select * from dim_organization
