{{ config(materialized='view') }}

with payers as (

    select * from {{ ref('stg_ehr__payers') }}

),

payers_without_insurance as (

    select * from {{ ref('payers_without_insurance') }}

),

uninsured as (

    select {{ biostar.surrogate_key(['payers.payer_id']) }} as payer_key
    from payers
    inner join payers_without_insurance
        on payers.payer_name = payers_without_insurance.payer_name

)

select * from uninsured
