-- What does each payer spend per member per month, year by year?
with pmpm as (

    select * from {{ ref('msr_pmpm') }}

),

payers as (

    select * from {{ ref('dim_payer') }}

),

dates as (

    select * from {{ ref('dim_date') }}

)

select
    dates.year_number,
    payers.payer_name,
    sum(pmpm.member_month_count) as member_months,
    sum(pmpm.claim_count) as claims,
    sum(pmpm.covered_payer_paid_amount) as payer_paid_amount,
    cast(
        cast(sum(pmpm.covered_payer_paid_amount) as numeric(18, 4)) / sum(pmpm.member_month_count) as numeric(18, 2)
    ) as payer_paid_pmpm_amount,
    cast(
        cast(sum(pmpm.covered_allowed_amount) as numeric(18, 4)) / sum(pmpm.member_month_count) as numeric(18, 2)
    ) as allowed_pmpm_amount
from pmpm
inner join payers
    on pmpm.payer_key = payers.payer_key
inner join dates
    on pmpm.month_date_key = dates.date_key
group by
    dates.year_number,
    payers.payer_name
having sum(pmpm.member_month_count) > 0
order by
    dates.year_number desc,
    payer_paid_amount desc,
    payers.payer_name asc
