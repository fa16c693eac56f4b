-- A line of a ledger starts with a charge; paid is what has been paid on the line up to and with the row.
create table ledger as
with numbered as (
    select
        id,
        claimid,
        type,
        cast(chargeid as integer) as charge_number,
        in_cents(amount) as amount,
        in_cents(payments) as payment,
        count(case when type = 'CHARGE' then 1 end) over (
            partition by claimid order by cast(chargeid as integer) rows unbounded preceding
        ) as line
    from src_claims_transactions
)

select
    *,
    first_value(amount) over line_so_far as charge,
    coalesce(sum(payment) over line_so_far, 0) as paid
from numbered
window line_so_far as (partition by claimid, line order by charge_number rows unbounded preceding);

create table priced_payments as
select
    ledger.id,
    levels.level,
    cast(at_level(charge - paid + payment, level) - at_level(charge - paid, level) as bigint) as payment
from ledger
cross join price_levels as levels
where ledger.payment is not null;

create table priced_charges as
select
    ledger.claimid,
    levels.level,
    cast(sum(at_level(amount, level)) as bigint) as charged,
    cast(sum(amount) as bigint) as really_charged
from ledger
cross join price_levels as levels
where ledger.type = 'CHARGE'
group by ledger.claimid, levels.level;

-- The total of an encounter stays the sum of what it is the sum of: its base cost with its procedures and
-- immunizations, or the charges of one of its claims.
create table priced_encounters as
with parts as (
    select id, in_cents(base_encounter_cost) as cents from src_encounters
    union all
    select encounter, in_cents(base_cost) from src_procedures
    union all
    select encounter, in_cents(base_cost) from src_immunizations
),

by_parts as (
    select parts.id, levels.level, sum(at_level(parts.cents, levels.level)) as total
    from parts
    cross join price_levels as levels
    inner join src_encounters as encounters on encounters.id = parts.id
    group by parts.id, levels.level, encounters.total_claim_cost
    having sum(parts.cents) = in_cents(encounters.total_claim_cost)
),

by_claim as (
    select encounters.id, charges.level, arg_min(charges.charged, claims.file_row) as total
    from src_claims as claims
    inner join priced_charges as charges on charges.claimid = claims.id
    inner join src_encounters as encounters on encounters.id = claims.appointmentid
    where charges.really_charged = in_cents(encounters.total_claim_cost)
    group by encounters.id, charges.level
)

select
    encounters.id,
    levels.level,
    cast(coalesce(
        by_parts.total, by_claim.total, at_level(in_cents(encounters.total_claim_cost), levels.level)
    ) as bigint) as total
from src_encounters as encounters
cross join price_levels as levels
left join by_parts on by_parts.id = encounters.id and by_parts.level = levels.level
left join by_claim on by_claim.id = encounters.id and by_claim.level = levels.level;
