with source as (

    select * from {{ source('raw_ehr', 'organizations') }}

),

typed as (

    select
        -- identity
        {{ biostar.clean_text('id') }} as record_id,
        {{ biostar.record_hash([
            'id', 'name', 'address', 'city', 'state', 'zip', 'lat', 'lon', 'phone', 'revenue', 'utilization',
            'npi'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('id') }} as organization_id,

        -- attributes
        {{ biostar.clean_text('name') }} as organization_name,
        {{ biostar.clean_text('address') }} as street_address,
        {{ biostar.clean_text('city') }} as city,
        {{ biostar.clean_text('state') }} as state_code,
        {{ biostar.clean_text('zip') }} as postal_code,
        {{ biostar.safe_numeric('lat', 9, 6) }} as latitude,
        {{ biostar.safe_numeric('lon', 9, 6) }} as longitude,
        {{ biostar.clean_text('phone') }} as phone_number,
        {{ biostar.clean_text('npi') }} as npi,

        -- amounts and counts
        {{ biostar.safe_numeric('revenue', 18, 2) }} as revenue_amount,
        {{ biostar.safe_integer('utilization') }} as encounter_count,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['id'],
            integers=['utilization'],
            amounts=['revenue'],
            coordinates=['lat', 'lon']
        ) }} as reject_reason
    from source

)

select * from typed
