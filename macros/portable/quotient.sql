{#- An amount of at most four decimals divided by a whole number, rounded half away from zero to the scale; null where
    the divisor is null or 0. -#}
{% macro quotient(amount, divisor, precision, scale) -%}
    {{- return(adapter.dispatch('quotient', 'biostar')(amount, divisor, precision, scale)) -}}
{%- endmacro %}

{#- Redshift divides numeric(18, 4) by an integer to 15 decimals
    (https://docs.aws.amazon.com/redshift/latest/dg/r_numeric_computations201.html), enough to round rightly. -#}
{% macro default__quotient(amount, divisor, precision, scale) -%}
    cast(
        cast({{ amount }} as numeric(18, 4)) / nullif(cast({{ divisor }} as integer), 0)
        as numeric({{ precision }}, {{ scale }})
    )
{%- endmacro %}

{#- DuckDB divides by way of a double: 77.49 by 2 is 38.745 and came out as 38.74. Whole numbers divide exactly: of
    both signs taken away, (2 x amount + divisor) / (2 x divisor), cut off, in units of the last decimal. -#}
{% macro duckdb__quotient(amount, divisor, precision, scale) -%}
    {%- set dividend = "cast(cast(" ~ amount ~ " as decimal(38, 4)) * 10000 as hugeint)" -%}
    cast(
        cast(
            case when {{ dividend }} < 0 then -1 else 1 end
            * case when {{ divisor }} < 0 then -1 else 1 end
            * divide(
                2 * {{ 10 ** scale }} * abs({{ dividend }}) + 10000 * abs(cast({{ divisor }} as hugeint)),
                nullif(20000 * abs(cast({{ divisor }} as hugeint)), 0)
            ) as decimal({{ precision }}, 0)
        ) * cast('{{ '%.*f' % (scale, 10 ** -scale) }}' as decimal({{ scale + 1 }}, {{ scale }}))
        as decimal({{ precision }}, {{ scale }})
    )
{%- endmacro %}
