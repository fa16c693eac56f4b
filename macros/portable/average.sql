{#- The mean as a double: Redshift's avg of whole numbers is itself a whole number, cut off
    (https://docs.aws.amazon.com/redshift/latest/dg/r_AVG.html). -#}
{% macro average(expression) -%}
    avg(cast({{ expression }} as double precision))
{%- endmacro %}
