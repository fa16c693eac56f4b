{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='claim_transaction_id',
        on_schema_change='fail',
        dist='patient_key',
        sort=['from_date_key'],
        post_hook="{{ biostar.realign_patient_versions('cast(coalesce(from_at, to_at) as date)') }}"
    )
}}
-- dist: joins with the patient's claims and encounters stay on the node; sort: questions ask for periods of service.

with claims_transactions as (

    {{ biostar.rows_to_build(
        staged=ref('stg_ehr__claims_transactions'),
        base=ref('base_ehr__claims_transactions'),
        id='claim_transaction_id'
    ) }}

),

-- A patient's first version is known without a join, so that only those who changed are looked up.
patient_versions as (

    select * from {{ ref('int_patients__versions') }}
    where version_number > 1

),

classified as (

    select
        claim_transaction_id,
        claim_id,
        patient_id,
        organization_id,
        encounter_id,
        provider_id,
        from_at,
        -- The exporter writes 1970-01-01 (zero seconds since the epoch) for a service that has no end, such as a
        -- vaccination or a prescription that runs on.
        case
            when to_at = cast('1970-01-01 00:00:00' as timestamp) and from_at <> to_at then null
            else to_at
        end as to_at,
        charge_id,
        case lower(transaction_type)
            when 'charge' then 'charge'
            when 'payment' then 'payment'
            when 'adjustment' then 'adjustment'
            when 'transferin' then 'transfer in'
            when 'transferout' then 'transfer out'
            else 'other'
        end as transaction_type,
        lower(payment_method) as payment_method,
        procedure_code,
        notes,
        modifier_1,
        modifier_2,
        department_id,
        fee_schedule_id,
        transfer_out_id,
        case lower(transfer_type)
            when '1' then 'primary payer'
            when '2' then 'secondary payer'
            when 'p' then 'patient'
        end as responsible_party,
        diagnosis_ref_1,
        diagnosis_ref_2,
        diagnosis_ref_3,
        diagnosis_ref_4,
        unit_count,
        unit_amount,
        transaction_amount,
        payment_amount,
        adjustment_amount,
        transfer_amount,
        outstanding_amount,
        _load_id,
        _ingest_date
    from claims_transactions

),

payment_methods as (

    select * from {{ ref('claim_payment_methods') }}

),

-- One amount column per kind of line, zero on all others, so that each can be summed without a filter. What a line
-- says twice (the amount of a transfer in stands in two source columns) is counted once.
measured as (

    select
        classified.claim_transaction_id,
        classified.claim_id,
        classified.patient_id,
        classified.organization_id,
        classified.encounter_id,
        classified.provider_id,
        classified.from_at,
        classified.to_at,
        classified.charge_id,
        classified.transaction_type,
        classified.payment_method,
        case
            when coalesce(classified.payment_amount, 0) <> 0 or classified.transaction_type = 'payment'
                then coalesce(payment_methods.paid_by, 'unknown')
        end as paid_by,
        classified.procedure_code,
        classified.notes,
        classified.modifier_1,
        classified.modifier_2,
        classified.department_id,
        classified.fee_schedule_id,
        classified.transfer_out_id,
        classified.responsible_party,
        classified.diagnosis_ref_1,
        classified.diagnosis_ref_2,
        classified.diagnosis_ref_3,
        classified.diagnosis_ref_4,
        classified.unit_count,
        classified.unit_amount,
        case
            when classified.transaction_type = 'charge' then coalesce(classified.transaction_amount, 0)
            else 0
        end as charge_amount,
        coalesce(classified.payment_amount, 0) as payment_amount,
        coalesce(classified.adjustment_amount, 0) as adjustment_amount,
        case
            when classified.transaction_type = 'transfer in' then coalesce(classified.transfer_amount, 0)
            else 0
        end as transfer_in_amount,
        case
            when classified.transaction_type = 'transfer out' then coalesce(classified.transfer_amount, 0)
            else 0
        end as transfer_out_amount,
        classified.outstanding_amount,
        classified._load_id,
        classified._ingest_date
    from classified
    left join payment_methods
        on classified.payment_method = payment_methods.payment_method

),

fct_claim_transaction as (

    select
        -- foreign keys
        cast({{ biostar.reference_key('measured.patient_id') }} as bigint) as patient_key,
        cast({{ biostar.patient_version_key('measured.patient_id') }} as bigint) as patient_version_key,
        cast({{ biostar.reference_key('measured.organization_id') }} as bigint) as organization_key,
        cast({{ biostar.reference_key('measured.provider_id') }} as bigint) as provider_key,
        cast(
            {{ biostar.code_key('charge', 'measured.procedure_code', description='measured.notes') }} as bigint
        ) as procedure_code_key,
        cast({{ biostar.date_key('measured.from_at') }} as integer) as from_date_key,
        cast({{ biostar.date_key('measured.to_at') }} as integer) as to_date_key,

        -- degenerate dimensions
        cast(measured.claim_transaction_id as varchar(64)) as claim_transaction_id,
        cast(measured.claim_id as varchar(64)) as claim_id,
        cast(measured.encounter_id as varchar(64)) as encounter_id,
        cast(measured.charge_id as varchar(32)) as charge_id,
        cast(measured.transfer_out_id as varchar(32)) as transfer_out_id,

        -- attributes
        cast(measured.from_at as timestamp) as from_at,
        cast(measured.to_at as timestamp) as to_at,
        cast(measured.transaction_type as varchar(16)) as transaction_type,
        cast(measured.payment_method as varchar(16)) as payment_method,
        cast(measured.paid_by as varchar(16)) as paid_by,
        cast(measured.responsible_party as varchar(16)) as responsible_party,
        cast(measured.procedure_code as varchar(32)) as procedure_code,
        cast(measured.modifier_1 as varchar(16)) as modifier_1_code,
        cast(measured.modifier_2 as varchar(16)) as modifier_2_code,
        cast(measured.department_id as varchar(16)) as department_id,
        cast(measured.fee_schedule_id as varchar(16)) as fee_schedule_id,
        cast(measured.diagnosis_ref_1 as integer) as diagnosis_1_position,
        cast(measured.diagnosis_ref_2 as integer) as diagnosis_2_position,
        cast(measured.diagnosis_ref_3 as integer) as diagnosis_3_position,
        cast(measured.diagnosis_ref_4 as integer) as diagnosis_4_position,

        -- facts
        cast(measured.unit_count as integer) as unit_count,
        cast(measured.unit_amount as numeric(18, 2)) as unit_amount,
        cast(measured.charge_amount as numeric(18, 2)) as charge_amount,
        cast(measured.payment_amount as numeric(18, 2)) as payment_amount,
        cast(measured.adjustment_amount as numeric(18, 2)) as adjustment_amount,
        cast(measured.transfer_in_amount as numeric(18, 2)) as transfer_in_amount,
        cast(measured.transfer_out_amount as numeric(18, 2)) as transfer_out_amount,
        cast(measured.outstanding_amount as numeric(18, 2)) as outstanding_amount,

        -- load
        cast(measured._load_id as bigint) as _load_id,
        cast(measured._ingest_date as date) as _ingest_date
    from measured
    {{ biostar.patient_version_join(
        'patient_versions', 'measured.patient_id', 'cast(coalesce(measured.from_at, measured.to_at) as date)'
    ) }}

)

select * from fct_claim_transaction
