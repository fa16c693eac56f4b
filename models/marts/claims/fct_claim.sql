{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='claim_id',
        on_schema_change='fail',
        dist='patient_key',
        sort=['service_date_key'],
        post_hook=[
            "{{ biostar.realign_patient_versions('cast(service_at as date)') }}",
            "{% if is_incremental() %}delete from {{ this }} where is_inferred and claim_id not in (select claim_id from {{ ref('fct_claim_transaction') }}){% endif %}"
        ]
    )
}}
-- dist: joins with the patient's ledger and encounters stay on the node; sort: questions ask for periods of service.
-- The second hook removes a claim that was known from its ledger only, when the last of its lines moved to another.

-- depends_on: {{ ref('base_ehr__claims_transactions') }}

with

{% if is_incremental() %}
-- A claim changes when it is delivered again, when a ledger line of it arrives, and when a line that was booked on it
-- is delivered again under another claim.
changed_claims as (

    select claim_id
    from {{ ref('stg_ehr__claims') }}
    where _load_id > (select coalesce(max(this._load_id), 0) from {{ this }} as this)

    union all

    select claim_id
    from {{ ref('fct_claim_transaction') }}
    where _load_id > (select coalesce(max(this._ledger_load_id), 0) from {{ this }} as this)

    union all

    select earlier.claim_id
    from {{ ref('base_ehr__claims_transactions') }} as earlier
    inner join {{ ref('base_ehr__claims_transactions') }} as newer
        on earlier.record_id = newer.record_id
    where
        newer._load_id > (select coalesce(max(this._ledger_load_id), 0) from {{ this }} as this)
        and earlier.claim_id <> newer.claim_id

),
{% endif %}

claims as (

    select * from {{ ref('stg_ehr__claims') }}
    {%- if is_incremental() %}
    where claim_id in (select changed_claims.claim_id from changed_claims)
    {%- endif %}

),

ledger as (

    select * from {{ ref('fct_claim_transaction') }}
    {%- if is_incremental() %}
    where claim_id in (select changed_claims.claim_id from changed_claims)
    {%- endif %}

),

-- A second transfer of a charge goes from the primary to the secondary payer. What a payer pays on that charge after
-- it, the secondary payer pays; the lines of the ledger are numbered in the order in which they were booked.
secondary_transfers as (

    select
        claim_id,
        procedure_code_key,
        min({{ biostar.safe_integer('charge_id') }}) as transfer_number
    from {{ ref('fct_claim_transaction') }}
    where
        transaction_type = 'transfer in'
        and responsible_party = 'secondary payer'
    group by
        claim_id,
        procedure_code_key

),

-- A patient who never changed has one version, whose key is known without a join, so that only those who changed are
-- looked up: with their first version too, because the lines of a claim that is not delivered may meet several.
patient_versions as (

    select * from {{ ref('int_patients__versions') }}
    where
        version_number > 1
        or valid_to < cast('9999-12-31' as date)

),

payer_payments as (

    select
        claim_id,
        procedure_code_key,
        payment_amount,
        {{ biostar.safe_integer('charge_id') }} as payment_number
    from {{ ref('fct_claim_transaction') }}
    where
        paid_by = 'payer' -- noqa: LT02
        {%- if is_incremental() %}
        and claim_id in (select changed_claims.claim_id from changed_claims)
        {%- endif %}

),

secondary_payments as (

    select
        payer_payments.claim_id,
        sum(payer_payments.payment_amount) as secondary_payer_paid_amount
    from payer_payments
    inner join secondary_transfers
        on
            payer_payments.claim_id = secondary_transfers.claim_id
            and payer_payments.procedure_code_key = secondary_transfers.procedure_code_key
    where payer_payments.payment_number > secondary_transfers.transfer_number
    group by payer_payments.claim_id

),

