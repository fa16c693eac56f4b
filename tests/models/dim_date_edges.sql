-- Calendars go wrong at their edges, and every star inherits it: leap years and centuries, weeks that belong to
-- another year than their days, the first and the last day. Expected values from ISO 8601 and the Gregorian rule.

with expected as (

    {% for date_key, day_name, day_of_year, iso_year, iso_week, is_leap_year, is_month_end, fiscal_year, fiscal_quarter
    in [
        (19000101, 'Monday', 1, 1900, 1, false, false, 1900, 2),
        (19000228, 'Wednesday', 59, 1900, 9, false, true, 1900, 2),
        (19991231, 'Friday', 365, 1999, 52, false, true, 2000, 1),
        (20000101, 'Saturday', 1, 1999, 52, true, false, 2000, 2),
        (20000229, 'Tuesday', 60, 2000, 9, true, true, 2000, 2),
        (20041231, 'Friday', 366, 2004, 53, true, true, 2005, 1),
        (20050101, 'Saturday', 1, 2004, 53, false, false, 2005, 2),
        (20081229, 'Monday', 364, 2009, 1, true, false, 2009, 1),
        (20100103, 'Sunday', 3, 2009, 53, false, false, 2010, 2),
        (20100104, 'Monday', 4, 2010, 1, false, false, 2010, 2),
        (20201231, 'Thursday', 366, 2020, 53, true, true, 2021, 1),
        (20240228, 'Wednesday', 59, 2024, 9, true, false, 2024, 2),
        (20240229, 'Thursday', 60, 2024, 9, true, true, 2024, 2),
        (20240930, 'Monday', 274, 2024, 40, true, true, 2024, 4),
        (20241001, 'Tuesday', 275, 2024, 40, true, false, 2025, 1),
        (20241230, 'Monday', 365, 2025, 1, true, false, 2025, 1),
        (21000228, 'Sunday', 59, 2100, 8, false, true, 2100, 2),
        (21001231, 'Friday', 365, 2100, 52, false, true, 2101, 1),
    ] -%}
    select
        {{ date_key }} as date_key,
        '{{ day_name }}' as day_name,
        {{ day_of_year }} as day_of_year,
        {{ iso_year }} as iso_year,
        {{ iso_week }} as iso_week,
        {{ is_leap_year }} as is_leap_year,
        {{ is_month_end }} as is_month_end,
        {{ fiscal_year }} as fiscal_year,
        {{ fiscal_quarter }} as fiscal_quarter
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}

),

dates as (

    select * from {{ ref('dim_date') }}

),

wrong_days as (

    select 'day ' || cast(expected.date_key as varchar(16)) as finding
    from expected
    left join dates
        on
            expected.date_key = dates.date_key
            and expected.day_name = dates.day_name
            and expected.day_of_year = dates.day_of_year
            and expected.iso_year = dates.iso_year
            and expected.iso_week = dates.iso_week
            and expected.is_leap_year = dates.is_leap_year
            and expected.is_month_end = dates.is_month_end
            and expected.fiscal_year = dates.fiscal_year
            and expected.fiscal_quarter = dates.fiscal_quarter
            and dates.is_weekend = (expected.day_name in ('Saturday', 'Sunday'))
            and dates.month_key = cast(floor(expected.date_key / 100.0) as integer)
    where dates.date_key is null

),

-- 201 years of which 49 are leap years (1900 and 2100 are none, 2000 is), and the two members that are no day
counts as (

    select
        count(*) as row_count,
        count(distinct calendar_date) as day_count,
        sum(case when is_month_end then 1 else 0 end) as month_count,
        sum(case when date_key in (-1, -2) and calendar_date is null then 1 else 0 end) as special_count
    from dates

),

wrong_counts as (

    select 'number of rows, days, months or special members' as finding
    from counts
    where
        row_count <> 201 * 365 + 49 + 2
        or day_count <> 201 * 365 + 49
        or month_count <> 201 * 12
        or special_count <> 2

)

select finding from wrong_days

union all

select finding from wrong_counts
