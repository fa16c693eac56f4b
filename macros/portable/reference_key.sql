{#- The key by which a fact refers to a dimension: the surrogate key of the natural key, or -1 (the unknown member)
    where a part of it is missing. -#}
{% macro reference_key(columns) -%}
    {%- set columns = [columns] if columns is string else columns -%}
    case
        when {% for column in columns %}{{ column }} is null {%- if not loop.last %} or {% endif %}{% endfor %} then cast(-1 as bigint)
        else {{ biostar.surrogate_key(columns) }}
    end
{%- endmacro %}