ledger_totals as (

    select
        claim_id,

        -- what a claim that is not delivered is known by
        max(patient_key) as patient_key,
        min(patient_version_key) as patient_version_key,
        max(provider_key) as provider_key,
        max(organization_key) as organization_key,
        max(encounter_id) as encounter_id,
        min(from_at) as first_service_at,

        -- milestones
        min(case when transaction_type = 'payment' then from_at end) as first_payment_at,
        max(case when transaction_type = 'payment' then from_at end) as last_payment_at,

        -- totals
        count(*) as line_count,
        sum(case when transaction_type = 'charge' then 1 else 0 end) as charge_count,
        sum(charge_amount) as charged_amount,
        sum(adjustment_amount) as adjusted_amount,
        sum(payment_amount) as paid_amount,
        sum(case when paid_by = 'payer' then payment_amount else 0 end) as payer_paid_amount,
        sum(case when paid_by = 'patient' then payment_amount else 0 end) as patient_paid_amount,
        sum(
            case when responsible_party = 'patient' then transfer_in_amount else 0 end
        ) as transferred_to_patient_amount,
        sum(transfer_in_amount) as transferred_in_amount,
        sum(transfer_out_amount) as transferred_out_amount,
        max(_load_id) as _ledger_load_id,
        max(_ingest_date) as _ledger_ingest_date
    from ledger
    group by claim_id

),

-- Money is never lost for want of its claim: a claim that only the ledger knows so far is a row too, and gets its own
-- values when it is delivered.
accumulated as (

    select
        coalesce(claims.claim_id, ledger_totals.claim_id) as claim_id,
        claims.claim_id is null as is_inferred,
        case
            when claims.claim_id is null then ledger_totals.patient_key
            else {{ biostar.reference_key('claims.patient_id') }}
        end as patient_key,
        case
            when claims.claim_id is null then ledger_totals.patient_version_key
            else {{ biostar.first_patient_version_key('claims.patient_id') }}
        end as first_patient_version_key,
        case
            when claims.claim_id is null then ledger_totals.provider_key
            else {{ biostar.reference_key('claims.provider_id') }}
        end as provider_key,
        {{ biostar.reference_key('claims.referring_provider_id') }} as referring_provider_key,
        {{ biostar.reference_key('claims.supervising_provider_id') }} as supervising_provider_key,
        coalesce(ledger_totals.organization_key, -1) as organization_key,
        case
            when claims.claim_id is null then -1
            when claims.primary_payer_id is null then -2
            else {{ biostar.surrogate_key(['claims.primary_payer_id']) }}
        end as primary_payer_key,
        case
            when claims.claim_id is null then -1
            when claims.secondary_payer_id is null then -2
            else {{ biostar.surrogate_key(['claims.secondary_payer_id']) }}
        end as secondary_payer_key,
        {{ biostar.code_key('condition', 'claims.diagnosis_1_code') }} as primary_diagnosis_code_key,
        coalesce(claims.encounter_id, ledger_totals.encounter_id) as encounter_id,
        claims.claim_id is not null and claims.primary_payer_id is null as is_self_pay,
        case claims.primary_claim_type_id
            when '1' then 'professional'
            when '2' then 'institutional'
        end as claim_type,
        claims.department_id,
        lower(claims.primary_status) as primary_status,
        lower(claims.secondary_status) as secondary_status,
        lower(claims.patient_status) as patient_status,
        case
            when claims.claim_id is null then 'unknown'
            when
                coalesce(lower(claims.primary_status), 'closed') = 'closed'
                and coalesce(lower(claims.secondary_status), 'closed') = 'closed'
                and coalesce(lower(claims.patient_status), 'closed') = 'closed'
                and coalesce(claims.primary_status, claims.secondary_status, claims.patient_status) is not null
                then 'closed'
            when 'billed' in (
                coalesce(lower(claims.primary_status), ''),
                coalesce(lower(claims.secondary_status), ''),
                coalesce(lower(claims.patient_status), '')
            ) then 'billed'
            else 'open'
        end as claim_status,
        claims.current_illness_at,
        coalesce(claims.service_at, ledger_totals.first_service_at) as service_at,
        claims.primary_last_billed_at as primary_billed_at,
        claims.secondary_last_billed_at as secondary_billed_at,
        claims.patient_last_billed_at as patient_billed_at,
        ledger_totals.first_payment_at,
        ledger_totals.last_payment_at,
        coalesce(ledger_totals.line_count, 0) as line_count,
        coalesce(ledger_totals.charge_count, 0) as charge_count,
        coalesce(ledger_totals.charged_amount, 0) as charged_amount,
        coalesce(ledger_totals.adjusted_amount, 0) as adjusted_amount,
        coalesce(ledger_totals.paid_amount, 0) as paid_amount,
        coalesce(ledger_totals.payer_paid_amount, 0) as payer_paid_amount,
        coalesce(secondary_payments.secondary_payer_paid_amount, 0) as secondary_payer_paid_amount,
        coalesce(ledger_totals.patient_paid_amount, 0) as patient_paid_amount,
        coalesce(ledger_totals.transferred_to_patient_amount, 0) as transferred_to_patient_amount,
        coalesce(ledger_totals.transferred_in_amount, 0) as transferred_in_amount,
        coalesce(ledger_totals.transferred_out_amount, 0) as transferred_out_amount,
        coalesce(claims.primary_outstanding_amount, 0)
        + coalesce(claims.secondary_outstanding_amount, 0)
        + coalesce(claims.patient_outstanding_amount, 0) as stated_outstanding_amount,
        coalesce(claims._load_id, 0) as _load_id,
        coalesce(ledger_totals._ledger_load_id, 0) as _ledger_load_id,
        greatest(claims._ingest_date, ledger_totals._ledger_ingest_date) as _ingest_date
    from claims
    full outer join ledger_totals
        on claims.claim_id = ledger_totals.claim_id
    left join secondary_payments
        on ledger_totals.claim_id = secondary_payments.claim_id

),

