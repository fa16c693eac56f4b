{#- Fails with the number of rows that share the grain with another one. One row at most is returned, without the
    values of the grain: they may identify patients, and what dbt stores or prints of a failure must not. -#}
{% test unique_grain(model, columns) %}

with duplicates as (

    select count(*) as row_count
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1

),

summary as (

    select
        cast('{{ columns | join(', ') }}' as varchar(1024)) as grain,
        count(*) as duplicated_count,
        sum(row_count) as row_count
    from duplicates

)

select
    grain,
    duplicated_count,
    row_count
from summary
where duplicated_count > 0

{% endtest %}
