-- Which diagnoses cost the most, and how much of it do patients pay themselves?
with claims as (

    select * from {{ ref('fct_claim') }}

),

clinical_codes as (

    select * from {{ ref('dim_clinical_code') }}

)

select
    clinical_codes.description as diagnosis,
    count(*) as claims,
    count(distinct claims.patient_key) as patients,
    sum(claims.charged_amount) as charged_amount,
    sum(claims.patient_paid_amount) as patient_paid_amount,
    cast(
        100 * cast(sum(claims.patient_paid_amount) as numeric(18, 4))
        / nullif(sum(claims.paid_amount), 0) as numeric(9, 2)
    ) as patient_paid_pct
from claims
inner join clinical_codes
    on claims.primary_diagnosis_code_key = clinical_codes.clinical_code_key
group by clinical_codes.description
order by
    charged_amount desc,
    clinical_codes.description asc
limit 10
