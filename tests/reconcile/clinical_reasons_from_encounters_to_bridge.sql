-- Without this an encounter could lose its reason in the bridge, or have two: each encounter with a reason has exactly
-- one diagnosis that is the reason, in the first position.

with encounters as (

    select
        encounter_id,
        reason_code_key
    from {{ ref('fct_encounter') }}
    where reason_code_key <> -1

),

reasons as (

    select
        encounter_id,
        diagnosis_code_key,
        diagnosis_position
    from {{ ref('bridge_encounter_diagnosis') }}
    where is_reason

),

compared as (

    select
        count(*) as row_count,
        sum(case when encounters.encounter_id is null then 1 else 0 end) as surplus_count,
        sum(case when reasons.encounter_id is null then 1 else 0 end) as missing_count,
        sum(
            case
                when reasons.diagnosis_code_key <> encounters.reason_code_key then 1
                when reasons.diagnosis_position <> 1 then 1
                else 0
            end
        ) as wrong_count
    from encounters
    full outer join reasons
        on encounters.encounter_id = reasons.encounter_id

)

select *
from compared
where
    surplus_count > 0
    or missing_count > 0
    or wrong_count > 0
