{{ config(severity='warn') }}
-- A warning, since the source and not the warehouse would be wrong: transfers that left a party and reached none, and
-- claims that state another balance than their ledger gives. Refused ledger lines show here as well.

with claims as (

    select * from {{ ref('fct_claim') }}

),

checked as (

    select
        case
            when claims.transferred_in_amount <> claims.transferred_out_amount then 'transfer with one side only'
            when not claims.is_inferred and claims.stated_outstanding_amount <> claims.outstanding_amount
                then 'stated balance differs from the ledger'
        end as difference,
        claims.transferred_in_amount - claims.transferred_out_amount as transfer_difference,
        claims.stated_outstanding_amount - claims.outstanding_amount as balance_difference
    from claims

)

select
    difference,
    count(*) as claim_count,
    sum(transfer_difference) as transfer_difference,
    sum(balance_difference) as balance_difference
from checked
where difference is not null
group by difference
