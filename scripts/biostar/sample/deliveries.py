"""Which rows of a table a drop holds, and what is written of each.

The world moves on by days. A row becomes known on the day of its event (and not before its encounter's, nor before
its patient registered); a stop that has not come yet is empty; a claim is open, with its charges only, until it is
settled. A drop holds what became known, or changed, on the day before its ingest date; the first drop holds the whole
history. So the last state is the same however many drops it took to deliver it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from biostar.sample.base import LEVELS
from biostar.sample.defects import (
    BAD_BYTE,
    EXTRA_COMMA,
    LATE_KINDS,
    LOST_COMMA,
    LOTS,
    OVERLONG,
    defect_kind,
    defect_lot,
)
from biostar.sample.tables import NEWEST_HEADER, TableSpec


@dataclass(frozen=True)
class AddedDay:
    """A day added by --next-day: patients first_i to below end_i register, a share of the known rows is corrected."""

    drop: int
    first_i: int
    end_i: int
    changed: float


@dataclass(frozen=True)
class World:
    """What all drops of one sample share.

    Attributes:
        first_known_day: number of the last day (since 1970) that the first drop knows.
        drops: drops of the sample itself, without added days.
    """

    seed: int
    header: str
    defect_rate: float
    first_known_day: int
    drops: int
    added: tuple[AddedDay, ...] = ()

    @property
    def last_drop(self) -> int:
        """Number of the newest drop, added days included."""
        return self.drops - 1 + len(self.added)


def delivered_rows(table: TableSpec, world: World, drop: int, low: int, high: int, with_prices: bool = True) -> str:
    """SQL: clone and row of what the drop holds, for clones numbered from low to below high, in order.

    It has the columns of the clone (c_…), of the row (b_…) and its prices (p_…), first_no and change_no (the drops in
    which it becomes known and changes), defect, corrected, and copy_no (0, or 1 for a second row).
    """
    entity = {"patient": "clones", "region": "regions", "single": "only_one"}[table.entity]
    lag = "(case when c_salt is null then 0 else (c_i * 7919 + b_claim_no * 104729) % 4 end)"
    first = "greatest(b_first_day + c_shift, c_reg_day)"
    change = "b_change_day + c_shift"
    if table.name == "claims_transactions":
        first = f"greatest(b_first_day + c_shift + case when b_type = 'CHARGE' then 0 else {lag} end, c_reg_day)"
    elif table.name == "claims":
        change = f"b_first_day + c_shift + {lag}"
    elif table.name == "patients":
        change = "c_move_day"
    prices = ""
    if table.priced and with_prices:
        prices = f"inner join price_{table.name} as p on p_k = rn * {LEVELS + 1} + c_level"
    # A defect hits rows that are delivered once; what comes late still comes by the last drop of the sample.
    may_be_hit = "(change_day is null or change_day <= known_day) and not b_shares_key"
    late = "0"
    if world.defect_rate and world.drops > 1:
        may_be_hit += f" and (kind not in {LATE_KINDS} or natural_no < {world.drops - 1})"
        late = (
            f"case when defect in {LATE_KINDS}"
            f" then least(1 + (c_i + rn) % 2, {world.drops - 1} - natural_no) else 0 end"
        )
    copies = "0"
    if world.defect_rate:
        copies = "unnest(range(case when defect in ('exact_copy', 'conflicting_copy') then 2 else 1 end))"
    corrected, corrected_now = _corrections(table, world, drop)
    return f"""
