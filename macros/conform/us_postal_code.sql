{#- The five digits of a ZIP code, however it was written: with the four digits of ZIP+4 or without, with a dash or
    without, and with the leading zeros that a spreadsheet takes away (NORWALK 6851 is 06851, and 21142696 is
    02114-2696). 00000 stands for "none" in the files. What is no ZIP code at all stays, in upper case. -#}
{% macro us_postal_code(column) -%}
    case
        when translate({{ column }}, '-0123456789', '') <> '' then upper({{ column }})
        when {{ column }} like '%-%' then lpad(split_part({{ column }}, '-', 1), 5, '0')
        when length({{ column }}) > 5 then substring(lpad({{ column }}, 9, '0'), 1, 5)
        when {{ column }} <> '00000' then lpad({{ column }}, 5, '0')
    end
{%- endmacro %}
