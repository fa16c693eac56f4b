{{
    config(
        dist='all',
        sort=['provider_key']
    )
}}
-- dist: small, and joined from every fact

with providers as (

    select * from {{ ref('stg_ehr__providers') }}

),

addresses as (

    select * from {{ ref('int_geography__addresses') }}
    where member_type = 'provider'

),

member_references as (

    select * from {{ ref('stg_ehr__member_references') }}
    where member_type = 'provider'

),

delivered as (

    select
        {{ biostar.surrogate_key(['providers.provider_id']) }} as provider_key,
        {{ biostar.reference_key('providers.organization_id') }} as organization_key,
        addresses.geography_key,
        providers.provider_id,
        false as is_inferred,
        providers.provider_name,
        providers.gender_code,
        providers.specialty,
        providers.npi,
        providers.street_address,
        providers.city,
        providers.state_code,
        providers.postal_code,
        providers.latitude,
        providers.longitude,
        providers.encounter_count,
        providers.procedure_count,
        providers._load_id
    from providers
    inner join addresses
        on {{ biostar.surrogate_key(['providers.provider_id']) }} = addresses.member_key

),

-- whom facts refer to before they are delivered, and the two members that stand for nobody
inferred as (

    select
        {{ biostar.surrogate_key(['member_references.member_id']) }} as provider_key,
        cast(-1 as bigint) as organization_key,
        cast(-1 as bigint) as geography_key,
        member_references.member_id as provider_id,
        true as is_inferred,
        cast('Not delivered' as varchar(256)) as provider_name,
        member_references._load_id
    from member_references
    where
        not exists (
            select 1 from providers
            where providers.provider_id = member_references.member_id
        )

    union all

    select
        cast(-1 as bigint) as provider_key,
        cast(-1 as bigint) as organization_key,
        cast(-1 as bigint) as geography_key,
        null as provider_id,
        false as is_inferred,
        'Unknown' as provider_name,
        cast(0 as bigint) as _load_id

    union all

    select
        cast(-2 as bigint) as provider_key,
        cast(-2 as bigint) as organization_key,
        cast(-2 as bigint) as geography_key,
        null as provider_id,
        false as is_inferred,
        'Not applicable' as provider_name,
        cast(0 as bigint) as _load_id

),

members as (

    select * from delivered

    union all

    select
        provider_key,
        organization_key,
        geography_key,
        provider_id,
        is_inferred,
        provider_name,
        null as gender_code,
        null as specialty,
        null as npi,
        null as street_address,
        null as city,
        null as state_code,
        null as postal_code,
        null as latitude,
        null as longitude,
        null as encounter_count,
        null as procedure_count,
        _load_id
    from inferred

),

dim_provider as (

    select
        -- key
        cast(provider_key as bigint) as provider_key,

        -- foreign keys
        cast(organization_key as bigint) as organization_key,
        cast(geography_key as bigint) as geography_key,

        -- business key
        cast(provider_id as varchar(64)) as provider_id,

        -- attributes
        is_inferred,
        cast(provider_name as varchar(256)) as provider_name,
        cast(gender_code as varchar(16)) as gender_code,
        cast(specialty as varchar(128)) as specialty,
        cast(npi as varchar(16)) as npi,

        -- the address
        cast(street_address as varchar(256)) as street_address,
        cast(city as varchar(128)) as city,
        cast(state_code as varchar(32)) as state_code,
        cast(postal_code as varchar(16)) as postal_code,
        cast(latitude as numeric(9, 6)) as latitude,
        cast(longitude as numeric(9, 6)) as longitude,

        -- amounts and counts, as delivered
        cast(encounter_count as integer) as encounter_count,
        cast(procedure_count as integer) as procedure_count,

        -- load
        cast(_load_id as bigint) as _load_id
    from members

)

select * from dim_provider
