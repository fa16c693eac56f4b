with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'medications'),
        biostar.record_hash(['patient', 'encounter', 'start', 'code'])
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'start', 'stop', 'patient', 'payer', 'encounter', 'code', 'description', 'base_cost',
            'payer_coverage', 'dispenses', 'totalcost', 'reasoncode', 'reasondescription'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('payer') }} as payer_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_timestamp('start') }} as started_at,
        {{ biostar.safe_timestamp('stop') }} as stopped_at,

        -- attributes
        {{ biostar.clean_text('code') }} as medication_code,
        {{ biostar.clean_text('description') }} as medication_description,
        {{ biostar.clean_text('reasoncode') }} as reason_code,
        {{ biostar.clean_text('reasondescription') }} as reason_description,

        -- amounts and counts
        {{ biostar.safe_numeric('base_cost', 18, 2) }} as base_cost_amount,
        {{ biostar.safe_numeric('payer_coverage', 18, 2) }} as payer_coverage_amount,
        {{ biostar.safe_integer('dispenses') }} as dispense_count,
        {{ biostar.safe_numeric('totalcost', 18, 2) }} as total_cost_amount,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,

        -- what was parsed, as delivered
        start as start_text,
        stop as stop_text,
        base_cost as base_cost_text,
        payer_coverage as payer_coverage_text,
        dispenses as dispenses_text,
        totalcost as totalcost_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={'start': 'started_at', 'patient': 'patient_id', 'code': 'medication_code'},
            timestamps={'start': 'started_at', 'stop': 'stopped_at'},
            integers={'dispenses': 'dispense_count'},
            amounts={
                'base_cost': 'base_cost_amount',
                'payer_coverage': 'payer_coverage_amount',
                'totalcost': 'total_cost_amount',
            },
            periods=[('started_at', 'stopped_at')]
        ) }} as reject_reason
    from typed

)

select * from judged
