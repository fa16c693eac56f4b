with source as (

    {{ biostar.identified_rows(
        source('raw_ehr', 'providers'),
        biostar.clean_text('id')
    ) }}

),

typed as (

    select
        -- identity
        record_id,
        is_contested,
        {{ biostar.row_hash([
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

        -- what was parsed, as delivered
        lat as lat_text,
        lon as lon_text,
        utilization as utilization_text,
        procedures as procedures_text
    from source

),

judged as (

    select
        typed.*,
        {{ biostar.reject_reason(
            required={'id': 'provider_id'},
            integers={'utilization': 'encounter_count', 'procedures': 'procedure_count'},
            coordinates={'lat': 'latitude', 'lon': 'longitude'}
        ) }} as reject_reason
    from typed

)

select * from judged
