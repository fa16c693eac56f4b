{#- As safe_timestamp; a bare year, as older exporters write for a period of insurance, is its first moment. -#}
{% macro safe_timestamp_or_year(column) -%}
    {%- set value = biostar.clean_text(column) -%}
    case
        when length({{ column }}) < 10 and {{ value }} ~ '^(19[0-9]{2}|20[0-9]{2}|2100)$'
            then cast({{ value }} || '-01-01' as timestamp)
        else {{ biostar.safe_timestamp(column) }}
    end
{%- endmacro %}
