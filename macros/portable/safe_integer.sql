{#- A whole number of 32 bits, or null where the text is not one: digits, and a minus before them at most; zeros after
    a point are let through (5.0), because programs that hold a column with gaps as floats write whole numbers so.

    The pattern comes first because DuckDB's cast also takes '5.5' (as 6), '1e3', '0x10', '1_000' and ' 5', which
    Redshift's refuses. Both answer null to a number that is too large. -#}
{% macro safe_integer(column) -%}
    {%- set value = biostar.clean_text(column) -%}
    case
        when {{ value }} ~ '^-?[0-9]+$' then try_cast({{ value }} as integer)
        when {{ value }} ~ '^-?[0-9]+[.]0+$' then try_cast(split_part({{ value }}, '.', 1) as integer)
    end
{%- endmacro %}
