"""Which rows a clone takes.

A patient is in the sample or not by a number made of a seed and the patient's id, the same on every engine and every
day: the same persons come each time, and a larger share holds a smaller one. A row belongs to the patient that its
declared reference to patients.id names, whether or not the patient was delivered; so no join is needed, and no row is
left behind. Tables without such a reference (organizations, providers, payers) come whole: they are small beside the
rest, and every reference into them holds. A table with columns about persons and no such reference is refused.

Loads keep their order. What one table got on one day in several loads becomes as many loads again, since the later one
wins where both bring a record.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from biostar.contracts import RawTable, Source
from biostar.errors import ConfigurationError, DataError, UsageError
from biostar.parity.sides import SEPARATOR, Texts
from biostar.unload.engine import Engine
from biostar.unload.phi import phi_of_table
from biostar.unload.request import Subject
from biostar.warehouse import quote_identifier, quote_literal

PERSONS = ("patients", "id")
"""The table and column that a reference to a patient names."""

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)\s*%")
_SEED = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_BITS = 60


@dataclass(frozen=True)
class Delivery:
    """One load of one table and day, as the source has it."""

    day: str
    load_id: int
    rows: int
    size: int


@dataclass(frozen=True)
class PlannedTable:
    """One table of a clone.

    Attributes:
        table: its declaration.
        where: SQL for the rows that come, empty for all.
        deliveries: by day, then load.
    """

    table: RawTable
    where: str
    deliveries: tuple[Delivery, ...]

    @property
    def rows(self) -> int:
        """Rows that come."""
        return sum(delivery.rows for delivery in self.deliveries)

    @property
    def size(self) -> int:
        """Bytes of their values as text, with a comma each."""
        return sum(delivery.size for delivery in self.deliveries)

    @property
    def files(self) -> int:
        """Files at least: one for each delivery."""
        return len(self.deliveries)

    def rounds(self) -> list[tuple[Delivery, ...]]:
        """The first delivery of each day, then the second of each day that has one, and so on."""
        places: dict[str, int] = {}
        found: list[list[Delivery]] = []
        for delivery in self.deliveries:
            place = places.get(delivery.day, 0)
            places[delivery.day] = place + 1
            if place == len(found):
                found.append([])
            found[place].append(delivery)
        return [tuple(one) for one in found]

    def subject(self, where: str = "", *, dated: bool = True) -> Subject:
        """What is unloaded: the declared columns and, for a file of several days, the day to divide it by."""
        names = [column.name for column in self.table.columns]
        phi = phi_of_table(self.table)
        day = ("_ingest_date",) if dated else ()
        return Subject(
            f"{self.table.source}.{self.table.name}",
            self.table.schema,
            self.table.name,
            declared=tuple((column.name, column.data_type) for column in self.table.all_columns),
            phi=tuple({**phi, "ingest_date": "none"}.items()),
            columns=(*names, *day),
            renamed=(("_ingest_date", "ingest_date"),) if dated else (),
            where=" and ".join(part for part in (self.where, where) if part),
        )


@dataclass(frozen=True)
class ClonePlan:
    """All tables of a clone.

    Attributes:
        share: of the patients, 0 to 1.
        seed: what makes the sample this one.
        tables: in order of their names.
        warnings: what is not complete.
    """

    share: float
    seed: str
    tables: tuple[PlannedTable, ...]
    warnings: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables)


def read_share(text: str) -> float:
    """A share as `1%` or `0.5%`.

    Raises:
        UsageError: it is none, or not above 0 and up to 100.
    """
    share = _SHARE.fullmatch(text.strip())
    value = float(share[1]) / 100 if share else 0.0
    if not 0 < value <= 1:
        raise UsageError(f"the sample is '{text}'", next_step="give it as a share of the patients, 0.1% to 100%")
    return value


def make_plan(engine: Engine, sources: Sequence[Source], select: Sequence[str], share: float, seed: str) -> ClonePlan:
    """What would be cloned, counted in the source.

    Raises:
        UsageError: a table is not declared, or the seed has other characters than letters, digits and `_.-`.
        ConfigurationError: a table with columns about persons does not say whose its rows are, or is not there.
        DataError: there is not one row.
    """
    if not _SEED.fullmatch(seed):
        raise UsageError(f"the seed is {seed[:80]!r}", next_step="give it as 1 to 64 letters, digits, _ . -")
    landed = {table.name: table for source in sources if source.landing for table in source.tables}
    for name in select:
        if name not in landed:
            raise UsageError(
                f"there is no raw table '{name[:80]}'", next_step=f"choose from {', '.join(sorted(landed))}"
            )
    chosen = [landed[name] for name in sorted(set(select) or landed)]
    planned = [_plan_table(engine, table, share, seed) for table in chosen]
    if not any(table.rows for table in planned):
        raise DataError(
            "not one row belongs to the sample", undone="nothing was cloned", next_step="take a larger --sample"
        )
    names = {table.name for table in chosen}
    warnings = [
        f"{table.name} refers to {other}, which is not among the tables"
        for table in chosen
        for other in sorted({other for _, other, _ in table.references} - names)
    ]
    return ClonePlan(share, seed, tuple(planned), tuple(warnings))


def sampled(texts: Texts, column: str, share: float, seed: str) -> str:
    """SQL that is true where the patient of a row is in the sample; never for a row without a patient."""
    number = texts.row_number(f"{quote_literal(seed)} || {SEPARATOR} || {quote_identifier(column)}")
    return f"{number} < {round(share * 2**_BITS)}"


def patient_column(table: RawTable) -> str | None:
    """The column that says whose a row is; None for a table that is about nobody.

    Raises:
        ConfigurationError: it has columns about persons and does not say.
    """
    if table.name == PERSONS[0]:
        return PERSONS[1]
    named = [column for column, other, key in table.references if (other, key) == PERSONS]
    if named:
        return named[0]
    personal = [name for name, phi in phi_of_table(table).items() if phi != "none"]
    if personal:
        raise ConfigurationError(
            f"{table.source}.{table.name} has columns about persons ({', '.join(personal[:3])}) and does not say whose"
            " its rows are",
            undone="nothing was cloned",
            next_step=f"declare references: {{<column>: {'.'.join(PERSONS)}}} in {table.declared_in}",
        )
    return None


def _plan_table(engine: Engine, table: RawTable, share: float, seed: str) -> PlannedTable:
    if table.file_format == "json" or table.layout in ("hourly", "dms") or not table.has_header:
        raise ConfigurationError(
            f"{table.source}.{table.name} is delivered as {table.file_format}, layout {table.layout}, which a clone"
            " cannot write",
            undone="nothing was cloned",
            next_step="leave it out with --select",
        )
    column = patient_column(table)
    there = engine.columns(table.schema, table.name)
    if not there:
        raise ConfigurationError(
            f"'{table.schema}.{table.name}' is not in {engine.name}", next_step="biostar raw create, or choose --select"
        )
    # All of them need no number; a row without a patient then comes too.
    where = sampled(engine.texts, column, share, seed) if column is not None and share < 1 else ""
    length = "strlen" if engine.name == "duckdb" else "octet_length"
    bytes_of = " + ".join(
        f"coalesce({length}(cast({quote_identifier(one.name)} as varchar)), 0) + 1" for one in table.columns
    )
    rows = engine.query(
        f"select cast(_ingest_date as varchar(10)), _load_id, count(*), sum(cast({bytes_of} as bigint))"
        f" from {quote_identifier(table.schema, table.name)}{' where ' + where if where else ''}"
        " group by _ingest_date, _load_id order by _ingest_date, _load_id"
    )
    return PlannedTable(
        table,
        where,
        tuple(Delivery(str(day), int(load), int(count), int(size or 0)) for day, load, count, size in rows),
    )
