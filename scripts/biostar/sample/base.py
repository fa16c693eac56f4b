"""Everything small that the big queries look up: the real rows made ready for cloning, and one row per clone.

All of it is a few hundred thousand rows at most, made with SQL in an in-memory DuckDB.

Money keeps its identities: a patient has one price level (88 to 112 % in whole percent), each real amount is priced
once per level, and what has to add up is priced as differences of rounded balances. A ledger line starts with a
charge c; after payments of s its balance is c - s. Charges, transfers and outstanding amounts are balances and are
rounded; a payment is the difference of the rounded balances before and after it. So where the real payments settle
the real charge to the cent, the cloned ones settle the cloned charge to the cent.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import duckdb

from biostar.sample.tables import TABLES, TableSpec

REAL_PATIENTS = 27
LEVELS = 25
"""Price levels of clones: level 1 is 88 %, level 25 is 112 %; level 0 holds the real texts, untouched."""

MAX_SHIFT_DAYS = 90
"""A clone lives at most so many days earlier or later than the real patient."""

NEVER = -1_000_000
"""Day number before every date."""

EPOCH_TEXT = "1970-01-01T00:00:00Z"
"""What the exporter writes for a moment it does not know; it does not move with the patient."""


@dataclass(frozen=True)
class Population:
    """Whom the sample has.

    Attributes:
        patients: patients of the sample itself; regions, names and payers grow with them.
        last_day: number of the last day (since 1970) that the sample itself knows.
        added: for each day added later, its first patient number and the one after its last.
    """

    seed: int
    patients: int
    last_day: int
    added: tuple[tuple[int, int], ...] = ()

    @property
    def clones(self) -> int:
        """Patients of the sample with those of the added days."""
        return self.added[-1][1] if self.added else self.patients

    @property
    def growth(self) -> int:
        """The square root of how often the real patients are in it, rounded up: life grows less than its numbers."""
        rounds = -(-self.patients // REAL_PATIENTS)
        root = isqrt(rounds)
        return root if root * root == rounds else root + 1


def make_base(connection: duckdb.DuckDBPyConnection, folder: Path, population: Population) -> dict[str, list[str]]:
    """Make the tables that the deliveries look up; return the headers of the shipped files.

    base_<table>    the real rows; b_rn is their place, b_first_day and b_change_day are day numbers before the shift,
                    and each date is split into a day, which moves, and a tail, which stays
    price_<table>   for each row and price level (b_k = b_rn * 26 + level) the amounts
    span_<table>    where the rows of each real patient lie in base_<table>
    clones, regions, only_one   whose rows are written, in order
    """
    connection.execute(_sql("macros"))
    headers = _read_sources(connection, folder)
    lists = connection.execute(_sql("name_lists")).fetchone() or ()
    names = dict(zip(("female", "male", "family", "kinds"), map(_sql_list, lists), strict=True))
    connection.execute(_sql("name_macros").format(variety=population.growth, patients=population.patients, **names))
    connection.execute("create table added (day integer, first_i integer, end_i integer)")
    for day, (first_i, end_i) in enumerate(population.added, start=1):
        connection.execute("insert into added values (?, ?, ?)", [day, first_i, end_i])
    connection.execute(
        _sql("clones").format(
            seed=population.seed,
            clones=population.clones,
            levels=LEVELS,
            regions=population.growth,
            max_shift=MAX_SHIFT_DAYS,
            last_day=population.last_day,
            never=NEVER,
        )
    )
    connection.execute(_sql("ledger"))
    for table in TABLES:
        connection.execute(_base_sql(table))
        connection.execute(
            f"create table span_{table.name} as select b_p as p, min(b_rn) as first_rn, max(b_rn) + 1 as end_rn"
            f" from base_{table.name} group by b_p"
        )
        if table.priced:
            connection.execute(_price_sql(table))
    return headers


def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _sql_list(values: list[str]) -> str:
    return "[" + ", ".join("'" + value.replace("'", "''") + "'" for value in values) + "]"


def _read_sources(connection: duckdb.DuckDBPyConnection, folder: Path) -> dict[str, list[str]]:
    """Read the shipped files, every value as text, into src_<table>; return their headers as shipped."""
    headers: dict[str, list[str]] = {}
    for table in TABLES:
        path = folder / f"{table.name}.csv.gz"
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            headers[table.name] = lines.readline().rstrip("\r\n").split(",")
        columns = ", ".join(f"'{name.lower()}': 'varchar'" for name in headers[table.name])
        connection.execute(
            f"create table src_{table.name} as select *, row_number() over () as file_row from read_csv("
            f"?, columns = {{{columns}}}, auto_detect = false, header = true, nullstr = '', quote = '\"')",
            [str(path)],
        )
    return headers


# Columns that the deliveries need beside the real ones, and the joins they come from.
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


def _base_sql(table: TableSpec) -> str:
    columns = ["s.* exclude (file_row)"]
    for column in table.dates:
        moving = f"s.{column} is not null and s.{column} <> '{EPOCH_TEXT}'"
        columns.append(f"case when {moving} then cast(left(s.{column}, 10) as date) end as {column}_day")
        columns.append(f"substr(s.{column}, 11) as {column}_tail")
    if table.name in EXTRA_COLUMNS:
        columns.append(EXTRA_COLUMNS[table.name])
    own_day = f"epoch_day(s.{table.event})" if table.event else str(NEVER)
    first_day = f"greatest({own_day}, coalesce(epoch_day(e.start), {NEVER}))" if table.encounter else own_day
    change_day = f"epoch_day(s.{table.stop})" if table.stop else "cast(null as integer)"
    patient = "p.p" if table.entity == "patient" else "0"
    shares_key, key_row = "false", "s.file_row"
    if table.natural_key:
        # Rows that share a natural key stand or fall together in staging, so they change together, at the last change.
        key = ", ".join(f"s.{column}" for column in table.natural_key)
        change_day = f"max({change_day}) over (partition by {key})"
        shares_key = f"count(*) over (partition by {key}) > 1"
        key_row = f"min(s.file_row) over (partition by {key})"
    joins = [f"inner join real_patients as p on p.id = s.{table.patient}"] if table.entity == "patient" else []
    joins += [f"left join src_encounters as e on e.id = s.{table.encounter}"] if table.encounter else []
    joins += [EXTRA_JOINS.get(table.name, "")]
    return f"""
