{#- The first day of the month, as a date: date_trunc gives a timestamp on Redshift and a date on DuckDB. -#}
{% macro month_start(date) -%}
    cast(date_trunc('month', {{ date }}) as date)
{%- endmacro %}
