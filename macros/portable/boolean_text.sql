{#- true, false or null as text: a cast says t on one engine and true on the other. -#}
{% macro boolean_text(condition) -%}
    case when {{ condition }} then 'true' when not ({{ condition }}) then 'false' end
{%- endmacro %}
