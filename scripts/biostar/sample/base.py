"""Everything small that the big queries look up: the real rows made ready for cloning, and one row per clone.

All of it is a few hundred thousand rows at most, made with SQL in an in-memory DuckDB. Whatever is drawn by lot comes
from the MD5 of a text (macro `roll`), never from DuckDB's `hash` or `random`, so that it stays the same from one
version of DuckDB, one machine and one number of threads to another.

Money keeps its identities: a patient has one price level (88 to 112 % in whole percent), each real amount is priced
once per level, and what has to add up is priced as differences of rounded balances. A ledger line starts with a
charge c; after payments of s its balance is c - s. Charges, transfers and outstanding amounts are balances and are
rounded; a payment is the difference of the rounded balances before and after it. So where the real payments settle
the real charge to the cent, the cloned ones settle the cloned charge to the cent.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from biostar.sample.tables import BY_NAME, TABLES, TableSpec

LEVELS = 25
"""Price levels of clones, level 1 is 88 %; level 0 holds the real texts, untouched."""

MAX_SHIFT_DAYS = 90
NEVER = -1_000_000
"""Day number before every date."""

EPOCH_TEXT = "1970-01-01T00:00:00Z"
"""What the exporter writes for a moment it does not know; it does not move with the patient."""

MACROS = """
create macro roll(t) as cast(md5_number_lower(t) % 1000000007 as bigint);
create macro pick(t, n) as roll(t) % n;
create macro skewed(t, n) as cast(floor(n * power(roll(t) / 1000000007.0, 2)) as bigint);
create macro money(cents) as
    cast(cast(cast(cents as decimal(17, 0)) * cast(0.01 as decimal(3, 2)) as decimal(18, 2)) as varchar);
