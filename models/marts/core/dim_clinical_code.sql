{{
    config(
        dist='all',
        sort=['clinical_code_key']
    )
}}
-- dist: some thousands of codes, joined from every clinical fact

with code_references as (

    select * from {{ ref('stg_ehr__code_references') }}

),

members as (

    select
        {{ biostar.surrogate_key(['code_system', 'code']) }} as clinical_code_key,
        code_system,
        code,
        description,
        name_count,
        _load_id
    from code_references

    union all

    select
        cast(-1 as bigint) as clinical_code_key,
        null as code_system,
        null as code,
        'Unknown' as description,
        0 as name_count,
        cast(0 as bigint) as _load_id

    union all

    select
        cast(-2 as bigint) as clinical_code_key,
        null as code_system,
        null as code,
        'Not applicable' as description,
        0 as name_count,
        cast(0 as bigint) as _load_id

),

dim_clinical_code as (

    select
        -- key
        cast(clinical_code_key as bigint) as clinical_code_key,

        -- business key
        cast(code_system as varchar(64)) as code_system,
        cast(code as varchar(128)) as code,

        -- attributes
        cast(description as varchar(512)) as description,
        cast(name_count as integer) as name_count,

        -- load
        cast(_load_id as bigint) as _load_id
    from members

)

select * from dim_clinical_code
