{#- The group's values as one text, in order, nulls left out. On Redshift at most 65,535 bytes, and on compute nodes
    only: not in a query without a table (https://docs.aws.amazon.com/redshift/latest/dg/r_LISTAGG.html). -#}
{% macro string_list(expression, order_by, separator=', ') -%}
    {{- return(adapter.dispatch('string_list', 'biostar')(expression, order_by, separator)) -}}
{%- endmacro %}

{% macro default__string_list(expression, order_by, separator) -%}
    listagg({{ expression }}, '{{ separator }}') within group (order by {{ order_by }})
{%- endmacro %}

{#- DuckDB has no WITHIN GROUP for text; the order stands inside the call. -#}
{% macro duckdb__string_list(expression, order_by, separator) -%}
    string_agg({{ expression }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}
