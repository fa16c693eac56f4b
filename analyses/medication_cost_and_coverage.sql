-- Which medications cost the most, and what share of it do payers cover?
with medication_orders as (

    select * from {{ ref('fct_medication_order') }}

),

clinical_codes as (

    select * from {{ ref('dim_clinical_code') }}

)

select
    clinical_codes.description as medication,
    count(distinct medication_orders.patient_key) as patients,
    count(*) as orders,
    sum(medication_orders.dispense_count) as dispenses,
    sum(medication_orders.total_cost_amount) as total_cost_amount,
    cast(
        100 * cast(sum(medication_orders.payer_coverage_amount * medication_orders.dispense_count) as numeric(18, 4))
        / nullif(sum(medication_orders.total_cost_amount), 0) as numeric(9, 2)
    ) as covered_pct
from medication_orders
inner join clinical_codes
    on medication_orders.medication_code_key = clinical_codes.clinical_code_key
group by clinical_codes.description
order by
    total_cost_amount desc,
    clinical_codes.description asc
limit 20
