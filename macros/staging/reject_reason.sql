{% macro reject_reason(required=[], dates=[], timestamps=[], timestamps_or_years=[], integers=[], amounts=[], coordinates=[]) -%}
    case
        {%- for column in required %}
        when {{ biostar.clean_text(column) }} is null then '{{ column | replace('"', '') }}: missing'
        {%- endfor %}
        {%- for column in dates %}
        when {{ biostar.clean_text(column) }} is not null and {{ biostar.safe_date(column) }} is null then '{{ column }}: not a date'
        {%- endfor %}
        {%- for column in timestamps %}
        when {{ biostar.clean_text(column) }} is not null and {{ biostar.safe_timestamp(column) }} is null then '{{ column }}: not a timestamp'
        {%- endfor %}
        {%- for column in timestamps_or_years %}
        when {{ biostar.clean_text(column) }} is not null and {{ biostar.safe_timestamp_or_year(column) }} is null then '{{ column }}: neither a timestamp nor a year'
        {%- endfor %}
        {%- for column in integers %}
        when {{ biostar.clean_text(column) }} is not null and {{ biostar.safe_integer(column) }} is null then '{{ column }}: not a whole number'
        {%- endfor %}
        {%- for column in amounts %}
        when {{ biostar.clean_text(column) }} is not null and {{ biostar.safe_numeric(column, 18, 2) }} is null then '{{ column }}: not an amount'
        {%- endfor %}
        {%- for column in coordinates %}
        when {{ biostar.clean_text(column) }} is not null and {{ biostar.safe_numeric(column, 9, 6) }} is null then '{{ column }}: not a coordinate'
        {%- endfor %}
    end
{%- endmacro %}
