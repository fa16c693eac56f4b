{#- The Monday of the week, as a date. Both engines truncate a week to its Monday; days of the week are numbered
    differently (Redshift's dow from Sunday = 0), so take the week from here.
    (https://docs.aws.amazon.com/redshift/latest/dg/r_DATE_TRUNC.html) -#}
{% macro week_start(date) -%}
    cast(date_trunc('week', {{ date }}) as date)
{%- endmacro %}
