{#- Completed years of life on a day. Born on 29 February, one is a year older on 1 March of a common year. Counted by
    birthdays, because datediff(year, …) counts New Years: 31 December to 1 January would be a year.
    (https://docs.aws.amazon.com/redshift/latest/dg/r_DATEDIFF_function.html) -#}
{% macro age_in_years(birth_date, on_date) -%}
    cast(
        extract(year from {{ on_date }}) - extract(year from {{ birth_date }})
        - case
            when
                extract(month from {{ on_date }}) * 100 + extract(day from {{ on_date }})
                < extract(month from {{ birth_date }}) * 100 + extract(day from {{ birth_date }})
                then 1
            else 0
        end as integer
    )
{%- endmacro %}
