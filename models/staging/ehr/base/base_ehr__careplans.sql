with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'careplans'),
        biostar.clean_text('id')
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'id', 'start', 'stop', 'patient', 'encounter', 'code', 'description', 'reasoncode',
            'reasondescription'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('id') }} as careplan_id,
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_date('start') }} as started_date,
        {{ biostar.safe_date('stop') }} as stopped_date,

        -- attributes
        {{ biostar.clean_text('code') }} as careplan_code,
        {{ biostar.clean_text('description') }} as careplan_description,
        {{ biostar.clean_text('reasoncode') }} as reason_code,
        {{ biostar.clean_text('reasondescription') }} as reason_description,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,

        -- what was parsed, as delivered
        start as start_text,
        stop as stop_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={
                'id': 'careplan_id',
                'start': 'started_date',
                'patient': 'patient_id',
                'code': 'careplan_code',
            },
            dates={'start': 'started_date', 'stop': 'stopped_date'},
            periods=[('started_date', 'stopped_date')]
        ) }} as reject_reason
    from typed

)

select * from judged
