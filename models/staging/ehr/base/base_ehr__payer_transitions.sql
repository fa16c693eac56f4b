with source as (

    select * from {{ source('raw_ehr', 'payer_transitions') }}

),

typed as (

    select
        -- identity
        {{ biostar.record_hash(['patient', 'start_date', 'payer']) }} as record_id,
        {{ biostar.record_hash([
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
        {{ biostar.safe_timestamp_or_year('end_date') }} as coverage_end_at,

        -- attributes
        {{ biostar.clean_text('plan_ownership') }} as plan_ownership,
        {{ biostar.clean_text('owner_name') }} as plan_owner_name,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['patient', 'start_date', 'payer'],
            timestamps_or_years=['start_date', 'end_date']
        ) }} as reject_reason
    from source

)

select * from typed
