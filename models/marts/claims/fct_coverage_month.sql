{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='patient_key',
        on_schema_change='fail',
        dist='patient_key',
        sort=['month_date_key'],
        post_hook="{{ biostar.realign_patient_versions('month_start_date') }}"
    )
}}
-- dist: joins with the patient's claims stay on the node; sort: questions ask for ranges of months.

-- depends_on: {{ ref('stg_ehr__payer_transitions') }}
-- depends_on: {{ ref('stg_ehr__patients') }}

with

{% if is_incremental() %}
-- A patient's months are computed anew when a coverage period or the patient (and so, perhaps, a date of death) is
-- delivered. Every patient with a period has at least one row, so that the new rows always replace the old ones.
changed_patients as (

    select patient_id
    from {{ ref('stg_ehr__payer_transitions') }}
    where _load_id > (select coalesce(max(this._load_id), 0) from {{ this }} as this)

    union all

    select patient_id
    from {{ ref('stg_ehr__patients') }}
    where _load_id > (select coalesce(max(this._load_id), 0) from {{ this }} as this)

),
{% endif %}

coverage_spans as (

    select * from {{ ref('int_coverage__spans') }}
    {%- if is_incremental() %}
    where patient_id in (select changed_patients.patient_id from changed_patients)
    {%- endif %}

),

dates as (

    select * from {{ ref('dim_date') }}

),

-- A patient's first version is known without a join, so that only those who changed are looked up.
patient_versions as (

    select * from {{ ref('int_patients__versions') }}
    where version_number > 1

),

-- months are numbered through from the first one of the calendar
months as (

    select
        date_key as month_date_key,
        (year_number - 1900) * 12 + month_number - 1 as month_index,
        calendar_date as month_start_date,
        cast(date_trunc('month', calendar_date + 31) as date) as next_month_start_date,
        cast(calendar_date + {{ var('member_month_day', 15) | int - 1 }} as date) as member_month_date
    from dates
    where day_of_month = 1

),

bounded as (

    select
        coverage_spans.*,
        -- a span without a day is kept, with zero days, in the month in which it starts
        case when end_date > start_date then cast(end_date - 1 as date) else start_date end as last_date
    from coverage_spans

),

spans as (

    select
        {{ biostar.reference_key('patient_id') }} as patient_key,
        {{ biostar.first_patient_version_key('patient_id') }} as first_patient_version_key,
        {{ biostar.reference_key('payer_id') }} as payer_key,
        start_date,
        end_date,
        cast(extract(year from start_date) - 1900 as integer) * 12
        + cast(extract(month from start_date) as integer) - 1 as first_month_index,
        cast(extract(year from last_date) - extract(year from start_date) as integer) * 12
        + cast(extract(month from last_date) - extract(month from start_date) as integer) as following_month_count,
        _load_id
    from bounded

),

-- Which months a span of so many months has, counted from its first. With this the spans are joined with their months
-- by equality: a join by range takes five times as long.
span_lengths as (

    select distinct following_month_count from spans

),

month_offsets as (

    select
        span_lengths.following_month_count,
        months.month_index as month_offset
    from span_lengths
    inner join months
        on span_lengths.following_month_count >= months.month_index

),

span_months as (

    select
        spans.patient_key,
        spans.first_patient_version_key,
        spans.payer_key,
        months.month_date_key,
        months.month_start_date,
        months.next_month_start_date - months.month_start_date as days_in_month,
        least(spans.end_date, months.next_month_start_date)
        - greatest(spans.start_date, months.month_start_date) as covered_days,
        case
            when spans.start_date <= months.member_month_date and spans.end_date > months.member_month_date then 1
            else 0
        end as member_month_count,
        spans._load_id
    from spans
    inner join month_offsets
        on spans.following_month_count = month_offsets.following_month_count
    inner join months
        on spans.first_month_index + month_offsets.month_offset = months.month_index

),

coverage_months as (

    select
        patient_key,
        min(first_patient_version_key) as first_patient_version_key,
        payer_key,
        month_date_key,
        min(month_start_date) as month_start_date,
        min(days_in_month) as days_in_month,
        sum(covered_days) as covered_days,
        max(member_month_count) as member_month_count,
        max(_load_id) as _load_id
    from span_months
    group by
        patient_key,
        payer_key,
        month_date_key

),

fct_coverage_month as (

    select
        -- foreign keys
        cast(coverage_months.patient_key as bigint) as patient_key,
        cast(
            coalesce(patient_versions.patient_version_key, coverage_months.first_patient_version_key) as bigint
        ) as patient_version_key,
        cast(coverage_months.payer_key as bigint) as payer_key,
        cast(coverage_months.month_date_key as integer) as month_date_key,

        -- attributes
        cast(coverage_months.month_start_date as date) as month_start_date,

        -- facts
        cast(coverage_months.covered_days as integer) as covered_days,
        cast(coverage_months.days_in_month as integer) as days_in_month,
        cast(coverage_months.member_month_count as integer) as member_month_count,

        -- load
        cast(coverage_months._load_id as bigint) as _load_id
    from coverage_months
    left join patient_versions
        on
            coverage_months.patient_key = patient_versions.patient_key
            and coverage_months.month_start_date >= patient_versions.valid_from
            and coverage_months.month_start_date < patient_versions.valid_to

)

select * from fct_coverage_month
