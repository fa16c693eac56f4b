-- Names and streets are drawn from those of the real patients, providers and policy owners, without the digits that
-- Synthea puts behind them.
with first_names as (
    select gender, stem(first) as stem from src_patients
    union
    select gender, stem(split_part(name, ' ', 1)) from src_providers
),

last_names as (
    select stem(last) as stem from src_patients
    union
    select stem(split_part(name, ' ', 2)) from src_providers
    union
    select stem(split_part(ownername, ' ', 2)) from src_payer_transitions where ownername is not null
)

select
    (select list(stem order by stem) from first_names where gender = 'F') as female,
    (select list(stem order by stem) from first_names where gender = 'M') as male,
    (select list(stem order by stem) from last_names where stem <> '') as family,
    (select list(distinct split_part(address, ' ', 3) order by split_part(address, ' ', 3)) from src_patients) as kinds;
