-- Which conditions are most frequent where patients live, by county?
with episodes as (

    select * from {{ ref('fct_condition_episode') }}

),

patients as (

    select * from {{ ref('dim_patient') }}

),

clinical_codes as (

    select * from {{ ref('dim_clinical_code') }}

),

counted as (

    select
        patients.county_name,
        clinical_codes.description as condition_name,
        count(distinct episodes.patient_key) as patients,
        count(*) as episodes,
        sum(case when episodes.is_open then 1 else 0 end) as open_episodes
    from episodes
    inner join patients
        on episodes.patient_version_key = patients.patient_version_key
    inner join clinical_codes
        on episodes.condition_code_key = clinical_codes.clinical_code_key
    group by
        patients.county_name,
        clinical_codes.description

),

ranked as (

    select
        counted.*,
        row_number() over (
            partition by county_name
            order by patients desc, episodes desc, condition_name asc
        ) as rank_in_county
    from counted

)

select
    county_name,
    condition_name,
    patients,
    episodes,
    open_episodes
from ranked
where rank_in_county <= 3
order by
    county_name,
    rank_in_county
