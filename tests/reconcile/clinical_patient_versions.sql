-- Without this a fact could sit at a version of its patient that was not valid when it happened, after a late drop or
-- an aborted run, and history would be told wrong with every key intact: each fact's version must cover its day, and
-- versions of a patient must follow each other without a gap from 1900 to 9999.

with versions as (

    select
        valid_from,
        valid_to,
        lead(valid_from) over (partition by patient_key order by valid_from) as next_valid_from,
        lag(valid_to) over (partition by patient_key order by valid_from) as previous_valid_to
    from {{ ref('dim_patient') }}

),

misplaced as (

    {{ biostar.facts_at_wrong_version([
        ('fct_encounter', 'cast(facts.started_at as date)'),
        ('fct_observation', 'cast(facts.observed_at as date)'),
        ('fct_medication_order', 'cast(facts.started_at as date)'),
        ('fct_procedure', 'cast(facts.started_at as date)'),
        ('fct_immunization', 'cast(facts.administered_at as date)'),
        ('fct_condition_episode', 'facts.onset_date'),
    ]) }}

),

broken as (

    select
        'versions' as finding,
        count(*) as row_count
    from versions
    where
        valid_from >= valid_to
        or valid_to <> coalesce(next_valid_from, cast('9999-12-31' as date))
        or valid_from <> coalesce(previous_valid_to, cast('1900-01-01' as date))

)

select * from misplaced

union all

select * from broken
where row_count > 0
