{#- A dimension's key: 63 bits of the MD5 of the natural key, as a bigint that is never negative, so that a fact
    computes it without a join. Parts are separated and nulls marked, so that ('a', null) and (null, 'a') differ. -#}
{% macro surrogate_key(columns) -%}
    {{ return(adapter.dispatch('surrogate_key', 'biostar')(columns)) }}
{%- endmacro %}

{% macro default__surrogate_key(columns) -%}
    {{ exceptions.raise_compiler_error("surrogate_key has no variant for this adapter") }}
{%- endmacro %}

{% macro duckdb__surrogate_key(columns) -%}
    {%- set digest = "md5(" ~ biostar.key_text(columns) ~ ")" -%}
    (('0x' || substring({{ digest }}, 1, 15))::bigint * 8 + ('0x' || substring({{ digest }}, 16, 1))::bigint // 2)
{%- endmacro %}

{#- Redshift: strtol reads at most a signed 64-bit number, hence 15 hexadecimal digits and then half of the 16th
    (https://docs.aws.amazon.com/redshift/latest/dg/r_STRTOL.html). -#}
{% macro redshift__surrogate_key(columns) -%}
    {%- set digest = "md5(" ~ biostar.key_text(columns) ~ ")" -%}
    (strtol(substring({{ digest }}, 1, 15), 16) * 8 + strtol(substring({{ digest }}, 16, 1), 16) / 2)
{%- endmacro %}

{#- The text that identifies a row: the parts, each with its nulls marked, joined by a separator. -#}
{% macro key_text(columns) -%}
    {%- for column in columns -%}
        coalesce(cast({{ column }} as varchar(1024)), '~') {%- if not loop.last %} || '|' || {% endif -%}
    {%- endfor -%}
{%- endmacro %}
