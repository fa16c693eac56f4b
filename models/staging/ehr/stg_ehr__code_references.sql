with code_references as (

    select * from {{ ref('base_ehr__code_references') }}

),

counted_names as (

    select
        code_system,
        code,
        description,
        sum(row_count) as row_count,
        min(_load_id) as _load_id
    from code_references
    group by code_system, code, description

),

ranked_names as (

    select
        code_system,
        code,
        description,
        row_count,
        _load_id,
        row_number() over (
            partition by code_system, code
            order by case when description is null then 1 else 0 end asc, row_count desc, description asc
        ) as name_rank
    from counted_names

),

codes as (

    select
        code_system,
        code,
        max(case when name_rank = 1 then description end) as description,
        cast(count(description) as integer) as name_count,
        cast(sum(row_count) as bigint) as row_count,
        min(_load_id) as _load_id
    from ranked_names
    group by code_system, code

)

select * from codes
