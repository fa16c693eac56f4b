{#- Whole days from one date or timestamp to another, counted in midnights passed, as Redshift's datediff(day, …)
    counts: 23:59 to 00:01 is 1. Negative when the second comes first.
    (https://docs.aws.amazon.com/redshift/latest/dg/r_DATEDIFF_function.html) -#}
{% macro days_between(first, second) -%}
    cast(cast({{ second }} as date) - cast({{ first }} as date) as integer)
{%- endmacro %}
