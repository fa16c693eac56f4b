{{
    config(
        dist='patient_key',
        sort=['onset_date']
    )
}}
-- dist: a patient's facts of all stars lie together; sort: questions ask who fell ill in a period

with episodes as (

    select * from {{ ref('int_conditions__episodes') }}

),

patient_versions as (

    select * from {{ ref('int_patients__versions') }}

),

fct_condition_episode as (

    select
        -- key
        cast({{ biostar.surrogate_key([
            'episodes.patient_id', 'episodes.code_system', 'episodes.condition_code',
            'cast(episodes.onset_date as varchar(10))'
        ]) }} as bigint) as condition_episode_key,

        -- foreign keys
        {{ biostar.reference_key('episodes.patient_id') }} as patient_key,
        {{ biostar.patient_version_key('episodes.patient_id') }} as patient_version_key,
        cast({{ biostar.surrogate_key(['episodes.code_system', 'episodes.condition_code']) }} as bigint)
            as condition_code_key,
        {{ biostar.date_key('episodes.onset_date') }} as onset_date_key,
        {{ biostar.date_key('episodes.abatement_date') }} as abatement_date_key,

        -- business id
        cast(episodes.encounter_id as varchar(64)) as encounter_id,

        -- attributes
        cast(episodes.episode_number as integer) as episode_number,
        cast(episodes.onset_date as date) as onset_date,
        cast(episodes.abatement_date as date) as abatement_date,
        episodes.abatement_date is null as is_open,

        -- facts
        cast(episodes.abatement_date - episodes.onset_date + 1 as integer) as episode_days,
        cast(episodes.merged_row_count as integer) as merged_row_count,

        -- load
        cast(episodes._load_id as bigint) as _load_id
    from episodes
    {{ biostar.patient_version_join('patient_versions', 'episodes.patient_id', 'episodes.onset_date') }}

)

select * from fct_condition_episode
