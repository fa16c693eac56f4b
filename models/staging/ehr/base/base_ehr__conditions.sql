with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'conditions'),
        biostar.record_hash(['patient', 'encounter', 'start', 'code'])
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'start', 'stop', 'patient', 'encounter', '"system"', 'code', 'description'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_date('start') }} as onset_date,
        {{ biostar.safe_date('stop') }} as abatement_date,

        -- attributes
        {{ biostar.clean_text('"system"') }} as declared_system,
        {{ biostar.clean_text('code') }} as condition_code,
        {{ biostar.clean_text('description') }} as condition_description,

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
        {{ biostar.code_system('condition', 'condition_code', 'declared_system') }} as code_system,
        {{ biostar.reject_reason(
            required={'start': 'onset_date', 'patient': 'patient_id', 'code': 'condition_code'},
            dates={'start': 'onset_date', 'stop': 'abatement_date'},
            periods=[('onset_date', 'abatement_date')]
        ) }} as reject_reason
    from typed

)

select * from judged
