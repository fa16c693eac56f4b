{#- A timestamp in UTC without zone, or null where the text is not one. Accepted, on every engine and nothing else:

      YYYY-MM-DD
      YYYY-MM-DD HH:MM[:SS[.f]]   with a space or a T between; up to six decimals; at the end nothing, Z or ±HH:MM

    Years 1900 to 2100, hours 00 to 23, seconds 00 to 59, days that the calendar has. The pattern decides what a cast
    may see, because the engines' own casts differ: DuckDB takes 'infinity', 'epoch', '1992/1/1' and 24:00, Redshift
    takes 'Jan-08-95 BC' and 'J2451187' (https://docs.aws.amazon.com/redshift/latest/dg/automatic-recognition.html).
    Both ignore or refuse the offset in a cast to timestamp; here it is subtracted. -#}
{% macro safe_timestamp(column) -%}
    {{- return(adapter.dispatch('safe_timestamp', 'biostar')(column)) -}}
{%- endmacro %}

{#- Redshift: the manual shows ISO 8601 with T and Z for COPY, but not for a cast to a type without zone; the two
    letters are taken away first. TRY_CAST from VARCHAR to TIMESTAMP is in the manual's list
    (https://docs.aws.amazon.com/redshift/latest/dg/r_TRY_CAST.html). -#}
{% macro default__safe_timestamp(column) -%}
    {%- set value = biostar.clean_text(column) -%}
    case
        when {{ value }} ~ '{{ biostar.timestamp_pattern('seconds') }}'
            then try_cast(replace(replace({{ value }}, 'T', ' '), 'Z', '') as timestamp)
        when {{ value }} ~ '{{ biostar.timestamp_pattern('minutes') }}'
            then try_cast(replace(substring({{ value }}, 1, 16), 'T', ' ') as timestamp)
        when {{ value }} ~ '{{ biostar.timestamp_pattern('offset') }}'
            then dateadd(
                minute,
                {{ biostar.offset_minutes(value) }},
                try_cast(replace(substring({{ value }}, 1, length({{ value }}) - 6), 'T', ' ') as timestamp)
            )
    end
{%- endmacro %}

{#- DuckDB reads T and Z itself, and each replace would cost as much as the cast. It has no dateadd. -#}
{% macro duckdb__safe_timestamp(column) -%}
    {%- set value = biostar.clean_text(column) -%}
    case
        when {{ value }} ~ '{{ biostar.timestamp_pattern('seconds') }}'
            then try_cast({{ value }} as timestamp)
        when {{ value }} ~ '{{ biostar.timestamp_pattern('minutes') }}'
            then try_cast(substring({{ value }}, 1, 16) as timestamp)
        when {{ value }} ~ '{{ biostar.timestamp_pattern('offset') }}'
            then
                try_cast(substring({{ value }}, 1, length({{ value }}) - 6) as timestamp)
                + to_minutes({{ biostar.offset_minutes(value) }})
    end
{%- endmacro %}

{% macro timestamp_pattern(form) -%}
    {%- set day = '(19[0-9]{2}|20[0-9]{2}|2100)-[0-9]{2}-[0-9]{2}' -%}
    {%- set minute = '[ T]([01][0-9]|2[0-3]):[0-5][0-9]' -%}
    {%- set second = ':[0-5][0-9]([.][0-9]{1,6})?' -%}
    {%- set patterns = {
        'seconds': '^' ~ day ~ '(' ~ minute ~ second ~ 'Z?)?$',
        'minutes': '^' ~ day ~ minute ~ 'Z?$',
        'offset': '^' ~ day ~ minute ~ '(' ~ second ~ ')?[+-]([01][0-9]|2[0-3]):[0-5][0-9]$',
    } -%}
    {{- return(patterns[form]) -}}
{%- endmacro %}

{#- Minutes to add to a local time that ends with its offset from UTC, such as +02:00, to get UTC. -#}
{% macro offset_minutes(value) -%}
    case when substring({{ value }}, length({{ value }}) - 5, 1) = '+' then -1 else 1 end * (
        cast(substring({{ value }}, length({{ value }}) - 4, 2) as integer) * 60
        + cast(substring({{ value }}, length({{ value }}) - 1, 2) as integer)
    )
{%- endmacro %}
