{#- A dimension's key: 63 bits of the MD5 of the natural key, as a bigint that is never negative, so that a fact
    computes it without a join. Parts are separated and nulls marked by control characters, so that ('a', null) and
    (null, 'a') differ, and so do ('a|b', 'c') and ('a', 'b|c').

    The 63 bits are the leading ones of the digest read from its end, digit by digit: an order that each engine can
    produce cheaply (see the variants). Columns: text, whole numbers and dates, whose text is the same on all
    engines; cast anything else to text first.

    null_if_missing   true: the key is null where a part of it is null, for reference_key -#}
{% macro surrogate_key(columns, null_if_missing=false) -%}
    {%- set columns = [columns] if columns is string else columns -%}
    {%- if columns | length == 0 -%}
        {{ exceptions.raise_compiler_error("surrogate_key: no column given") }}
    {%- endif -%}
    {{- return(adapter.dispatch('surrogate_key', 'biostar')(columns, null_if_missing)) -}}
{%- endmacro %}

{#- Redshift: strtol reads at most a signed 64-bit number, hence 15 hexadecimal digits and then half of the 16th
    (https://docs.aws.amazon.com/redshift/latest/dg/r_STRTOL.html). -#}
{% macro default__surrogate_key(columns, null_if_missing=false) -%}
    {%- set digest = "reverse(md5(" ~ biostar.key_text(columns, not null_if_missing) ~ "))" -%}
    (strtol(substring({{ digest }}, 1, 15), 16) * 8 + strtol(substring({{ digest }}, 16, 1), 16) / 2)
{%- endmacro %}

{#- DuckDB has no strtol, and reading a number from hexadecimal text takes three times as long as taking it from
    md5_number. That number holds the digest's bytes last byte first; read from its end digit by digit, the two
    digits of each byte change places too, hence the masks (0x0F0F… and, one bit to the right, 0x0787…). -#}
{% macro duckdb__surrogate_key(columns, null_if_missing=false) -%}
    {%- set tail = "cast(md5_number(" ~ biostar.key_text(columns, not null_if_missing) ~ ") >> 64 as ubigint)" -%}
    cast(({{ tail }} & 1085102592571150095) * 8 + (({{ tail }} >> 5) & 542551296285575047) as bigint)
{%- endmacro %}
