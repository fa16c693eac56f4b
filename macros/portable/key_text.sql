{#- The text that identifies a row: the parts in their order, U+001F between the parts, a null as U+001E. Neither
    character occurs in the sources' text. Without the marks the text is null where a part is null. -#}
{% macro key_text(columns, mark_nulls=true) -%}
    {%- for column in columns -%}
        {%- if mark_nulls -%}
        coalesce(cast({{ column }} as varchar(1024)), chr(30))
        {%- else -%}
        cast({{ column }} as varchar(1024))
        {%- endif -%}
        {%- if not loop.last %} || chr(31) || {% endif -%}
    {%- endfor -%}
{%- endmacro %}
