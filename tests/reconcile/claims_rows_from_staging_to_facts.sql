-- Without this a join that drops or doubles claims, ledger lines or diagnoses would pass every test of keys and grain.
-- Rows per load: each staged row is one row of its fact, each filled position of a diagnosis one row of the bridge.

with claims as (

    select * from {{ ref('stg_ehr__claims') }}

),

staged as (

    select
        'fct_claim' as fact_name,
        _load_id,
        count(*) as row_count
    from claims
    group by _load_id

    union all

    select
        'fct_claim_transaction' as fact_name,
        _load_id,
        count(*) as row_count
    from {{ ref('stg_ehr__claims_transactions') }}
    group by _load_id

    union all

    select
        'bridge_claim_diagnosis' as fact_name,
        _load_id,
        sum(
            {%- for position in range(1, 9) %}
            case when diagnosis_{{ position }}_code is not null then 1 else 0 end{% if not loop.last %} +{% endif %}
            {%- endfor %}
        ) as row_count
    from claims
    group by _load_id

),

facts as (

    select
        'fct_claim' as fact_name,
        _load_id,
        count(*) as row_count
    from {{ ref('fct_claim') }}
    where not is_inferred
    group by _load_id

    union all

    select
        'fct_claim_transaction' as fact_name,
        _load_id,
        count(*) as row_count
    from {{ ref('fct_claim_transaction') }}
    group by _load_id

    union all

    select
        'bridge_claim_diagnosis' as fact_name,
        _load_id,
        sum(case when diagnosis_code is not null then 1 else 0 end) as row_count
    from {{ ref('bridge_claim_diagnosis') }}
    group by _load_id

)

select
    coalesce(staged.fact_name, facts.fact_name) as fact_name,
    coalesce(staged._load_id, facts._load_id) as _load_id,
    coalesce(staged.row_count, 0) as staged_count,
    coalesce(facts.row_count, 0) as fact_count
from staged
full outer join facts
    on
        staged.fact_name = facts.fact_name
        and staged._load_id = facts._load_id
where coalesce(staged.row_count, 0) <> coalesce(facts.row_count, 0)
