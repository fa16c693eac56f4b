-- How many days pass from service to billing, to the first payment and to closing, by type of claim and payer?
with claims as (

    select * from {{ ref('fct_claim') }}

),

payers as (

    select * from {{ ref('dim_payer') }}

)

select
    claims.claim_type,
    payers.payer_name,
    count(*) as claims,
    sum(case when claims.claim_status = 'closed' then 1 else 0 end) as closed_claims,
    cast(avg(cast(claims.service_to_billed_days as numeric(18, 4))) as numeric(9, 2)) as days_to_billed,
    cast(avg(cast(claims.service_to_first_payment_days as numeric(18, 4))) as numeric(9, 2)) as days_to_first_payment,
    cast(avg(cast(claims.service_to_closed_days as numeric(18, 4))) as numeric(9, 2)) as days_to_closed
from claims
inner join payers
    on claims.primary_payer_key = payers.payer_key
group by
    claims.claim_type,
    payers.payer_name
order by
    claims.claim_type asc,
    days_to_closed desc,
    payers.payer_name asc
