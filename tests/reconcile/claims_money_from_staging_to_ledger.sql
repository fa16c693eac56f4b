-- Without this an amount could be lost, or counted twice, where the source's columns become one amount per kind of
-- line. Sums per load, from the source's own columns.

with staged as (

    select
        _load_id,
        sum(case when upper(transaction_type) = 'CHARGE' then transaction_amount else 0 end) as charged,
        sum(coalesce(payment_amount, 0)) as paid,
        sum(coalesce(adjustment_amount, 0)) as adjusted,
        sum(case when upper(transaction_type) = 'TRANSFERIN' then transfer_amount else 0 end) as transferred_in,
        sum(case when upper(transaction_type) = 'TRANSFEROUT' then transfer_amount else 0 end) as transferred_out
    from {{ ref('stg_ehr__claims_transactions') }}
    group by _load_id

),

ledger as (

    select
        _load_id,
        sum(charge_amount) as charged,
        sum(payment_amount) as paid,
        sum(adjustment_amount) as adjusted,
        sum(transfer_in_amount) as transferred_in,
        sum(transfer_out_amount) as transferred_out
    from {{ ref('fct_claim_transaction') }}
    group by _load_id

)

select
    coalesce(staged._load_id, ledger._load_id) as _load_id,
    coalesce(staged.charged, 0) - coalesce(ledger.charged, 0) as charged_difference,
    coalesce(staged.paid, 0) - coalesce(ledger.paid, 0) as paid_difference,
    coalesce(staged.adjusted, 0) - coalesce(ledger.adjusted, 0) as adjusted_difference,
    coalesce(staged.transferred_in, 0) - coalesce(ledger.transferred_in, 0) as transferred_in_difference,
    coalesce(staged.transferred_out, 0) - coalesce(ledger.transferred_out, 0) as transferred_out_difference
from staged
full outer join ledger
    on staged._load_id = ledger._load_id
where
    coalesce(staged.charged, 0) <> coalesce(ledger.charged, 0)
    or coalesce(staged.paid, 0) <> coalesce(ledger.paid, 0)
    or coalesce(staged.adjusted, 0) <> coalesce(ledger.adjusted, 0)
    or coalesce(staged.transferred_in, 0) <> coalesce(ledger.transferred_in, 0)
    or coalesce(staged.transferred_out, 0) <> coalesce(ledger.transferred_out, 0)
