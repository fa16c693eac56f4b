{{
    config(
        dist='all',
        sort=['date_key']
    )
}}
-- dist: joined from every fact; sort: range filters on dates

with digits as (

    {% for digit in range(10) -%}
    select {{ digit }} as digit
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}

),

day_numbers as (

    select
        ones.digit
        + 10 * tens.digit
        + 100 * hundreds.digit
        + 1000 * thousands.digit
        + 10000 * ten_thousands.digit as day_number
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
    cross join digits as ten_thousands

),

calendar as (

    select cast(cast('1900-01-01' as date) + day_number as date) as calendar_date
    from day_numbers
    where day_number <= cast('2100-12-31' as date) - cast('1900-01-01' as date)

),

parts as (

    select
        calendar_date,
        cast(extract(year from calendar_date) as integer) as year_number,
        cast(extract(month from calendar_date) as integer) as month_number,
        cast(extract(day from calendar_date) as integer) as day_of_month,
        cast(extract(doy from calendar_date) as integer) as day_of_year,
        -- Sunday is 0 on all engines; ISO 8601 counts from Monday, 1, to Sunday, 7
        cast(mod(cast(extract(dow from calendar_date) as integer) + 6, 7) + 1 as integer) as day_of_week
    from calendar

),

-- the Thursday of a week says to which year the week belongs, and its day of the year which week it is (ISO 8601)
weeks as (

    select
        calendar_date,
        year_number,
        month_number,
        day_of_month,
        day_of_year,
        day_of_week,
        cast(calendar_date + (4 - day_of_week) as date) as thursday,
        cast(calendar_date + 1 as date) as next_date
    from parts

),

described as (

    select
        year_number * 10000 + month_number * 100 + day_of_month as date_key,
        calendar_date,
        cast(calendar_date as varchar(16)) as date_name,

        day_of_week,
        case day_of_week
            when 1 then 'Monday'
            when 2 then 'Tuesday'
            when 3 then 'Wednesday'
            when 4 then 'Thursday'
            when 5 then 'Friday'
            when 6 then 'Saturday'
            when 7 then 'Sunday'
        end as day_name,
        day_of_week >= 6 as is_weekend,
        day_of_month,
        day_of_year,

        cast(extract(year from thursday) as integer) as iso_year,
        cast(floor((cast(extract(doy from thursday) as integer) - 1) / 7.0) as integer) + 1 as iso_week,

        year_number * 100 + month_number as month_key,
        month_number,
        case month_number
            when 1 then 'January'
            when 2 then 'February'
            when 3 then 'March'
            when 4 then 'April'
            when 5 then 'May'
            when 6 then 'June'
            when 7 then 'July'
            when 8 then 'August'
            when 9 then 'September'
            when 10 then 'October'
            when 11 then 'November'
            when 12 then 'December'
        end as month_name,
        cast(calendar_date - (day_of_month - 1) as date) as month_start_date,
        extract(day from next_date) = 1 as is_month_end,

        cast(ceiling(month_number / 3.0) as integer) as quarter_number,
        year_number,
        mod(year_number, 4) = 0 and (mod(year_number, 100) <> 0 or mod(year_number, 400) = 0) as is_leap_year,

        -- of the United States government, from October to September (31 U.S.C. 1102)
        year_number + case when month_number >= 10 then 1 else 0 end as fiscal_year,
        mod(cast(ceiling(month_number / 3.0) as integer), 4) + 1 as fiscal_quarter
    from weeks

),

members as (

    select * from described

    {% for key, name in [(-1, 'Unknown'), (-2, 'Not applicable')] -%}
    union all

    select
        {{ key }} as date_key,
        null as calendar_date,
        '{{ name }}' as date_name,
        null as day_of_week,
        '{{ name }}' as day_name,
        null as is_weekend,
        null as day_of_month,
        null as day_of_year,
        null as iso_year,
        null as iso_week,
        {{ key }} as month_key,
        null as month_number,
        '{{ name }}' as month_name,
        null as month_start_date,
        null as is_month_end,
        null as quarter_number,
        null as year_number,
        null as is_leap_year,
        null as fiscal_year,
        null as fiscal_quarter

    {% endfor %}
),

dim_date as (

    select
        -- key
        cast(date_key as integer) as date_key,

        -- the day
        cast(calendar_date as date) as calendar_date,
        cast(date_name as varchar(16)) as date_name,
        cast(day_of_week as integer) as day_of_week,
        cast(day_name as varchar(16)) as day_name,
        is_weekend,
        cast(day_of_month as integer) as day_of_month,
        cast(day_of_year as integer) as day_of_year,

        -- the week
        cast(iso_year as integer) as iso_year,
        cast(iso_week as integer) as iso_week,

        -- the month
        cast(month_key as integer) as month_key,
        cast(month_number as integer) as month_number,
        cast(month_name as varchar(16)) as month_name,
        cast(month_start_date as date) as month_start_date,
        is_month_end,

        -- the quarter and the year
        cast(quarter_number as integer) as quarter_number,
        cast(year_number as integer) as year_number,
        is_leap_year,
        cast(fiscal_year as integer) as fiscal_year,
        cast(fiscal_quarter as integer) as fiscal_quarter
    from members

)

select * from dim_date