with spread as (
    select c.*, unnest(range(span.first_rn, span.end_rn)) as rn
    from {entity} as c
    inner join span_{table.name} as span on span.p = c_p
    where c_i >= {low} and c_i < {high}
),
dated as (
    select
        *,
        {first} as known_day,
        {change} as change_day,
        {defect_lot(table, world.defect_rate, world.seed)} as lot
    from spread
    inner join base_{table.name} as b on b_rn = rn
    {prices}
),
timed as (
    select
        *,
        greatest(known_day - {world.first_known_day}, 0) as natural_no,
        {defect_kind(table, world.defect_rate, world.drops)} as kind
    from dated
    where known_day <= {world.first_known_day + drop}
),
judged as (
    select *, case when {may_be_hit} then kind end as defect
    from timed
),
numbered as (
    select
        *,
        natural_no + {late} as first_no,
        case
            when change_day > greatest(known_day, {world.first_known_day}) then change_day - {world.first_known_day}
        end as change_no
    from judged
),
known as (
    select *, {corrected_now} as corrected_now, {corrected} as corrected
    from numbered
    where first_no <= {drop}
),
held as (
    select *
    from known
    where first_no = {drop} or change_no = {drop} or corrected_now
)
select *, {copies} as copy_no
from held
"""


def _corrections(table: TableSpec, world: World, drop: int) -> tuple[str, str]:
    """SQL: whether the row is corrected by then, and whether this very drop corrects it."""
    if table.correction is None and table.name != "patients":
        return "false", "false"
    terms = [(day.drop, _is_corrected(table, world, day)) for day in world.added if day.drop <= drop and day.changed]
    so_far = " or ".join(term for _, term in terms) or "false"
    now = " or ".join(term for number, term in terms if number == drop) or "false"
    return f"({so_far})", f"({now})"


def _is_corrected(table: TableSpec, world: World, day: AddedDay) -> str:
    lot = f"roll('{world.seed}|{table.name}|' || c_i || '|' || b_key_rn || '|corrected {day.drop}')"
    return f"(first_no < {day.drop} and defect is null and {lot} < {round(day.changed * LOTS)})"


def _moves(table: TableSpec, world: World, drop: int) -> str:
    """SQL: how often the patient has moved by then; a correction of a patient is a move."""
    moves = [f"case when c_move_day <= {world.first_known_day + drop} then 1 else 0 end"]
    for number, day in enumerate(world.added, start=2):
        if day.drop <= drop and day.changed:
            moves.append(f"case when {_is_corrected(table, world, day)} then {number} else 0 end")
    return f"greatest({', '.join(moves)})" if len(moves) > 1 else moves[0]


def later_deliveries(table: TableSpec, world: World, drop: int) -> str:
    """SQL over delivered_rows: whether a later drop delivers the row again."""
    terms = [f"(change_no > {drop} and change_no <= {world.last_drop})"]
    if table.correction is not None or table.name == "patients":
        terms += [_is_corrected(table, world, day) for day in world.added if day.drop > drop and day.changed]
    return "coalesce(" + " or ".join(terms) + ", false)"


def file_columns(table: TableSpec, world: World, drop: int, header: Sequence[str]) -> str:
    """SQL: the select list that turns a delivered row into the values of its file, under the vendor's header."""
    columns: list[tuple[str, str]] = [(name, _value(table, world, drop, name.lower())) for name in header]
    if world.header == "newest":
        for place, name, expression in NEWEST_HEADER.get(table.name, ()):
            at = [column for column, _ in columns].index(place)
            if expression:
                columns.insert(at + 1, (name, expression))
            else:
                columns[at] = (name, columns[at][1])
    if world.defect_rate:
        last_name, last_value = columns[-1]
        columns[-1] = (
            last_name,
            f"case when defect = 'surplus_column' then coalesce({last_value}, '') || '{EXTRA_COMMA}surplus'"
            f" else {last_value} end",
        )
        second_name, second_value = columns[-2]
        columns[-2] = (second_name, f"case when defect = 'lost_column' then '{LOST_COMMA}' else {second_value} end")
    return ",\n    ".join(f'{expression} as "{name}"' for name, expression in columns)


def _value(table: TableSpec, world: World, drop: int, column: str) -> str:
    value = _true_value(table, world, drop, column)
    if not world.defect_rate:
        return value
    branches = []
    if column == table.number:
        branches.append("when defect = 'unparsable_number' then 'n/a'")
    if column == table.day:
        branches.append("when defect = 'unparsable_date' then 'unknown'")
        branches.append(f"when defect = 'impossible_date' then '2023-02-30' || coalesce(b_{column}_tail, '')")
    if column == table.required:
        branches.append("when defect = 'missing_value' then null")
    if column == table.patient and table.orphan:
        branches.append("when defect = 'missing_parent' then rekey(c_patient_id, 'nobody')")
    if column == table.text:
        branches.append(f"when defect = 'overlong_text' then repeat('x', {OVERLONG})")
        branches.append(f"when defect = 'invalid_utf8' then coalesce({value}, '') || '{BAD_BYTE}'")
    return f"case {' '.join(branches)} else {value} end" if branches else value


def _true_value(table: TableSpec, world: World, drop: int, column: str) -> str:
    if column in table.custom:
        value = table.custom[column]
    elif column == table.patient:
        value = "c_patient_id"
    elif column in table.dates:
        moved = f"cast(b_{column}_day + c_shift as varchar) || b_{column}_tail"
        value = f"case when b_{column}_day is null then b_{column} else {moved} end"
    elif column in table.ids:
        value = f"rekey(c_salt, b_{column})"
    elif column in table.region_ids:
        value = f"rekey(c_region_salt, b_{column})"
    elif column in table.money:
        value = f"p_{column}"
    else:
        value = f"b_{column}"
    as_of = world.first_known_day + drop
    value = value.replace("c_open", f"coalesce(change_day > {as_of}, false)")
    value = value.replace("c_moves", _moves(table, world, drop))
    if column == table.stop:
        value = f"case when change_day > {as_of} then null else {value} end"
    if table.correction is not None and column == table.correction[0]:
        expression = table.correction[1].format(value=f"({value})", as_of=f"(date '1970-01-01' + {as_of})")
        if world.added:
            value = f"case when corrected then {expression} else {value} end"
        if world.defect_rate and table.has_id:
            value = f"case when defect = 'conflicting_copy' and copy_no = 1 then {expression} else {value} end"
    return value
