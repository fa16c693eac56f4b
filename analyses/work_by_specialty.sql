-- Which specialties see how many patients, and what do their claims bring in?
with encounters as (

    select * from {{ ref('fct_encounter') }}

),

claims as (

    select * from {{ ref('fct_claim') }}

),

providers as (

    select * from {{ ref('dim_provider') }}

),

encounter_work as (

    select
        provider_key,
        count(*) as encounters
    from encounters
    group by provider_key

),

claim_work as (

    select
        provider_key,
        count(*) as claims,
        sum(paid_amount) as paid_amount
    from claims
    group by provider_key

)

select
    providers.specialty,
    count(*) as providers,
    sum(encounter_work.encounters) as encounters,
    sum(claim_work.claims) as claims,
    sum(claim_work.paid_amount) as paid_amount
from providers
inner join encounter_work
    on providers.provider_key = encounter_work.provider_key
left join claim_work
    on providers.provider_key = claim_work.provider_key
group by providers.specialty
order by
    encounters desc,
    providers.specialty asc
