-- Without this a fact could sit at a version of its patient that was not valid when it happened, after a late drop or
-- an aborted run, and history would be told wrong with every key intact: each fact's version must cover its day, and
-- versions of a patient must follow each other without a gap from 1900 to 9999.

with versions as (

    select
        patient_key,
        patient_version_key,
        valid_from,
        valid_to,
        lead(valid_from) over (partition by patient_key order by valid_from) as next_valid_from,
        lag(valid_to) over (partition by patient_key order by valid_from) as previous_valid_to
    from {{ ref('dim_patient') }}

),

facts as (

    {% for fact, event_date in [
        ('fct_encounter', 'cast(started_at as date)'),
        ('fct_observation', 'cast(observed_at as date)'),
        ('fct_medication_order', 'cast(started_at as date)'),
        ('fct_procedure', 'cast(started_at as date)'),
        ('fct_immunization', 'cast(administered_at as date)'),
        ('fct_condition_episode', 'onset_date'),
    ] -%}
    select
        '{{ fact }}' as model_name,
        patient_key,
        patient_version_key,
        {{ event_date }} as event_date
    from {{ ref(fact) }}
    {%- if not loop.last %}

    union all

    {% endif %}
    {%- endfor %}

),

misplaced as (

    select
        facts.model_name as finding,
        count(*) as row_count
    from facts
    inner join versions
        on facts.patient_version_key = versions.patient_version_key
    where
        facts.patient_key <> versions.patient_key
        or facts.event_date >= versions.valid_to
        or (facts.event_date < versions.valid_from and versions.valid_from > cast('1900-01-01' as date))
    group by facts.model_name

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
