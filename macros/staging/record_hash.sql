{#- 128 bits as text, for what a 63-bit key is too narrow for: the identity of a row among billions. -#}
{% macro record_hash(columns) -%}
    md5(
        {%- for column in columns %}
        coalesce({{ column }}, '~') {%- if not loop.last %} || '|' ||{% endif -%}
        {%- endfor %}
    )
{%- endmacro %}
