{#- Text without spaces around it; nothing but spaces is null. Only the space character (U+0020) counts, on both
    engines: tabs, line ends and no-break spaces stay, because Redshift's trim leaves them too. -#}
{% macro clean_text(column) -%}
    {{- return(adapter.dispatch('clean_text', 'biostar')(column)) -}}
{%- endmacro %}

{#- Redshift: trim without characters removes spaces only
    (https://docs.aws.amazon.com/redshift/latest/dg/r_TRIM.html). -#}
{% macro default__clean_text(column) -%}
    nullif(trim({{ column }}), '')
{%- endmacro %}

{#- DuckDB: trim decodes every value as Unicode and removes every kind of space. Looking first whether there is a
    space at an end costs a tenth of that (2 million ids: 0.02 s against 0.23 s), and few values have one. -#}
{% macro duckdb__clean_text(column) -%}
    nullif(case when {{ column }} like ' %' or {{ column }} like '% ' then trim({{ column }}, ' ') else {{ column }} end, '')
{%- endmacro %}
