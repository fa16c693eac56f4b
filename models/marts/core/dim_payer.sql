{{
    config(
        dist='all',
        sort=['payer_key']
    )
}}
-- dist: small, and joined from every fact

with payers as (

    select * from {{ ref('stg_ehr__payers') }}

),

addresses as (

    select * from {{ ref('int_geography__addresses') }}
    where member_type = 'payer'

),

member_references as (

    select * from {{ ref('stg_ehr__member_references') }}
    where member_type = 'payer'

),

delivered as (

    select
        {{ biostar.surrogate_key(['payers.payer_id']) }} as payer_key,
        addresses.geography_key,
        payers.payer_id,
        false as is_inferred,
        payers.payer_name,
        payers.ownership_type,
        payers.phone_number,
        payers.street_address,
        payers.city,
        payers.state_code,
        payers.postal_code,
        payers.covered_amount,
        payers.uncovered_amount,
        payers.revenue_amount,
        payers.covered_encounter_count,
        payers.uncovered_encounter_count,
        payers.covered_medication_count,
        payers.uncovered_medication_count,
        payers.covered_procedure_count,
        payers.uncovered_procedure_count,
        payers.covered_immunization_count,
        payers.uncovered_immunization_count,
        payers.customer_count,
        payers.average_qols,
        payers.member_month_count,
        payers._load_id
    from payers
    inner join addresses
        on {{ biostar.surrogate_key(['payers.payer_id']) }} = addresses.member_key

),

-- whom facts refer to before they are delivered, and the two members that stand for nobody
inferred as (

    select
        {{ biostar.surrogate_key(['member_references.member_id']) }} as payer_key,
        cast(-1 as bigint) as geography_key,
        member_references.member_id as payer_id,
        true as is_inferred,
        cast('Not delivered' as varchar(256)) as payer_name,
        member_references._load_id
    from member_references
    where
        not exists (
            select 1 from payers
            where payers.payer_id = member_references.member_id
        )

    union all

    select
        cast(-1 as bigint) as payer_key,
        cast(-1 as bigint) as geography_key,
        null as payer_id,
        false as is_inferred,
        'Unknown' as payer_name,
        cast(0 as bigint) as _load_id

    union all

    select
        cast(-2 as bigint) as payer_key,
        cast(-2 as bigint) as geography_key,
        null as payer_id,
        false as is_inferred,
        'Not applicable' as payer_name,
        cast(0 as bigint) as _load_id

),

members as (

    select * from delivered

    union all

    select
        payer_key,
        geography_key,
        payer_id,
        is_inferred,
        payer_name,
        null as ownership_type,
        null as phone_number,
        null as street_address,
        null as city,
        null as state_code,
        null as postal_code,
        null as covered_amount,
        null as uncovered_amount,
        null as revenue_amount,
        null as covered_encounter_count,
        null as uncovered_encounter_count,
        null as covered_medication_count,
        null as uncovered_medication_count,
        null as covered_procedure_count,
        null as uncovered_procedure_count,
        null as covered_immunization_count,
        null as uncovered_immunization_count,
        null as customer_count,
        null as average_qols,
        null as member_month_count,
        _load_id
    from inferred

),

dim_payer as (

    select
        -- key
        cast(payer_key as bigint) as payer_key,

        -- foreign keys
        cast(geography_key as bigint) as geography_key,

        -- business key
        cast(payer_id as varchar(64)) as payer_id,

        -- attributes
        is_inferred,
        cast(payer_name as varchar(256)) as payer_name,
        cast(ownership_type as varchar(32)) as ownership_type,
        cast(phone_number as varchar(64)) as phone_number,

        -- the address
        cast(street_address as varchar(256)) as street_address,
        cast(city as varchar(128)) as city,
        cast(state_code as varchar(32)) as state_code,
        cast(postal_code as varchar(16)) as postal_code,

        -- amounts and counts, as delivered
        cast(covered_amount as numeric(18, 2)) as covered_amount,
        cast(uncovered_amount as numeric(18, 2)) as uncovered_amount,
        cast(revenue_amount as numeric(18, 2)) as revenue_amount,
        cast(covered_encounter_count as integer) as covered_encounter_count,
        cast(uncovered_encounter_count as integer) as uncovered_encounter_count,
        cast(covered_medication_count as integer) as covered_medication_count,
        cast(uncovered_medication_count as integer) as uncovered_medication_count,
        cast(covered_procedure_count as integer) as covered_procedure_count,
        cast(uncovered_procedure_count as integer) as uncovered_procedure_count,
        cast(covered_immunization_count as integer) as covered_immunization_count,
        cast(uncovered_immunization_count as integer) as uncovered_immunization_count,
        cast(customer_count as integer) as customer_count,
        cast(average_qols as numeric(9, 6)) as average_qols,
        cast(member_month_count as integer) as member_month_count,

        -- load
        cast(_load_id as bigint) as _load_id
    from members

)

select * from dim_payer
