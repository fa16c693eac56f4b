with source as (

    select * from {{ source('raw_ehr', 'organizations') }}

),

typed as (

    select
        -- identity
        {{ clean_text('id') }} as record_id,
        {{ record_hash([
            'id', 'name', 'address', 'city', 'state', 'zip', 'lat', 'lon', 'phone', 'revenue', 'utilization',
            'npi'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('id') }} as organization_id,

        -- attributes
        {{ clean_text('name') }} as organization_name,
        {{ clean_text('address') }} as street_address,
        {{ clean_text('city') }} as city,
        {{ clean_text('state') }} as state_code,
        {{ clean_text('zip') }} as postal_code,
        {{ safe_numeric('lat', 9, 6) }} as latitude,
        {{ safe_numeric('lon', 9, 6) }} as longitude,
        {{ clean_text('phone') }} as phone_number,
        {{ clean_text('npi') }} as npi,

        -- amounts and counts
        {{ safe_numeric('revenue', 18, 2) }} as revenue_amount,
        {{ safe_integer('utilization') }} as encounter_count,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['id'],
            integers=['utilization'],
            amounts=['revenue'],
            coordinates=['lat', 'lon']
        ) }} as reject_reason
    from source

)

select * from typed
