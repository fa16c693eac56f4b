with source as (

    select * from {{ source('raw_ehr', 'encounters') }}

),

typed as (

    select
        -- identity
        {{ clean_text('id') }} as record_id,
        {{ record_hash([
            'id', 'start', 'stop', 'patient', 'organization', 'provider', 'payer', 'encounterclass', 'code',
            'description', 'base_encounter_cost', 'total_claim_cost', 'payer_coverage', 'reasoncode',
            'reasondescription'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('id') }} as encounter_id,
        {{ clean_text('patient') }} as patient_id,
        {{ clean_text('organization') }} as organization_id,
        {{ clean_text('provider') }} as provider_id,
        {{ clean_text('payer') }} as payer_id,

        -- times
        {{ safe_timestamp('start') }} as started_at,
        {{ safe_timestamp('stop') }} as stopped_at,

        -- attributes
        {{ clean_text('encounterclass') }} as encounter_class,
        {{ clean_text('code') }} as encounter_code,
        {{ clean_text('description') }} as encounter_description,
        {{ clean_text('reasoncode') }} as reason_code,
        {{ clean_text('reasondescription') }} as reason_description,

        -- amounts and counts
        {{ safe_numeric('base_encounter_cost', 18, 2) }} as base_cost_amount,
        {{ safe_numeric('total_claim_cost', 18, 2) }} as total_claim_amount,
        {{ safe_numeric('payer_coverage', 18, 2) }} as payer_coverage_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['id', 'start', 'patient'],
            timestamps=['start', 'stop'],
            amounts=['base_encounter_cost', 'total_claim_cost', 'payer_coverage']
        ) }} as reject_reason
    from source

)

select * from typed
