with source as (

    select * from {{ source('raw_ehr', 'allergies') }}

),

typed as (

    select
        -- identity
        {{ biostar.record_hash(['patient', 'encounter', 'start', 'code']) }} as record_id,
        {{ biostar.record_hash([
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
        {{ biostar.clean_text('"system"') }} as code_system,
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
        {{ biostar.reject_reason(
            required=['start', 'patient', 'code'],
            dates=['start', 'stop']
        ) }} as reject_reason
    from source

)

select * from typed
