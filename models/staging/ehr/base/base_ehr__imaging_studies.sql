with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'imaging_studies'),
        biostar.record_hash(['id', 'series_uid', 'instance_uid', 'procedure_code'])
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'id', 'date', 'patient', 'encounter', 'series_uid', 'bodysite_code', 'bodysite_description',
            'modality_code', 'modality_description', 'instance_uid', 'sop_code', 'sop_description',
            'procedure_code'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('id') }} as imaging_study_id,
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('encounter') }} as encounter_id,

        -- times
        {{ biostar.safe_timestamp('date') }} as studied_at,

        -- attributes
        {{ biostar.clean_text('series_uid') }} as series_uid,
        {{ biostar.clean_text('bodysite_code') }} as body_site_code,
        {{ biostar.clean_text('bodysite_description') }} as body_site_description,
        {{ biostar.clean_text('modality_code') }} as modality_code,
        {{ biostar.clean_text('modality_description') }} as modality_description,
        {{ biostar.clean_text('instance_uid') }} as instance_uid,
        {{ biostar.clean_text('sop_code') }} as sop_code,
        {{ biostar.clean_text('sop_description') }} as sop_description,
        {{ biostar.clean_text('procedure_code') }} as procedure_code,

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
            required={'id': 'imaging_study_id', 'date': 'studied_at', 'patient': 'patient_id'},
            timestamps={'date': 'studied_at'}
        ) }} as reject_reason
    from typed

)

select * from judged
