with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'observations'),
        biostar.record_hash(['patient', 'encounter', 'date', 'code'])
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'date', 'patient', 'encounter', 'category', 'code', 'description', 'value', 'units', 'type'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_timestamp('date') }} as observed_at,

        -- attributes
        {{ biostar.clean_text('category') }} as observation_category,
        {{ biostar.clean_text('code') }} as observation_code,
        {{ biostar.clean_text('description') }} as observation_description,
        {{ biostar.clean_text('value') }} as observation_value,
        {{ biostar.clean_text('units') }} as observation_unit,
        {{ biostar.clean_text('type') }} as value_type,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,

        -- what was parsed, as delivered
        date as date_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={'date': 'observed_at', 'patient': 'patient_id', 'code': 'observation_code'},
            timestamps={'date': 'observed_at'}
        ) }} as reject_reason
    from typed

)

select * from judged
