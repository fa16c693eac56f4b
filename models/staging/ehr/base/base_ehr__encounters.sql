with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'encounters'),
        biostar.clean_text('id')
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'id', 'start', 'stop', 'patient', 'organization', 'provider', 'payer', 'encounterclass', 'code',
            'description', 'base_encounter_cost', 'total_claim_cost', 'payer_coverage', 'reasoncode',
            'reasondescription'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('id') }} as encounter_id,
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('organization') }} as organization_id,
        {{ biostar.clean_text('provider') }} as provider_id,
        {{ biostar.clean_text('payer') }} as payer_id,

        -- times
        {{ biostar.safe_timestamp('start') }} as started_at,
        {{ biostar.safe_timestamp('stop') }} as stopped_at,

        -- attributes
        {{ biostar.clean_text('encounterclass') }} as encounter_class,
        {{ biostar.clean_text('code') }} as encounter_code,
        {{ biostar.clean_text('description') }} as encounter_description,
        {{ biostar.clean_text('reasoncode') }} as reason_code,
        {{ biostar.clean_text('reasondescription') }} as reason_description,

        -- amounts and counts
        {{ biostar.safe_numeric('base_encounter_cost', 18, 2) }} as base_cost_amount,
        {{ biostar.safe_numeric('total_claim_cost', 18, 2) }} as total_claim_amount,
        {{ biostar.safe_numeric('payer_coverage', 18, 2) }} as payer_coverage_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,

        -- what was parsed, as delivered
        start as start_text,
        stop as stop_text,
        base_encounter_cost as base_encounter_cost_text,
        total_claim_cost as total_claim_cost_text,
        payer_coverage as payer_coverage_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={'id': 'encounter_id', 'start': 'started_at', 'patient': 'patient_id'},
            timestamps={'start': 'started_at', 'stop': 'stopped_at'},
            amounts={
                'base_encounter_cost': 'base_cost_amount',
                'total_claim_cost': 'total_claim_amount',
                'payer_coverage': 'payer_coverage_amount',
            },
            periods=[('started_at', 'stopped_at')]
        ) }} as reject_reason
    from typed

)

select * from judged
