{#- Whole seconds from one timestamp to another. -#}
{% macro seconds_between(first, second) -%}
    {{- return(adapter.dispatch('seconds_between', 'biostar')(first, second)) -}}
{%- endmacro %}

{% macro default__seconds_between(first, second) -%}
    datediff(second, {{ first }}, {{ second }})
{%- endmacro %}

{#- DuckDB takes the part as text. -#}
{% macro duckdb__seconds_between(first, second) -%}
    date_diff('second', {{ first }}, {{ second }})
{%- endmacro %}
