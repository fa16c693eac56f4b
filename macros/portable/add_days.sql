{#- The date so many days later, or earlier when negative; a timestamp's time of day is dropped. -#}
{% macro add_days(date, days) -%}
    cast(cast({{ date }} as date) + cast({{ days }} as integer) as date)
{%- endmacro %}
