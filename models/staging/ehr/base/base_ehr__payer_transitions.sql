{%- set open_end = '^9999(-12-31([ T].*)?)?$' %}

with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'payer_transitions'),
        biostar.record_hash(['patient', 'start_date', 'payer'])
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
            'patient', 'memberid', 'start_date', 'end_date', 'payer', 'secondary_payer', 'plan_ownership',
            'owner_name'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('patient') }} as patient_id,
        {{ biostar.clean_text('memberid') }} as member_id,
        {{ biostar.clean_text('payer') }} as payer_id,
        {{ biostar.clean_text('secondary_payer') }} as secondary_payer_id,

        -- times
        {{ biostar.safe_timestamp_or_year('start_date') }} as coverage_start_at,
        -- Many systems write the year 9999 for "still covered", which is no end. An older exporter writes the final
        -- year of a period, which is covered to its end: CSVExporter.java of
        -- https://github.com/synthetichealth/synthea at commit 007fbbc
        case
            when {{ biostar.clean_text('end_date') }} ~ '{{ open_end }}' then cast(null as timestamp)
            when length({{ biostar.clean_text('end_date') }}) = 4
                then
                    {{ biostar.safe_timestamp_or_year(
                        "cast(" ~ biostar.safe_integer('end_date') ~ " + 1 as varchar(16))"
                    ) }}
            else {{ biostar.safe_timestamp_or_year('end_date') }}
        end as coverage_end_at,

        -- attributes
        {{ biostar.clean_text('plan_ownership') }} as plan_ownership,
        {{ biostar.clean_text('owner_name') }} as plan_owner_name,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,

        -- what was parsed, as delivered
        start_date as start_date_text,
        case
            when {{ biostar.clean_text('end_date') }} ~ '{{ open_end }}' then cast(null as varchar(40))
            else end_date
        end as end_date_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={
                'patient': 'patient_id',
                'start_date': 'coverage_start_at',
                'payer': 'payer_id',
            },
            timestamps_or_years={'start_date': 'coverage_start_at', 'end_date': 'coverage_end_at'},
            periods=[('coverage_start_at', 'coverage_end_at')]
        ) }} as reject_reason
    from typed

)

select * from judged
