{#- The text that identifies a row: the parts in their order, a null as U+001E, U+001F between the parts. Neither
    character occurs in the sources' text. -#}
{% macro key_text(columns) -%}
    {%- for column in columns -%}
        coalesce(cast({{ column }} as varchar(1024)), chr(30)) {%- if not loop.last %} || chr(31) || {% endif -%}
    {%- endfor -%}
{%- endmacro %}
