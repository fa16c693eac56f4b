{#- Why a delivered row is refused; null when it is good. The first reason in the order below is given.

    Every argument but the last two maps a column of the file to the typed column that was made of it. What was parsed
    stands beside its text as delivered (<column>_text), so that a value that could not be read is told from one that
    is not there, without reading it twice.

      required              has a value
      dates, timestamps, timestamps_or_years, integers, amounts, coordinates
                            could be read, where there is a value
      averages              the same, but NaN, the average of nothing, is no value
      periods               [start, stop]: the typed stop is not before the typed start

    A reason names columns, never values. -#}
{% macro reject_reason(
    required={}, dates={}, timestamps={}, timestamps_or_years={}, integers={}, amounts={}, coordinates={}, averages={},
    periods=[]
) -%}
    {%- set readings = [
        (dates, 'not a date'), (timestamps, 'not a timestamp'),
        (timestamps_or_years, 'neither a timestamp nor a year'), (integers, 'not a whole number'),
        (amounts, 'not an amount'), (coordinates, 'not a coordinate'), (averages, 'not a number')
    ] -%}
    {%- set parsed = [] -%}
    {%- for columns, _ in readings -%}
        {%- do parsed.extend(columns.keys()) -%}
    {%- endfor -%}
    case
        {%- for column, typed in required.items() %}
        when {{ typed }} is null
            {%- if column in parsed %} and {{ biostar.clean_text(column ~ '_text') }} is null {%- endif %} then '{{ column }}: missing'
        {%- endfor %}
        {%- for columns, complaint in readings -%}
        {%- for column, typed in columns.items() %}
        when {{ typed }} is null and {{ biostar.clean_text(column ~ '_text') }} is not null
            {%- if column in averages %} and {{ column }}_text <> 'NaN' {%- endif %} then '{{ column }}: {{ complaint }}'
        {%- endfor %}
        {%- endfor %}
        {%- for start, stop in periods %}
        when {{ stop }} < {{ start }} then '{{ stop }}: before {{ start }}'
        {%- endfor %}
    end
{%- endmacro %}
