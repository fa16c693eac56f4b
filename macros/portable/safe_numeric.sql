{#- An exact number, rounded half away from zero to the scale, or null where the text is not a number or too large.
    Accepted: digits, with a point between digits and a minus before them, and the exponent by which Java programs
    write doubles from ten million up (1.2345678E7). Not accepted: NaN, infinity, a sign +, digits grouped by comma or
    underscore.

    A number with an exponent goes by way of a double: Redshift's cast to decimal refuses the letter, while VARCHAR to
    FLOAT and FLOAT to DECIMAL are both in the manual's list
    (https://docs.aws.amazon.com/redshift/latest/dg/r_TRY_CAST.html). -#}
{% macro safe_numeric(column, precision, scale) -%}
    {%- set value = biostar.clean_text(column) -%}
    {%- set type = 'numeric(' ~ precision ~ ', ' ~ scale ~ ')' -%}
    case
        when {{ value }} ~ '^-?[0-9]+([.][0-9]+)?$' then try_cast({{ value }} as {{ type }})
        when {{ value }} ~ '^-?[0-9]+([.][0-9]+)?[eE][+-]?[0-9]{1,3}$'
            then try_cast(try_cast({{ value }} as double precision) as {{ type }})
    end
{%- endmacro %}
