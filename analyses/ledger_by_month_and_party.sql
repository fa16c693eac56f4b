-- How does money move through the ledger, month by month: charged, paid by payers and patients, passed on?
with ledger as (

    select * from {{ ref('fct_claim_transaction') }}

),

dates as (

    select * from {{ ref('dim_date') }}

)

select
    dates.month_start_date,
    count(*) as line_count,
    sum(ledger.charge_amount) as charged_amount,
    sum(case when ledger.paid_by = 'payer' then ledger.payment_amount else 0 end) as payer_paid_amount,
    sum(case when ledger.paid_by = 'patient' then ledger.payment_amount else 0 end) as patient_paid_amount,
    sum(ledger.adjustment_amount) as adjusted_amount,
    sum(
        case when ledger.responsible_party = 'patient' then ledger.transfer_in_amount else 0 end
    ) as passed_to_patients_amount
from ledger
inner join dates
    on ledger.from_date_key = dates.date_key
where dates.calendar_date >= cast('2022-01-01' as date)
group by dates.month_start_date
order by dates.month_start_date
