{#- A date, or null where the text is neither a date nor a timestamp that safe_timestamp accepts, of which it is the
    day in UTC. -#}
{% macro safe_date(column) -%}
    cast({{ biostar.safe_timestamp(column) }} as date)
{%- endmacro %}
