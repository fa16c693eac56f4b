{{
    config(
        dist='patient_key',
        sort=['studied_at']
    )
}}
-- dist: a patient's facts of all stars lie together; sort: questions ask for a period of studies

with imaging_studies as (

    select * from {{ ref('stg_ehr__imaging_studies') }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

-- DICOM gives a series one modality, one body part, one study and one patient; where the rows of a series differ all
-- the same, its first image stands
ranked as (

    select
        imaging_studies.*,
        row_number() over (
            partition by imaging_study_id, series_uid
            order by studied_at, instance_uid, procedure_code, imaging_instance_id, occurrence_number
        ) as image_number
    from imaging_studies

),

first_images as (

    select * from ranked
    where image_number = 1

),

counted as (

    select
        imaging_study_id,
        -- a study without a series UID is one series
        coalesce(series_uid, '') as series_uid,
        count(*) as merged_row_count,
        count(distinct instance_uid) as instance_count,
        count(distinct procedure_code) as procedure_count,
        max(_load_id) as _load_id
    from imaging_studies
    group by imaging_study_id, coalesce(series_uid, '')

),

fct_imaging_series as (

    select
        -- key
        cast({{ biostar.surrogate_key(['counted.imaging_study_id', 'counted.series_uid']) }} as bigint)
            as imaging_series_key,

        -- foreign keys
        {{ biostar.reference_key('first_images.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('first_images.patient_id') }} as patient_version_key,
        {{ biostar.code_key('procedure', 'first_images.procedure_code') }} as procedure_code_key,
        {{ biostar.code_key('modality', 'first_images.modality_code') }} as modality_code_key,
        {{ biostar.code_key('body_site', 'first_images.body_site_code') }} as body_site_code_key,
        {{ biostar.date_key('first_images.studied_at') }} as studied_date_key,

        -- business ids
        cast(counted.imaging_study_id as varchar(64)) as imaging_study_id,
        cast(counted.series_uid as varchar(128)) as series_uid,
        cast(first_images.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(first_images.studied_at as timestamp) as studied_at,

        -- facts
        cast(counted.instance_count as integer) as instance_count,
        cast(counted.procedure_count as integer) as procedure_count,
        cast(counted.merged_row_count as integer) as merged_row_count,

        -- load
        cast(counted._load_id as bigint) as _load_id
    from counted
    inner join first_images
        on
            counted.imaging_study_id = first_images.imaging_study_id
            and counted.series_uid = coalesce(first_images.series_uid, '')
    {{ biostar.patient_version_join(
        'patient_versions', 'first_images.patient_id', 'cast(first_images.studied_at as date)'
    ) }}

)

select * from fct_imaging_series
