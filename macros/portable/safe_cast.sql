{#- Null instead of an error where the text is not of the type. -#}
{% macro safe_timestamp(column) -%}
    {{ return(adapter.dispatch('safe_timestamp', 'biostar')(column)) }}
{%- endmacro %}
{% macro default__safe_timestamp(column) -%}
    try_cast({{ biostar.clean_text(column) }} as timestamp)
{%- endmacro %}
{% macro safe_timestamp_or_year(column) -%}
    case
        when length(trim({{ column }})) = 4 then {{ biostar.safe_timestamp("trim(" ~ column ~ ") || '-01-01'") }}
        else {{ biostar.safe_timestamp(column) }}
    end
{%- endmacro %}
{% macro safe_date(column) -%}
    {{ return(adapter.dispatch('safe_date', 'biostar')(column)) }}
{%- endmacro %}
{% macro default__safe_date(column) -%}
    try_cast({{ biostar.clean_text(column) }} as date)
{%- endmacro %}
{% macro safe_integer(column) -%}
    try_cast({{ biostar.clean_text(column) }} as integer)
{%- endmacro %}
{% macro safe_numeric(column, precision, scale) -%}
    try_cast({{ biostar.clean_text(column) }} as numeric({{ precision }}, {{ scale }}))
{%- endmacro %}
