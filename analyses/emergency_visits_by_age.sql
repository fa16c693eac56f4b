-- Which age groups come to the emergency room, and how often do they come per patient?
with encounters as (

    select * from {{ ref('fct_encounter') }}

),

patients as (

    select * from {{ ref('dim_patient') }}

),

dates as (

    select * from {{ ref('dim_date') }}

),

visits as (

    select
        encounters.patient_key,
        encounters.encounter_class,
        (dates.year_number - cast(extract(year from patients.birth_date) as integer)) / 20 * 20 as age_from
    from encounters
    inner join patients
        on encounters.patient_version_key = patients.patient_version_key
    inner join dates
        on encounters.started_date_key = dates.date_key

)

select
    age_from,
    count(distinct patient_key) as patients,
    count(*) as encounters,
    sum(case when encounter_class = 'emergency' then 1 else 0 end) as emergency_visits,
    cast(
        cast(sum(case when encounter_class = 'emergency' then 1 else 0 end) as numeric(18, 4))
        / count(distinct patient_key) as numeric(9, 2)
    ) as emergency_visits_per_patient
from visits
group by age_from
order by age_from
