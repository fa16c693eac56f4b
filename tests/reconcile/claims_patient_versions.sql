-- Without this a claim, a line of its ledger or a month of coverage could sit at a version of its patient that was not
-- valid then, or at another patient's, and costs would be told of the wrong address with every key intact.

with versions as (

    select
        patient_key,
        patient_version_key,
        valid_from,
        valid_to
    from {{ ref('dim_patient') }}

),

facts as (

    {% for fact, event_date in [
        ('fct_claim', 'cast(service_at as date)'),
        ('fct_claim_transaction', 'cast(coalesce(from_at, to_at) as date)'),
        ('fct_coverage_month', 'month_start_date'),
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

)

select
    facts.model_name,
    count(*) as row_count
from facts
inner join versions
    on facts.patient_version_key = versions.patient_version_key
where
    facts.patient_key <> versions.patient_key
    or facts.event_date >= versions.valid_to
    or facts.event_date < versions.valid_from
group by facts.model_name
