{#- A model's schema is the one it is configured with; a prefix is put before it only where the environment asks
    for one, so that pull requests and developers can share a cluster. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set prefix = env_var('BIOSTAR_SCHEMA_PREFIX', '') -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- else -%}
        {{ prefix }}{{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
