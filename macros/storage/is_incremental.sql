{#- dbt's own, but what needs no question to the server is asked first: so `dbt compile --no-introspect` shows the
    first build of an incremental model without a connection, and a full refresh looks nothing up. -#}
{% macro is_incremental() -%}
    {%- if
        not execute
        or flags.INTROSPECT == false
        or model.config.materialized != 'incremental'
        or should_full_refresh()
    -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set relation = adapter.get_relation(this.database, this.schema, this.table) -%}
    {{ return(relation is not none and relation.type == 'table') }}
{%- endmacro %}
