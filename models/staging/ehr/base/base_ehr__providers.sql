with source as (

    select * from {{ source('raw_ehr', 'providers') }}

),

typed as (

    select
        -- identity
        {{ clean_text('id') }} as record_id,
        {{ record_hash([
            'id', 'organization', 'name', 'gender', 'speciality', 'address', 'city', 'state', 'zip', 'lat',
            'lon', 'utilization', 'procedures', 'npi'
        ]) }} as row_hash,

        -- keys
        {{ clean_text('id') }} as provider_id,
        {{ clean_text('organization') }} as organization_id,

        -- attributes
        {{ clean_text('name') }} as provider_name,
        {{ clean_text('gender') }} as gender_code,
        {{ clean_text('speciality') }} as specialty,
        {{ clean_text('address') }} as street_address,
        {{ clean_text('city') }} as city,
        {{ clean_text('state') }} as state_code,
        {{ clean_text('zip') }} as postal_code,
        {{ safe_numeric('lat', 9, 6) }} as latitude,
        {{ safe_numeric('lon', 9, 6) }} as longitude,
        {{ clean_text('npi') }} as npi,

        -- amounts and counts
        {{ safe_integer('utilization') }} as encounter_count,
        {{ safe_integer('procedures') }} as procedure_count,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ reject_reason(
            required=['id'],
            integers=['utilization', 'procedures'],
            coordinates=['lat', 'lon']
        ) }} as reject_reason
    from source

)

select * from typed
