-- Without this an inpatient encounter could fall out of the readmission measure where encounters are joined to stays,
-- and its patient would count as never readmitted.

with encounters as (

    select count(*) as encounter_count
    from {{ ref('fct_encounter') }}
    where encounter_class = 'inpatient'

),

stays as (

    select
        coalesce(sum(encounter_count), 0) as encounter_count,
        coalesce(
            sum(case when is_index_stay = (exclusion_reason is not null) then 1 else 0 end), 0
        ) as contradiction_count,
        coalesce(sum(case when readmission_count > index_stay_count then 1 else 0 end), 0) as excess_count
    from {{ ref('msr_readmission_30d') }}

)

select
    encounters.encounter_count,
    stays.encounter_count as stay_encounter_count,
    stays.contradiction_count,
    stays.excess_count
from encounters
cross join stays
where
    encounters.encounter_count <> stays.encounter_count
    or stays.contradiction_count > 0
    or stays.excess_count > 0