create table base_{table.name} as
select columns('(.*)') as 'b_\\1'
from (
    select
        s.file_row,
        cast({patient} as integer) as p,
        cast(row_number() over (order by {patient}, s.file_row) - 1 as integer) as rn,
        cast({first_day} as integer) as first_day,
        cast({change_day} as integer) as change_day,
        {shares_key} as shares_key,
        cast({key_row} as integer) as key_rn,
        {", ".join(columns)}
    from src_{table.name} as s
    {" ".join(joins)}
)
"""


# Amounts that are not priced one by one: column to cents over s (the real row with its amounts in cents), l (the
# level) and x (the join).
SPECIAL_PRICES = {
    ("claims", "charged"): "x.charged",
    ("claims_transactions", "payments"): "x.payment",
    ("encounters", "total_claim_cost"): "x.total",
    ("encounters", "payer_coverage"): "least(at_level(s.payer_coverage_cents, l.level), x.total)",
    ("medications", "totalcost"): "at_level(s.base_cost_cents, l.level) * cast(s.dispenses as bigint)",
}
PRICE_JOINS = {
    "claims": "inner join priced_charges as x on x.claimid = s.id and x.level = l.level",
    "claims_transactions": "left join priced_payments as x on x.id = s.id and x.level = l.level",
    "encounters": "inner join priced_encounters as x on x.id = s.id and x.level = l.level",
}


def _price_sql(table: TableSpec) -> str:
    real = [column for column in table.money if column != "charged"]
    in_cents = "".join(f", in_cents({column}) as {column}_cents" for column in real)
    amounts = []
    for column in table.money:
        cents = SPECIAL_PRICES.get((table.name, column), f"at_level(s.{column}_cents, l.level)")
        text = f"money({cents})"
        if column in real:
            text = f"case when l.level = 0 then s.{column} else {text} end"
        amounts.append(f"{text} as p_{column}")
    return f"""
create table price_{table.name} as
select s.b_rn * {LEVELS + 1} + l.level as p_k, {", ".join(amounts)}
from (
    select b.b_rn, src.*{in_cents}
    from base_{table.name} as b
    inner join src_{table.name} as src on src.file_row = b.b_file_row
) as s
cross join price_levels as l
{PRICE_JOINS.get(table.name, "")}
"""
