{#- The key of a place in dim_geography: state, city and postal code in one spelling; -1 where all three are missing.
    The county is not part of it, because providers and payers are delivered without one. -#}
{% macro geography_key(state, city, postal_code) -%}
    case
        when {{ state }} is null and {{ city }} is null and {{ postal_code }} is null then cast(-1 as bigint)
        else {{ biostar.surrogate_key([state, 'upper(' ~ city ~ ')', postal_code]) }}
    end
{%- endmacro %}
