-- rule: a condition continues the episode before it when it begins on the day after that one ended, or earlier
{%- set gap_days = 1 %}

with conditions as (

    select * from {{ ref('stg_ehr__conditions') }}

),

spans as (

    select
        patient_id,
        {{ biostar.code_system('condition', 'condition_code', 'code_system') }} as code_system,
        condition_code,
        encounter_id,
        onset_date,
        abatement_date,
        case
            -- without an end: it lasts
            when abatement_date is null then cast('9999-12-31' as date)
            -- ended before it began: a day, so that the row is not lost
            when abatement_date < onset_date then onset_date
            else abatement_date
        end as last_date,
        condition_id,
        occurrence_number,
        _load_id
    from conditions

),

compared as (

    select
        spans.*,
        max(last_date) over (
            partition by patient_id, code_system, condition_code
            order by onset_date, last_date, condition_id, occurrence_number
            rows between unbounded preceding and 1 preceding
        ) as last_date_before
    from spans

),

islands as (

    select
        compared.*,
        sum(case when onset_date - {{ gap_days }} <= last_date_before then 0 else 1 end) over (
            partition by patient_id, code_system, condition_code
            order by onset_date, last_date, condition_id, occurrence_number
            rows between unbounded preceding and current row
        ) as episode_number
    from compared

),

episodes as (

    select
        patient_id,
        code_system,
        condition_code,
        episode_number,
        min(onset_date) as onset_date,
        max(last_date) as last_date,
        count(*) as merged_row_count,
        max(_load_id) as _load_id
    from islands
    group by patient_id, code_system, condition_code, episode_number

),

-- the encounter at which the episode was first diagnosed
first_encounters as (

    select
        patient_id,
        code_system,
        condition_code,
        episode_number,
        encounter_id,
        row_number() over (
            partition by patient_id, code_system, condition_code, episode_number
            order by onset_date, last_date, condition_id, occurrence_number
        ) as row_position
    from islands

),

described as (

    select
        episodes.patient_id,
        episodes.code_system,
        episodes.condition_code,
        episodes.episode_number,
        first_encounters.encounter_id,
        episodes.onset_date,
        case when episodes.last_date < cast('9999-12-31' as date) then episodes.last_date end as abatement_date,
        episodes.merged_row_count,
        episodes._load_id
    from episodes
    inner join first_encounters
        on
            episodes.patient_id = first_encounters.patient_id
            and episodes.code_system = first_encounters.code_system
            and episodes.condition_code = first_encounters.condition_code
            and episodes.episode_number = first_encounters.episode_number
            and first_encounters.row_position = 1

)

select * from described