create macro in_cents(t) as cast(round(cast(t as decimal(38, 12)) * 100) as bigint);
create macro at_level(cents, level) as sign(cents) * ((abs(cents) * (case when level = 0 then 100 else 87 + level end) + 50) // 100);
create macro priced(t, level) as
    case when level = 0 then t else money(at_level(in_cents(t), level)) end;
create macro rekey(salt, id) as
    case when salt is null or id is null then id else cast(cast(md5(salt || id) as uuid) as varchar) end;
create macro epoch_day(t) as cast(date_diff('day', date '1970-01-01', cast(left(t, 10) as date)) as integer);
create macro later(t) as
    strftime(cast(replace(replace(t, 'T', ' '), 'Z', '') as timestamp) + interval 15 minute, '%Y-%m-%dT%H:%M:%SZ');
create macro stem(t) as regexp_replace(t, '[0-9]+$', '');
"""

# Names and streets are drawn from those of the real patients, providers and policy owners. The digits behind a
# name are Synthea's; there are the more of them per name the more patients there are, but only as the square root.
NAME_MACROS = """
create table name_variety as select greatest(1, cast(ceil(sqrt({patients} / 27.0)) as bigint)) as n;
create table first_names as
    select gender, stem, row_number() over (partition by gender order by stem) - 1 as number, count(*) over (partition by gender) as total
    from (
        select gender, stem(first) as stem from src_patients
        union select gender, stem(split_part(name, ' ', 1)) from src_providers
    );
create table last_names as
    select stem, row_number() over (order by stem) - 1 as number
    from (
        select stem(last) as stem from src_patients
        union select stem(split_part(name, ' ', 2)) from src_providers
        union select stem(split_part(ownername, ' ', 2)) from src_payer_transitions where ownername is not null
    )
    where stem <> '';
create table street_kinds as
    select kind, row_number() over (order by kind) - 1 as number
    from (select distinct split_part(address, ' ', 3) as kind from src_patients);
create table lists as
    select
        (select list(stem order by number) from first_names where gender = 'F') as female,
        (select list(stem order by number) from first_names where gender = 'M') as male,
        (select list(stem order by number) from last_names) as last,
        (select list(kind order by number) from street_kinds) as street;
"""


def list_macros(connection: duckdb.DuckDBPyConnection, patients: int) -> str:
    """Macros that draw names and streets; the lists are written into them, because a macro takes no table along."""
    connection.execute(NAME_MACROS.format(patients=patients))
    row = connection.execute("select female, male, last, street, (select n from name_variety) from lists").fetchone()
    assert row is not None
    female, male, last, street = (_sql_list(names) for names in row[:4])
    variety = int(row[4])
    numbered = "cast((roll({name}) + pick(key || '{tag}', " + str(variety) + ")) % 1000 as varchar)"
    return f"""
create macro female_name(key) as {female}[1 + skewed(key || 'first', {len(row[0])})];
create macro male_name(key) as {male}[1 + skewed(key || 'first', {len(row[1])})];
create macro first_stem(key, gender) as case when gender = 'F' then female_name(key) else male_name(key) end;
create macro first_name(key, gender) as first_stem(key, gender) || {
        numbered.format(name="first_stem(key, gender)", tag="first number")
    };
create macro last_stem(key) as {last}[1 + skewed(key || 'last', {len(row[2])})];
create macro last_name(key) as last_stem(key) || {numbered.format(name="last_stem(key)", tag="last number")};
create macro street(key) as
    (1 + pick(key || 'house', 1100)) || ' ' || {last}[1 + skewed(key || 'street', {len(row[2])})] || ' '
    || {street}[1 + pick(key || 'kind', {len(row[3])})]
    || case when pick(key || 'unit', 2) = 0 then '' else ' Unit ' || (1 + pick(key || 'door', 99)) end;
create macro place_street(salt, address) as
    case
        when salt is null then address
        else (1 + pick(salt || address, 1999)) || ' ' || regexp_replace(address, '^[0-9]+ +', '')
    end;
create macro place_degree(salt, axis, address, degree) as
    case
        when salt is null then degree
        else cast(cast(cast(degree as decimal(9, 6)) + (pick(salt || axis || address, 8001) - 4000) / 100000.0
            as decimal(9, 6)) as varchar)
    end;
create macro grown(t) as
    case
        when {patients} <= 27 or t is null then t
        when contains(t, '.') then money(in_cents(t) * {patients} // 27)
        else cast(cast(t as bigint) * {patients} // 27 as varchar)
    end;
create macro county_fips(county) as
    '25' || case county
        when 'Barnstable County' then '001' when 'Berkshire County' then '003' when 'Bristol County' then '005'
        when 'Dukes County' then '007' when 'Essex County' then '009' when 'Franklin County' then '011'
        when 'Hampden County' then '013' when 'Hampshire County' then '015' when 'Middlesex County' then '017'
        when 'Nantucket County' then '019' when 'Norfolk County' then '021' when 'Plymouth County' then '023'
        when 'Suffolk County' then '025' when 'Worcester County' then '027'
    end;
"""


def _sql_list(values: list[str]) -> str:
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"


def read_sources(connection: duckdb.DuckDBPyConnection, folder: Path) -> dict[str, list[str]]:
    """Read the shipped files, every value as text, into src_<table>; return their headers as shipped."""
    headers: dict[str, list[str]] = {}
    for table in TABLES:
        path = folder / f"{table.name}.csv.gz"
        relation = connection.execute(
            "select * from read_csv(?, all_varchar = true, header = true, nullstr = '') limit 0", [str(path)]
        )
        headers[table.name] = [column[0] for column in relation.description or []]
        names = ", ".join(f'"{name}" as "{name.lower()}"' for name in headers[table.name])
        connection.execute(
            f"create table src_{table.name} as select {names}, row_number() over () as file_row"
            " from read_csv(?, all_varchar = true, header = true, nullstr = '')",
            [str(path)],
        )
    return headers


LEDGER = """
create table price_levels as select distinct c_level as level from clones;

create table ledger as
with numbered as (
    select
        id, claimid, type, cast(chargeid as integer) as charge_number,
        in_cents(amount) as amount, in_cents(payments) as payment,
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
    ledger.id, levels.level,
    cast(at_level(charge - paid + payment, level) - at_level(charge - paid, level) as bigint) as payment
from ledger cross join price_levels as levels
where ledger.payment is not null;

create table priced_charges as
select claimid, level, cast(sum(at_level(amount, level)) as bigint) as charged, cast(sum(amount) as bigint) as real
from ledger cross join price_levels as levels
where type = 'CHARGE'
group by claimid, level;

-- The total of an encounter stays the sum of what it is the sum of: the charges of one of its claims, or its base
-- cost with its procedures and immunizations.
create table priced_encounters as
with by_claim as (
    select claims.appointmentid as id, priced_charges.level, priced_charges.charged, claims.file_row
    from src_claims as claims
    inner join priced_charges on priced_charges.claimid = claims.id
    inner join src_encounters as encounters on encounters.id = claims.appointmentid
    where priced_charges.real = in_cents(encounters.total_claim_cost)
),
parts as (
    select id, in_cents(base_encounter_cost) as cents from src_encounters
    union all select encounter, in_cents(base_cost) from src_procedures
    union all select encounter, in_cents(base_cost) from src_immunizations
),
by_parts as (
    select parts.id, levels.level, sum(at_level(parts.cents, levels.level)) as charged
    from parts
    cross join price_levels as levels
    inner join src_encounters as encounters on encounters.id = parts.id
    group by parts.id, levels.level, encounters.total_claim_cost
    having sum(parts.cents) = in_cents(encounters.total_claim_cost)
)
select
    encounters.id, levels.level,
    cast(coalesce(
        by_parts.charged,
        arg_min(by_claim.charged, by_claim.file_row),
        at_level(in_cents(encounters.total_claim_cost), levels.level)
    ) as bigint) as total
from src_encounters as encounters
cross join price_levels as levels
left join by_claim on by_claim.id = encounters.id and by_claim.level = levels.level
left join by_parts on by_parts.id = encounters.id and by_parts.level = levels.level
group by encounters.id, levels.level, encounters.total_claim_cost, by_parts.charged;
"""

# Amounts that are not priced one by one: column to expression over s (the real row), l (the level) and the joins.
SPECIAL_PRICES = {
    ("claims", "charged"): "money(priced_charges.charged)",
    (
        "claims_transactions",
        "payments",
    ): "case when l.level = 0 then s.payments else money(priced_payments.payment) end",
    ("encounters", "total_claim_cost"): "case when l.level = 0 then s.total_claim_cost else"
    " money(priced_encounters.total) end",
    ("encounters", "payer_coverage"): "case when l.level = 0 then s.payer_coverage else"
    " money(least(at_level(in_cents(s.payer_coverage), l.level), priced_encounters.total)) end",
    ("medications", "totalcost"): "case when l.level = 0 then s.totalcost else"
    " money(at_level(in_cents(s.base_cost), l.level) * cast(s.dispenses as integer)) end",
}
PRICE_JOINS = {
    "claims": "inner join priced_charges on priced_charges.claimid = s.id and priced_charges.level = l.level",
    "claims_transactions": "left join priced_payments on priced_payments.id = s.id and priced_payments.level = l.level",
    "encounters": "inner join priced_encounters on priced_encounters.id = s.id and priced_encounters.level = l.level",
}
EXTRA_COLUMNS = {
    "claims": "claim_numbers.claim_no",
    "claims_transactions": "claim_numbers.claim_no, cast(s.chargeid as integer) as charge_number,"
    " cast(s.transferoutid as integer) as transfer_number",
    "observations": """case
        when s.units in ('kg', 'kg/m2') then 'body'
        when s.units in ('mg/dL', 'mmol/L', 'mm[Hg]', '/min', 'g/dL', 'g/L', 'U/L', '10*3/uL', '10*6/uL', 'fL', 'pg',
            'mL/min', 'ng/mL') then 'lab'
    end as jitter, try_cast(s.value as decimal(12, 1)) as measured""",
}
EXTRA_JOINS = {
    "claims": "inner join claim_numbers on claim_numbers.id = s.id",
    "claims_transactions": "inner join claim_numbers on claim_numbers.id = s.claimid",
}


def make_base(connection: duckdb.DuckDBPyConnection) -> None:
    """Make base_<table>, the real rows ready for cloning, and span_<table>, where each patient's rows lie in it.

    A base row carries k (its place, times 26 price levels where it has any), first_day and change_day (day numbers,
    before the shift), and each date split into a day, which moves, and a tail, which stays.
    """
    connection.execute(LEDGER)
    connection.execute("create table claim_numbers as select id, file_row - 1 as claim_no from src_claims")
    for table in TABLES:
        connection.execute(_base_sql(table))
        connection.execute(
            f"create table span_{table.name} as select b_p as p, min(b_rn) as first_rn, max(b_rn) + 1 as end_rn"
            f" from base_{table.name} group by b_p"
        )


def _base_sql(table: TableSpec) -> str:
    source = f"src_{table.name}"
    money = dict.fromkeys(table.money, "")
    for column in money:
        money[column] = SPECIAL_PRICES.get((table.name, column), f"priced(s.{column}, l.level)")
    plain = ["s.* exclude (file_row" + "".join(f", {c}" for c in table.money if c != "charged") + ")"]
    plain += [f"{expression} as {column}" for column, expression in money.items()]
    for column in table.dates:
        moving = f"s.{column} is not null and s.{column} <> '{EPOCH_TEXT}'"
        plain.append(f"case when {moving} then cast(left(s.{column}, 10) as date) end as {column}_day")
        plain.append(f"substr(s.{column}, 11) as {column}_tail")
    if table.name in EXTRA_COLUMNS:
        plain.append(EXTRA_COLUMNS[table.name])
    own_day = f"epoch_day(s.{table.event})" if table.event else str(NEVER)
    first_day = f"greatest({own_day}, coalesce(epoch_day(e.start), {NEVER}))" if table.encounter else own_day
    change_day = f"epoch_day(s.{table.stop})" if table.stop else "cast(null as integer)"
    patient = "p.p" if table.entity == "patient" else "0"
    order = f"{patient}, s.file_row"
    shares_key, key_row = "false", f"row_number() over (order by {order}) - 1"
    if table.natural_key:
        # Rows that share a natural key stand or fall together in staging, so they change together, at the last change.
        key = ", ".join(f"s.{column}" for column in table.natural_key)
        change_day = f"max({change_day}) over (partition by {key})"
        shares_key = f"count(*) over (partition by {key}) > 1"
        key_row = f"min(s.file_row) over (partition by {key})"
    joins = [f"inner join real_patients as p on p.id = s.{table.patient}" if table.entity == "patient" else ""]
    joins.append(f"left join src_encounters as e on e.id = s.{table.encounter}" if table.encounter else "")
    return f"""
create table base_{table.name} as
select columns('(.*)') as 'b_\\1' from (
with placed as (
    select
        s.file_row as row_of_file,
        cast({patient} as integer) as p,
        cast(row_number() over (order by {order}) - 1 as integer) as rn,
        cast({first_day} as integer) as first_day,
        cast({change_day} as integer) as change_day,
        {shares_key} as shares_key,
        cast({key_row} as integer) as key_row
    from {source} as s {" ".join(joins)}
)
select
    placed.p, placed.rn, placed.first_day, placed.change_day, placed.shares_key,
    placed.key_row as key_rn,
    {f"placed.rn * {LEVELS + 1} + l.level" if table.priced else "placed.rn"} as k,
    {", ".join(plain)}
from placed
inner join {source} as s on s.file_row = placed.row_of_file
{EXTRA_JOINS.get(table.name, "")}
{f"cross join price_levels as l {PRICE_JOINS.get(table.name, '')}" if table.priced else ""}
)
"""


CLONES = """
create table real_patients as
select id, cast(file_row - 1 as integer) as p, cast(birthdate as date) as birth_date from src_patients;

create table clones as
with numbered as (
    select
        cast(range as integer) as i,
        cast(range % 27 as integer) as p,
        case when range < 27 then null else {seed} || '|' || range || '|' end as salt
    from range({patients})
),
drawn as (
    select
        numbered.*,
        case when salt is null then 0 else 1 + pick(salt || 'level', {levels}) end as level,
        case when salt is null then 0 else skewed(salt || 'region', {regions}) end as region,
        case
            when salt is null then 0
            else least(
                cast(pick(salt || 'shift', {shift_range}) as integer) - {max_shift},
                cast({last_day} as integer) - epoch_day(cast(p.birth_date as varchar))
            )
        end as shift,
        case
            when i >= {registered_before} then {last_day} + added.day
            when salt is not null and pick(salt || 'registered', 500) < 60 then {last_day} - pick(salt || 'registered', 500)
            else {never}
        end as reg_day,
        case
            when salt is not null and i < {registered_before} and pick(salt || 'moved', 200) < 60
                then {last_day} - pick(salt || 'moved', 200)
        end as move_day,
        p.id as real_id
    from numbered
    inner join real_patients as p on p.p = numbered.p
    left join added on numbered.i >= added.first_i and numbered.i < added.end_i
),
placed as (
    select drawn.*, s.gender, home.city as home_city, home.county as home_county, home.zip as home_zip, home.lat as home_lat,
        home.lon as home_lon, born.birthplace as born_place
    from drawn
    inner join src_patients as s on s.file_row = drawn.p + 1
    inner join src_patients as home on home.file_row = 1 + pick(coalesce(salt, '') || 'home', 27)
    inner join src_patients as born on born.file_row = 1 + pick(coalesce(salt, '') || 'born', 27)
)
select columns('(.*)') as 'c_\\1' from (select
    i, p, salt, level, shift, reg_day, move_day, region,
    rekey(salt, real_id) as patient_id,
    case when region > 0 then {seed} || '|region ' || region || '|' end as region_salt,
    (i // 27) * 6772 as charge_offset,
    95 + cast(pick(salt || 'body', 11) as integer) as body_pct,
    94 + cast(pick(salt || 'lab', 13) as integer) as lab_pct,
    case when salt is not null then '999-' || lpad(cast(10 + serial // 10000 % 90 as varchar), 2, '0') || '-'
        || lpad(cast(serial % 10000 as varchar), 4, '0') end as ssn,
    'S' || lpad(cast(99900000 - serial as varchar), 8, '0') as drivers,
    'X' || lpad(cast(10000000 + serial as varchar), 8, '0') || 'X' as passport,
    case when salt is not null then first_name(salt, gender) end as first_name,
    case when salt is not null then last_name(salt) end as last_name,
    case when salt is not null then born_place end as birthplace,
    case when salt is not null then home_city end as city,
    case when salt is not null then home_county end as county,
    home_zip as zip,
    cast(cast(cast(home_lat as decimal(12, 6)) + (pick(salt || 'lat', 6001) - 3000) / 100000.0 as decimal(9, 6)) as varchar) as lat,
    cast(cast(cast(home_lon as decimal(12, 6)) + (pick(salt || 'lon', 6001) - 3000) / 100000.0 as decimal(9, 6)) as varchar) as lon
from (select *, (cast(i as bigint) * 569971 + roll({seed})) % 900000 as serial from placed))
order by c_i;

create table regions as
select
    cast(range as integer) as c_i, 0 as c_p, 0 as c_level, 0 as c_shift, {never} as c_reg_day,
    case when range > 0 then {seed} || '|region ' || range || '|' end as c_salt
from range({regions});

create table only_one as
select 0 as c_i, 0 as c_p, 0 as c_level, 0 as c_shift, {never} as c_reg_day, cast(null as varchar) as c_salt;
"""
