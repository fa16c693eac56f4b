{#- 128 bits as text, for what a 63-bit key is too narrow for: the identity of a row among billions. Of the cleaned
    text of the columns, each null marked and the parts separated as in a key. -#}
{% macro record_hash(columns) -%}
    md5(
        {%- for column in columns %}
        coalesce({{ biostar.clean_text(column) }}, chr(30)) {%- if not loop.last %} || chr(31) ||{% endif -%}
        {%- endfor %}
    )
{%- endmacro %}


{#- As record_hash, of the text exactly as delivered: tells two versions of a record apart. -#}
{% macro row_hash(columns) -%}
    md5(
        {%- for column in columns %}
        coalesce({{ column }}, chr(30)) {%- if not loop.last %} || chr(31) ||{% endif -%}
        {%- endfor %}
    )
{%- endmacro %}
