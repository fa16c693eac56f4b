with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'organizations'),
        biostar.clean_text('id')
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
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

        -- what was parsed, as delivered
        lat as lat_text,
        lon as lon_text,
        revenue as revenue_text,
        utilization as utilization_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={'id': 'organization_id'},
            integers={'utilization': 'encounter_count'},
            amounts={'revenue': 'revenue_amount'},
            coordinates={'lat': 'latitude', 'lon': 'longitude'}
        ) }} as reject_reason
    from typed

)

select * from judged
