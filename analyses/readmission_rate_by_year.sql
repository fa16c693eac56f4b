-- How many patients are back in hospital, unplanned, within 30 days of their discharge, year by year?
with readmissions as (

    select * from {{ ref('msr_readmission_30d') }}

),

dates as (

    select * from {{ ref('dim_date') }}

)

select
    dates.year_number,
    count(*) as stays,
    sum(readmissions.index_stay_count) as index_stays,
    sum(readmissions.readmission_count) as readmissions,
    cast(
        100 * cast(sum(readmissions.readmission_count) as numeric(18, 4))
        / nullif(sum(readmissions.index_stay_count), 0) as numeric(9, 2)
    ) as readmission_pct
from readmissions
inner join dates
    on readmissions.discharged_date_key = dates.date_key
group by dates.year_number
order by dates.year_number desc