settled as (

    select
        accumulated.*,
        charged_amount - adjusted_amount as allowed_amount,
        charged_amount - adjusted_amount - paid_amount as balance_amount,
        case
            when claim_status = 'closed' then
                greatest(primary_billed_at, secondary_billed_at, patient_billed_at, last_payment_at)
        end as closed_at
    from accumulated

),

fct_claim as (

    select
        -- foreign keys
        cast(settled.patient_key as bigint) as patient_key,
        cast(
            coalesce(patient_versions.patient_version_key, settled.first_patient_version_key) as bigint
        ) as patient_version_key,
        cast(settled.primary_payer_key as bigint) as primary_payer_key,
        cast(settled.secondary_payer_key as bigint) as secondary_payer_key,
        cast(settled.provider_key as bigint) as provider_key,
        cast(settled.referring_provider_key as bigint) as referring_provider_key,
        cast(settled.supervising_provider_key as bigint) as supervising_provider_key,
        cast(settled.organization_key as bigint) as organization_key,
        cast(settled.primary_diagnosis_code_key as bigint) as primary_diagnosis_code_key,
        cast({{ biostar.date_key('settled.current_illness_at') }} as integer) as current_illness_date_key,
        cast({{ biostar.date_key('settled.service_at') }} as integer) as service_date_key,
        cast({{ biostar.date_key('settled.primary_billed_at') }} as integer) as primary_billed_date_key,
        cast({{ biostar.date_key('settled.secondary_billed_at') }} as integer) as secondary_billed_date_key,
        cast({{ biostar.date_key('settled.patient_billed_at') }} as integer) as patient_billed_date_key,
        cast({{ biostar.date_key('settled.first_payment_at') }} as integer) as first_payment_date_key,
        cast({{ biostar.date_key('settled.last_payment_at') }} as integer) as last_payment_date_key,
        cast({{ biostar.date_key('settled.closed_at') }} as integer) as closed_date_key,

        -- degenerate dimensions
        cast(settled.claim_id as varchar(64)) as claim_id,
        cast(settled.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(settled.claim_type as varchar(16)) as claim_type,
        cast(settled.claim_status as varchar(16)) as claim_status,
        cast(settled.primary_status as varchar(16)) as primary_status,
        cast(settled.secondary_status as varchar(16)) as secondary_status,
        cast(settled.patient_status as varchar(16)) as patient_status,
        cast(settled.department_id as varchar(16)) as department_id,
        cast(settled.is_self_pay as boolean) as is_self_pay,
        cast(settled.is_inferred as boolean) as is_inferred,
        cast(settled.current_illness_at as timestamp) as current_illness_at,
        cast(settled.service_at as timestamp) as service_at,
        cast(settled.primary_billed_at as timestamp) as primary_billed_at,
        cast(settled.secondary_billed_at as timestamp) as secondary_billed_at,
        cast(settled.patient_billed_at as timestamp) as patient_billed_at,
        cast(settled.first_payment_at as timestamp) as first_payment_at,
        cast(settled.last_payment_at as timestamp) as last_payment_at,
        cast(settled.closed_at as timestamp) as closed_at,

        -- facts
        cast(settled.line_count as integer) as line_count,
        cast(settled.charge_count as integer) as charge_count,
        {{ biostar.days_between(
            'settled.service_at',
            'coalesce(settled.primary_billed_at, settled.patient_billed_at)'
        ) }} as service_to_billed_days,
        {{ biostar.days_between('settled.service_at', 'settled.first_payment_at') }} as service_to_first_payment_days,
        {{ biostar.days_between('settled.service_at', 'settled.closed_at') }} as service_to_closed_days,
        cast(settled.charged_amount as numeric(18, 2)) as charged_amount,
        cast(settled.adjusted_amount as numeric(18, 2)) as adjusted_amount,
        cast(settled.allowed_amount as numeric(18, 2)) as allowed_amount,
        cast(settled.paid_amount as numeric(18, 2)) as paid_amount,
        cast(settled.payer_paid_amount as numeric(18, 2)) as payer_paid_amount,
        cast(
            settled.payer_paid_amount - settled.secondary_payer_paid_amount as numeric(18, 2)
        ) as primary_payer_paid_amount,
        cast(settled.secondary_payer_paid_amount as numeric(18, 2)) as secondary_payer_paid_amount,
        cast(settled.patient_paid_amount as numeric(18, 2)) as patient_paid_amount,
        cast(
            settled.paid_amount - settled.payer_paid_amount - settled.patient_paid_amount as numeric(18, 2)
        ) as unattributed_paid_amount,
        cast(settled.transferred_to_patient_amount as numeric(18, 2)) as transferred_to_patient_amount,
        cast(settled.transferred_in_amount as numeric(18, 2)) as transferred_in_amount,
        cast(settled.transferred_out_amount as numeric(18, 2)) as transferred_out_amount,
        cast(
            case when settled.balance_amount > 0 then settled.balance_amount else 0 end as numeric(18, 2)
        ) as outstanding_amount,
        cast(
            case when settled.balance_amount < 0 then -settled.balance_amount else 0 end as numeric(18, 2)
        ) as overpaid_amount,
        cast(settled.stated_outstanding_amount as numeric(18, 2)) as stated_outstanding_amount,

        -- load
        cast(settled._load_id as bigint) as _load_id,
        cast(settled._ledger_load_id as bigint) as _ledger_load_id,
        cast(settled._ingest_date as date) as _ingest_date
    from settled
    left join patient_versions
        on
            settled.patient_key = patient_versions.patient_key
            and cast(settled.service_at as date) >= patient_versions.valid_from
            and cast(settled.service_at as date) < patient_versions.valid_to

)

select * from fct_claim
