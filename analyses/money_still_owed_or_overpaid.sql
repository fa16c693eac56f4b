-- Where is money still owed, or paid above what was allowed, by payer?
with claims as (

    select * from {{ ref('fct_claim') }}

),

payers as (

    select * from {{ ref('dim_payer') }}

)

select
    payers.payer_name,
    count(*) as claims,
    sum(case when claims.outstanding_amount > 0 then 1 else 0 end) as owed_claims,
    sum(claims.outstanding_amount) as outstanding_amount,
    sum(case when claims.overpaid_amount > 0 then 1 else 0 end) as overpaid_claims,
    sum(claims.overpaid_amount) as overpaid_amount
from claims
inner join payers
    on claims.primary_payer_key = payers.payer_key
group by payers.payer_name
order by
    overpaid_amount desc,
    payers.payer_name asc
