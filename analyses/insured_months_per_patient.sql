-- How many patients are insured all year, part of the year, or not at all, and for how many months?
with coverage_months as (

    select * from {{ ref('fct_coverage_month') }}

),

payers as (

    select * from {{ ref('dim_payer') }}

),

dates as (

    select * from {{ ref('dim_date') }}

),

patient_years as (

    select
        dates.year_number,
        coverage_months.patient_key,
        count(distinct case when payers.payer_name <> 'NO_INSURANCE' then dates.month_key end) as insured_months
    from coverage_months
    inner join payers
        on coverage_months.payer_key = payers.payer_key
    inner join dates
        on coverage_months.month_date_key = dates.date_key
    where
        coverage_months.member_month_count = 1
        and dates.year_number between 2014 and 2023
    group by
        dates.year_number,
        coverage_months.patient_key

)

select
    year_number,
    count(*) as patients,
    sum(case when insured_months = 12 then 1 else 0 end) as insured_all_year,
    sum(case when insured_months between 1 and 11 then 1 else 0 end) as insured_part_of_the_year,
    sum(case when insured_months = 0 then 1 else 0 end) as not_insured,
    sum(insured_months) as insured_months
from patient_years
group by year_number
order by year_number desc
