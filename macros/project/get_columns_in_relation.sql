{#- The adapter's DESCRIBE binds a view down to the raw tables: 0.2 s for a staging view, where the catalog answers in
    0.01 s with the same names and types. dbt asks once for every relation whose columns it comments. -#}
{% macro duckdb__get_columns_in_relation(relation) -%}
    {% call statement('get_columns_in_relation', fetch_result=True) %}
        select
            column_name,
            data_type,
            cast(null as bigint) as character_maximum_length,
            cast(null as bigint) as numeric_precision,
            cast(null as bigint) as numeric_scale
        from duckdb_columns()
        where
            lower(table_name) = lower('{{ relation.identifier }}')
            -- dbt's temporary tables stand in a database of their own, whatever the relation says
            and (
                database_name = 'temp'
                or (
                    lower(schema_name) = lower('{{ relation.schema }}')
                    and lower(database_name) = lower('{{ relation.database or target.database }}')
                )
            )
        order by column_index
    {% endcall %}
    {{ return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) }}
{%- endmacro %}
