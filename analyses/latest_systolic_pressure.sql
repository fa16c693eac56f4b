-- How many patients have a latest systolic blood pressure of 140 or more, by gender?
with observations as (

    select * from {{ ref('fct_observation') }}

),

clinical_codes as (

    select * from {{ ref('dim_clinical_code') }}

),

patients as (

    select * from {{ ref('dim_patient') }}

),

measured as (

    select
        observations.patient_key,
        observations.numeric_value,
        row_number() over (
            partition by observations.patient_key
            order by observations.observed_at desc, observations.observation_id asc, observations.occurrence_number asc
        ) as recency
    from observations
    inner join clinical_codes
        on observations.observation_code_key = clinical_codes.clinical_code_key
    where
        clinical_codes.code_system = 'LOINC'
        and clinical_codes.code = '8480-6'
        and observations.numeric_value is not null

)

select
    patients.gender_code,
    count(*) as measured_patients,
    sum(case when measured.numeric_value >= 140 then 1 else 0 end) as high_patients,
    cast(avg(cast(measured.numeric_value as numeric(18, 4))) as numeric(9, 1)) as mean_systolic
from measured
inner join patients
    on measured.patient_key = patients.patient_key
where
    measured.recency = 1
    and patients.is_current
group by patients.gender_code
order by patients.gender_code
