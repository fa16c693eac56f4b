with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'devices'),
        biostar.record_hash(['patient', 'encounter', 'start', 'code', 'udi'])
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'start', 'stop', 'patient', 'encounter', 'code', 'description', 'udi'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_timestamp('start') }} as started_at,
        {{ biostar.safe_timestamp('stop') }} as stopped_at,

        -- attributes
        {{ biostar.clean_text('code') }} as device_code,
        {{ biostar.clean_text('description') }} as device_description,
        {{ biostar.clean_text('udi') }} as device_udi,

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
            required={'start': 'started_at', 'patient': 'patient_id', 'code': 'device_code'},
            timestamps={'start': 'started_at', 'stop': 'stopped_at'},
            periods=[('started_at', 'stopped_at')]
        ) }} as reject_reason
    from typed

)

select * from judged
