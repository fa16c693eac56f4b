{#- The key of a day in dim_date, yyyymmdd; -1 (unknown) where there is no date, or one outside of the calendar. -#}
{% macro date_key(column) -%}
    case
        when {{ column }} >= cast('1900-01-01' as date) and {{ column }} < cast('2101-01-01' as date)
            then cast(
                extract(year from {{ column }}) * 10000
                + extract(month from {{ column }}) * 100
                + extract(day from {{ column }}) as integer
            )
        else -1
    end
{%- endmacro %}
