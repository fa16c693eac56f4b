with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'allergies'),
        biostar.record_hash(['patient', 'encounter', 'start', 'code'])
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'start', 'stop', 'patient', 'encounter', 'code', '"system"', 'description', 'type', 'category',
            'reaction1', 'description1', 'severity1', 'reaction2', 'description2', 'severity2'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_date('start') }} as recorded_date,
        {{ biostar.safe_date('stop') }} as resolved_date,

        -- attributes
        {{ biostar.clean_text('code') }} as allergen_code,
        {{ biostar.clean_text('"system"') }} as declared_system,
        {{ biostar.clean_text('description') }} as allergen_description,
        {{ biostar.clean_text('type') }} as allergy_type,
        {{ biostar.clean_text('category') }} as allergy_category,
        {{ biostar.clean_text('reaction1') }} as reaction_1_code,
        {{ biostar.clean_text('description1') }} as reaction_1_description,
        {{ biostar.clean_text('severity1') }} as reaction_1_severity,
        {{ biostar.clean_text('reaction2') }} as reaction_2_code,
        {{ biostar.clean_text('description2') }} as reaction_2_description,
        {{ biostar.clean_text('severity2') }} as reaction_2_severity,

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
        {{ biostar.code_system('allergen', 'allergen_code', 'declared_system') }} as code_system,
        {{ biostar.reject_reason(
            required={'start': 'recorded_date', 'patient': 'patient_id', 'code': 'allergen_code'},
            dates={'start': 'recorded_date', 'stop': 'resolved_date'},
            periods=[('recorded_date', 'resolved_date')]
        ) }} as reject_reason
    from typed

)

select * from judged
