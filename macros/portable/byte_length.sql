{#- Length in bytes of UTF-8, which is what Redshift's varchar(n) limits. -#}
{% macro byte_length(column) -%}
    {{- return(adapter.dispatch('byte_length', 'biostar')(column)) -}}
{%- endmacro %}

{% macro default__byte_length(column) -%}
    octet_length({{ column }})
{%- endmacro %}

{#- DuckDB's octet_length takes binary data only; strlen counts bytes. -#}
{% macro duckdb__byte_length(column) -%}
    strlen({{ column }})
{%- endmacro %}
