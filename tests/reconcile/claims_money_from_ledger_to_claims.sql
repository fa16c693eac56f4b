-- Without this an accumulating claim could keep old totals when its ledger grows, and the split of its money by party
-- could leave a part out. Claim by claim; the result names no claim, only how many differ and by how much.

with ledger as (

    select
        claim_id,
        count(*) as line_count,
        sum(charge_amount) as charged,
        sum(adjustment_amount) as adjusted,
        sum(payment_amount) as paid,
        sum(case when paid_by = 'payer' then payment_amount else 0 end) as payer_paid,
        sum(transfer_in_amount) as transferred_in,
        sum(transfer_out_amount) as transferred_out
    from {{ ref('fct_claim_transaction') }}
    group by claim_id

),

claims as (

    select * from {{ ref('fct_claim') }}

),

compared as (

    select
        case
            when claims.claim_id is null then 'ledger without a claim'
            when
                ledger.claim_id is null
                and (claims.line_count <> 0 or claims.charged_amount <> 0 or claims.paid_amount <> 0)
                then 'totals without a ledger'
            when claims.line_count <> coalesce(ledger.line_count, 0) then 'number of lines'
            when claims.charged_amount <> coalesce(ledger.charged, 0) then 'charged'
            when claims.adjusted_amount <> coalesce(ledger.adjusted, 0) then 'adjusted'
            when claims.paid_amount <> coalesce(ledger.paid, 0) then 'paid'
            when claims.payer_paid_amount <> coalesce(ledger.payer_paid, 0) then 'paid by payers'
            when claims.transferred_in_amount <> coalesce(ledger.transferred_in, 0) then 'transferred in'
            when claims.transferred_out_amount <> coalesce(ledger.transferred_out, 0) then 'transferred out'
            when claims.payer_paid_amount <> claims.primary_payer_paid_amount + claims.secondary_payer_paid_amount
                then 'payers by position'
            when
                claims.paid_amount
                <> claims.payer_paid_amount + claims.patient_paid_amount + claims.unattributed_paid_amount
                then 'paid by party'
            when
                claims.charged_amount - claims.adjusted_amount - claims.paid_amount
                <> claims.outstanding_amount - claims.overpaid_amount
                then 'balance'
        end as difference,
        coalesce(ledger.charged, 0) + coalesce(ledger.paid, 0) as ledger_amount,
        coalesce(claims.charged_amount, 0) + coalesce(claims.paid_amount, 0) as claim_amount
    from claims
    full outer join ledger
        on claims.claim_id = ledger.claim_id

)

select
    difference,
    count(*) as claim_count,
    sum(ledger_amount - claim_amount) as amount_difference
from compared
where difference is not null
group by difference
