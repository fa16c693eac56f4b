-- Without this a fact could lose rows in a join, double them, or keep those of a record that was sent again, and still
-- pass its grain and its keys. Rows, and money where there is some, from staging to each fact. Two facts sum rows up
-- on purpose and say how many (merged_row_count); the bridge leaves out conditions without an encounter.

with

{%- set facts = [
    ('fct_encounter', 'stg_ehr__encounters', 'count(*)', 'total_claim_amount'),
    ('fct_observation', 'stg_ehr__observations', 'count(*)', none),
    ('fct_medication_order', 'stg_ehr__medications', 'count(*)', 'total_cost_amount'),
    ('fct_procedure', 'stg_ehr__procedures', 'count(*)', 'base_cost_amount'),
    ('fct_immunization', 'stg_ehr__immunizations', 'count(*)', 'base_cost_amount'),
    ('fct_allergy', 'stg_ehr__allergies', 'count(*)', none),
    ('fct_careplan', 'stg_ehr__careplans', 'count(*)', none),
    ('fct_device_use', 'stg_ehr__devices', 'count(*)', none),
    ('fct_supply', 'stg_ehr__supplies', 'count(*)', 'supply_quantity'),
    ('fct_imaging_series', 'stg_ehr__imaging_studies', 'sum(merged_row_count)', none),
] %}

conditions as (

    select
        cast(count(*) as bigint) as row_count,
        cast(count(encounter_id) as bigint) as encounter_row_count
    from {{ ref('stg_ehr__conditions') }}

),

counted as (
    {% for fact, staged, rows, amount in facts -%}
    select
        '{{ fact }}' as model_name,
        cast(count(*) as bigint) as staged_row_count,
        cast(coalesce({{ 'sum(' ~ amount ~ ')' if amount else '0' }}, 0) as numeric(38, 2)) as staged_amount,
        cast(0 as bigint) as fact_row_count,
        cast(0 as numeric(38, 2)) as fact_amount
    from {{ ref(staged) }}

    union all

    select
        '{{ fact }}' as model_name,
        cast(0 as bigint) as staged_row_count,
        cast(0 as numeric(38, 2)) as staged_amount,
        cast(coalesce({{ rows }}, 0) as bigint) as fact_row_count,
        cast(coalesce({{ 'sum(' ~ amount ~ ')' if amount else '0' }}, 0) as numeric(38, 2)) as fact_amount
    from {{ ref(fact) }}

    union all

    {% endfor -%}
    {% for fact, staged_row_count in [
        ('fct_condition_episode', 'row_count'), ('bridge_encounter_diagnosis', 'encounter_row_count')
    ] -%}
    select
        '{{ fact }}' as model_name,
        {{ staged_row_count }} as staged_row_count,
        cast(0 as numeric(38, 2)) as staged_amount,
        cast(0 as bigint) as fact_row_count,
        cast(0 as numeric(38, 2)) as fact_amount
    from conditions

    union all

    select
        '{{ fact }}' as model_name,
        cast(0 as bigint) as staged_row_count,
        cast(0 as numeric(38, 2)) as staged_amount,
        cast(coalesce(sum(merged_row_count), 0) as bigint) as fact_row_count,
        cast(0 as numeric(38, 2)) as fact_amount
    from {{ ref(fact) }}
    {%- if not loop.last %}

    union all

    {% endif %}
    {%- endfor %}

),

compared as (

    select
        model_name,
        sum(staged_row_count) as staged_row_count,
        sum(fact_row_count) as fact_row_count,
        sum(staged_amount) as staged_amount,
        sum(fact_amount) as fact_amount
    from counted
    group by model_name

)

select *
from compared
where
    staged_row_count <> fact_row_count
    or staged_amount <> fact_amount
