{#- What becomes of every delivered row of a base model, so that none is lost and none is doubled:

      newest_versions   the rows that stand: the newest good delivery of each record
      rejected_rows     the rows that are refused, each with its reason
      superseded_rows   the rows that a newer delivery, or an equal row of the same delivery, replaced

    A delivery is a load; of two loads the one with the later landing date is newer, and of the same date the one
    loaded later. Rejected rows do not compete: an older good row stands where the newer one is bad.

    keep_occurrences is for sources without an id: different rows with one natural key in one delivery all stand,
    numbered by their content. With an id only one can stand, the first by the hash of its content, so that every
    run and engine picks the same; the others are rejected as in conflict.

    Most records are delivered once. Only contested records (more than one row, good or not) are ranked; the others
    pass as they are, because a window over every row takes twice as long as reading them. Which are contested is
    told by the identities alone (identified_rows), before anything is parsed or hashed. -#}

{% macro newest_versions(base, keep_occurrences=false) -%}
    with ranked as (

        {{ biostar.ranked_versions(base) }}

    )

    select
        base.*,
        cast(1 as bigint) as delivery_rank,
        cast(1 as bigint) as copy_number,
        cast(1 as bigint) as occurrence_number
    from {{ base }} as base
    {{ biostar.late_filter('base.reject_reason is null and not base.is_contested') }}

    union all

    select ranked.*
    from ranked
    where
        ranked.delivery_rank = 1
        and ranked.copy_number = 1
        {%- if not keep_occurrences %}
        and ranked.occurrence_number = 1
        {%- endif %}
{%- endmacro %}


{% macro rejected_rows(base, keep_occurrences=false) -%}
    {%- if not keep_occurrences %}
with ranked as (

    {{ biostar.ranked_versions(base) }}

)

    {% endif %}
select
    record_id,
    cast(reject_reason as varchar(256)) as reject_reason,
    _load_id,
    _ingest_date,
    _loaded_at
from {{ base }} as base
{{ biostar.late_filter('base.reject_reason is not null') }}
    {%- if not keep_occurrences %}

union all

select
    record_id,
    cast('id: delivered with other values in the same load' as varchar(256)) as reject_reason,
    _load_id,
    _ingest_date,
    _loaded_at
from ranked
where
    delivery_rank = 1
    and copy_number = 1
    and occurrence_number > 1
    {%- endif %}
{%- endmacro %}


{% macro superseded_rows(base) -%}
    with ranked as (

        {{ biostar.ranked_versions(base) }}

    ),

    named as (

        select
            record_id,
            row_hash,
            _load_id,
            _ingest_date,
            first_value(_load_id) over (
                partition by record_id
                order by delivery_rank
                rows between unbounded preceding and unbounded following
            ) as superseded_by_load_id,
            delivery_rank,
            copy_number
        from ranked

    )

    select
        record_id,
        row_hash,
        _load_id,
        _ingest_date,
        superseded_by_load_id,
        delivery_rank = 1 as is_exact_copy
    from named
    where
        delivery_rank > 1
        or copy_number > 1
{%- endmacro %}


{#- The rows of a raw table, each with the identity of its record and whether that record has more than one row. -#}
{% macro identified_rows(relation, record_id) -%}
    select
        delivered.*,
        contested.record_id is not null as is_contested
    from (
        select
            landed.*,
            {{ record_id }} as record_id
        from {{ relation }} as landed
    ) as delivered
    left join (
        select {{ record_id }} as record_id
        from {{ relation }}
        group by {{ record_id }}
        having count(*) > 1
    ) as contested
        on delivered.record_id = contested.record_id
{%- endmacro %}


{% macro ranked_versions(base) -%}
    select
        base.*,
        dense_rank() over (
            partition by base.record_id
            order by base._ingest_date desc, base._load_id desc
        ) as delivery_rank,
        row_number() over (
            partition by base.record_id, base._load_id, base.row_hash
            order by base._loaded_at
        ) as copy_number,
        dense_rank() over (
            partition by base.record_id, base._load_id
            order by base.row_hash
        ) as occurrence_number
    from {{ base }} as base
    where
        base.reject_reason is null
        and base.is_contested
{%- endmacro %}
