with source as (

    select * from {{ source('raw_ehr', 'providers') }}

),

typed as (

    select
        -- identity
        {{ biostar.clean_text('id') }} as record_id,
        {{ biostar.record_hash([
            'id', 'organization', 'name', 'gender', 'speciality', 'address', 'city', 'state', 'zip', 'lat',
            'lon', 'utilization', 'procedures', 'npi'
        ]) }} as row_hash,

        -- keys
        {{ biostar.clean_text('id') }} as provider_id,
        {{ biostar.clean_text('organization') }} as organization_id,

        -- attributes
        {{ biostar.clean_text('name') }} as provider_name,
        {{ biostar.clean_text('gender') }} as gender_code,
        {{ biostar.clean_text('speciality') }} as specialty,
        {{ biostar.clean_text('address') }} as street_address,
        {{ biostar.clean_text('city') }} as city,
        {{ biostar.clean_text('state') }} as state_code,
        {{ biostar.clean_text('zip') }} as postal_code,
        {{ biostar.safe_numeric('lat', 9, 6) }} as latitude,
        {{ biostar.safe_numeric('lon', 9, 6) }} as longitude,
        {{ biostar.clean_text('npi') }} as npi,

        -- amounts and counts
        {{ biostar.safe_integer('utilization') }} as encounter_count,
        {{ biostar.safe_integer('procedures') }} as procedure_count,

        -- load
        _load_id,
        _ingest_date,
        _loaded_at,
        {{ biostar.reject_reason(
            required=['id'],
            integers=['utilization', 'procedures'],
            coordinates=['lat', 'lon']
        ) }} as reject_reason
    from source

)

select * from typed
