{{
    config(
        dist='all',
        sort=['month_date_key']
    )
}}
-- dist: a few rows a month, joined with dim_payer and dim_date only; sort: questions ask for ranges of months.

with claims as (

    select * from {{ ref('fct_claim') }}

),

coverage_months as (

    select * from {{ ref('fct_coverage_month') }}

),

uninsured as (

    select * from {{ ref('int_payers__uninsured') }}

),

-- the day up to which the warehouse knows the claims: that of their newest delivery, not that of the wall clock
as_of as (

    select max(_ingest_date) as as_of_date from claims

),

-- A period "covered" by the payer that stands for no insurance makes nobody a member. Coverage reaches to the end of
-- the plan year, claims to their last delivery: months after that have members and no claims yet, so they wait.
member_months as (

    select
        coverage_months.patient_key,
        coverage_months.payer_key,
        coverage_months.month_date_key,
        coverage_months.covered_days,
        coverage_months.member_month_count
    from coverage_months
    cross join as_of
    where
        coverage_months.month_start_date <= as_of.as_of_date
        and coverage_months.covered_days > 0
        and not exists (
            select 1 from uninsured
            where uninsured.payer_key = coverage_months.payer_key
        )

),

-- Claims are counted in the month of service, whatever the month of payment. What nobody's insurance covers is the
-- patient's own account: payer -2, not applicable.
incurred as (

    select
        claims.patient_key,
        case
            when uninsured.payer_key is not null then cast(-2 as bigint)
            else claims.primary_payer_key
        end as payer_key,
        case
            when claims.secondary_payer_paid_amount <> 0 then claims.secondary_payer_key
        end as secondary_payer_key,
        -- the first day of the month; a day outside of the calendar stays -1
        case
            when claims.service_date_key > 0 then claims.service_date_key / 100 * 100 + 1
            else claims.service_date_key
        end as month_date_key,
        claims.charged_amount,
        claims.allowed_amount,
        claims.primary_payer_paid_amount,
        claims.secondary_payer_paid_amount,
        claims.patient_paid_amount,
        claims.unattributed_paid_amount
    from claims
    left join uninsured
        on claims.primary_payer_key = uninsured.payer_key

),

-- A claim is its primary payer's, except for what the secondary payer paid of it.
payer_amounts as (

    select
        patient_key,
        payer_key,
        month_date_key,
        1 as claim_count,
        charged_amount,
        allowed_amount,
        primary_payer_paid_amount as payer_paid_amount,
        patient_paid_amount,
        unattributed_paid_amount
    from incurred

    union all

    select
        patient_key,
        secondary_payer_key as payer_key,
        month_date_key,
        0 as claim_count,
        0 as charged_amount,
        0 as allowed_amount,
        secondary_payer_paid_amount as payer_paid_amount,
        0 as patient_paid_amount,
        0 as unattributed_paid_amount
    from incurred
    where secondary_payer_key is not null

),

-- Amounts of a patient whom the payer did not cover on any day of the month are kept apart: they are spent, but no
-- member month stands against them.
classified as (

    select
        payer_amounts.*,
        member_months.patient_key is not null as is_covered
    from payer_amounts
    left join member_months
        on
            payer_amounts.patient_key = member_months.patient_key
            and payer_amounts.payer_key = member_months.payer_key
            and payer_amounts.month_date_key = member_months.month_date_key

),

combined as (

    select
        payer_key,
        month_date_key,
        member_month_count,
        covered_days,
        0 as claim_count,
        0 as uncovered_claim_count,
        0 as charged_amount,
        0 as allowed_amount,
        0 as payer_paid_amount,
        0 as patient_paid_amount,
        0 as unattributed_paid_amount,
        0 as covered_allowed_amount,
        0 as covered_payer_paid_amount
    from member_months

    union all

    select
        payer_key,
        month_date_key,
        0 as member_month_count,
        0 as covered_days,
        claim_count,
        case when is_covered then 0 else claim_count end as uncovered_claim_count,
        charged_amount,
        allowed_amount,
        payer_paid_amount,
        patient_paid_amount,
        unattributed_paid_amount,
        case when is_covered then allowed_amount else 0 end as covered_allowed_amount,
        case when is_covered then payer_paid_amount else 0 end as covered_payer_paid_amount
    from classified

),

payer_months as (

    select
        payer_key,
        month_date_key,
        sum(member_month_count) as member_month_count,
        sum(covered_days) as covered_days,
        sum(claim_count) as claim_count,
        sum(uncovered_claim_count) as uncovered_claim_count,
        sum(charged_amount) as charged_amount,
        sum(allowed_amount) as allowed_amount,
        sum(payer_paid_amount) as payer_paid_amount,
        sum(patient_paid_amount) as patient_paid_amount,
        sum(unattributed_paid_amount) as unattributed_paid_amount,
        sum(covered_allowed_amount) as covered_allowed_amount,
        sum(covered_payer_paid_amount) as covered_payer_paid_amount
    from combined
    group by
        payer_key,
        month_date_key

),

msr_pmpm as (

    select
        -- foreign keys
        cast(payer_key as bigint) as payer_key,
        cast(month_date_key as integer) as month_date_key,

        -- facts
        cast(member_month_count as integer) as member_month_count,
        cast(covered_days as integer) as covered_days,
        cast(claim_count as integer) as claim_count,
        cast(uncovered_claim_count as integer) as uncovered_claim_count,
        cast(charged_amount as numeric(18, 2)) as charged_amount,
        cast(allowed_amount as numeric(18, 2)) as allowed_amount,
        cast(payer_paid_amount as numeric(18, 2)) as payer_paid_amount,
        cast(patient_paid_amount as numeric(18, 2)) as patient_paid_amount,
        cast(unattributed_paid_amount as numeric(18, 2)) as unattributed_paid_amount,
        cast(covered_allowed_amount as numeric(18, 2)) as covered_allowed_amount,
        cast(covered_payer_paid_amount as numeric(18, 2)) as covered_payer_paid_amount,

        -- the measure; without a member there is none
        {{ biostar.quotient('covered_allowed_amount', 'member_month_count', 18, 2) }} as allowed_pmpm_amount,
        {{ biostar.quotient('covered_payer_paid_amount', 'member_month_count', 18, 2) }} as payer_paid_pmpm_amount
    from payer_months

)

select * from msr_pmpm
