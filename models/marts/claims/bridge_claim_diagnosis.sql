{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='claim_id',
        on_schema_change='fail',
        dist='patient_key',
        sort=['service_date_key']
    )
}}
-- dist, sort: as fct_claim, the table that it is joined with.

with claims as (

    {{ biostar.rows_to_build(
        staged=ref('stg_ehr__claims'),
        base=ref('base_ehr__claims'),
        id='claim_id'
    ) }}

),

positions as (

    {% for position in range(1, 9) -%}
    select {{ position }} as diagnosis_position
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}

),

-- Position 1 always stands, with the unknown code where the claim names no diagnosis, so that a join with this bridge
-- keeps every claim (and a corrected claim always replaces its old rows).
diagnoses as (

    select
        claims.claim_id,
        claims.patient_id,
        claims.service_at,
        positions.diagnosis_position,
        case positions.diagnosis_position
            {%- for position in range(1, 9) %}
            when {{ position }} then claims.diagnosis_{{ position }}_code
            {%- endfor %}
        end as diagnosis_code,
        claims._load_id,
        claims._ingest_date
    from claims
    cross join positions

),

-- The exporter lists one diagnosis at two positions of a claim when two of its services refer to it.
ranked as (

    select
        diagnoses.*,
        row_number() over (
            partition by claim_id, diagnosis_code
            order by diagnosis_position
        ) as mention_number,
        count(*) over (partition by claim_id) as position_count
    from diagnoses
    where
        diagnosis_code is not null
        or diagnosis_position = 1

),

bridge_claim_diagnosis as (

    select
        -- foreign keys
        cast({{ biostar.reference_key('patient_id') }} as bigint) as patient_key,
        cast({{ biostar.code_key('condition', 'diagnosis_code') }} as bigint) as diagnosis_code_key,
        cast({{ biostar.date_key('service_at') }} as integer) as service_date_key,

        -- degenerate dimensions
        cast(claim_id as varchar(64)) as claim_id,
        cast(diagnosis_position as integer) as diagnosis_position,

        -- attributes
        cast(diagnosis_code as varchar(32)) as diagnosis_code,
        cast(diagnosis_position = 1 as boolean) as is_primary,
        cast(mention_number > 1 as boolean) as is_repeated,

        -- facts
        cast(position_count as integer) as position_count,

        -- load
        cast(_load_id as bigint) as _load_id,
        cast(_ingest_date as date) as _ingest_date
    from ranked

)

select * from bridge_claim_diagnosis
