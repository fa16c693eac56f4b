-- Without this the joins of PMPM with coverage could drop a claim whose patient was not covered, or double one whose
-- payer covered the patient twice. Every dollar and every claim of a month of service is in the measure once.

with claims as (

    select
        service_date_key / 100 as month_number,
        count(*) as claim_count,
        sum(charged_amount) as charged,
        sum(allowed_amount) as allowed,
        sum(payer_paid_amount) as payer_paid,
        sum(paid_amount) as paid
    from {{ ref('fct_claim') }}
    group by service_date_key / 100

),

measure as (

    select
        month_date_key / 100 as month_number,
        sum(claim_count) as claim_count,
        sum(charged_amount) as charged,
        sum(allowed_amount) as allowed,
        sum(payer_paid_amount) as payer_paid,
        sum(payer_paid_amount + patient_paid_amount + unattributed_paid_amount) as paid,
        max(covered_allowed_amount - allowed_amount) as allowed_excess,
        max(covered_payer_paid_amount - payer_paid_amount) as payer_paid_excess
    from {{ ref('msr_pmpm') }}
    group by month_date_key / 100

)

select
    coalesce(claims.month_number, measure.month_number) as month_number,
    coalesce(claims.claim_count, 0) - coalesce(measure.claim_count, 0) as claim_difference,
    coalesce(claims.charged, 0) - coalesce(measure.charged, 0) as charged_difference,
    coalesce(claims.allowed, 0) - coalesce(measure.allowed, 0) as allowed_difference,
    coalesce(claims.payer_paid, 0) - coalesce(measure.payer_paid, 0) as payer_paid_difference,
    coalesce(claims.paid, 0) - coalesce(measure.paid, 0) as paid_difference
from claims
full outer join measure
    on claims.month_number = measure.month_number
where
    coalesce(claims.claim_count, 0) <> coalesce(measure.claim_count, 0)
    or coalesce(claims.charged, 0) <> coalesce(measure.charged, 0)
    or coalesce(claims.allowed, 0) <> coalesce(measure.allowed, 0)
    or coalesce(claims.payer_paid, 0) <> coalesce(measure.payer_paid, 0)
    or coalesce(claims.paid, 0) <> coalesce(measure.paid, 0)
    or measure.allowed_excess > 0
    or measure.payer_paid_excess > 0
