{#- Every value of a key column exists in the dimension that it points to; one query for all columns of a model.

    keys   column: dimension's relation or [relation, its key column]. The key column is, unless given, the column of
           the same name in the dimension.

    A null counts as an orphan: a fact's key is -1 or -2 where there is no member. Failing rows carry the column and
    counts, never the keys' values.

    The distinct values of the fact are compared, not its rows: a fact has far fewer members than rows. -#}
{% test foreign_keys(model, keys) %}

with
{%- for column, target in keys.items() %}
{%- set pair = target is not string and target is not mapping %}
{%- set relation = target[0] if pair else target %}
{%- set key = target[1] if pair else column %}

{{ column }}_orphans as (

    select
        cast('{{ column }}' as varchar(128)) as column_name,
        count(*) as orphan_key_count,
        sum(facts.row_count) as orphan_row_count
    from (
        select
            {{ column }},
            count(*) as row_count
        from {{ model }}
        group by {{ column }}
    ) as facts
    left join {{ relation }} as dimension
        on facts.{{ column }} = dimension.{{ key }}
    where dimension.{{ key }} is null

){% if not loop.last %},{% endif %}
{%- endfor %}

{% for column in keys %}
select
    column_name,
    orphan_key_count,
    orphan_row_count
from {{ column }}_orphans
where orphan_key_count > 0
{%- if not loop.last %}

union all

{% endif %}
{%- endfor %}

{% endtest %}
