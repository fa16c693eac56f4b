"""Canonical texts are the same on DuckDB and on the stand-in for every type, and differences between them are found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import redshift_connector

from biostar.parity import Relation, TableResult, compare_sides, open_side
from biostar.standin import StandIn

COLUMNS = {
    "id": "integer",
    "small": "smallint",
    "large": "bigint",
    "amount": "numeric(18,2)",
    "precise": "numeric(38,10)",
    "ratio": "double precision",
    "share": "real",
    "flag": "boolean",
    "day": "date",
    "moment": "timestamp",
    "instant": "timestamptz",
    "name": "varchar(64)",
    "story": "varchar(2000)",
    "code": "char(8)",
    "clock": "time",
    "clock_there": "timetz",
    "raw": "varbyte(16)",
    "doc": "super",
}
DUCKDB_NAMES = {"raw": "blob", "doc": "json"}
WORDS = [
    "",
    " ",
    "a",
    "a ",
    "Größe",
    "Gro\u0308ße",
    "東京",
    "O'Neil",
    'say "x"',
    "tab\there",
    "two\nlines",
    "😀",
    "\x1f",
]
FLOATS = [0.0, -0.0, 1.0, 0.1 + 0.2, -2.5e-7, 1e15, 123456789.125, 1e300, 2.2250738585072014e-308, float("nan")]


def rows(count: int) -> list[tuple[Any, ...]]:
    chance = random.Random(4)

    def sometimes(value: Any) -> Any:
        return None if chance.random() < 0.1 else value

    made = []
    for number in range(count):
        moment = datetime(1900, 1, 1) + timedelta(microseconds=chance.randrange(6_000_000_000_000_000))
        values = (
            chance.randrange(-(2**15), 2**15),
            chance.randrange(-(2**63), 2**63),
            Decimal(chance.randrange(-(10**15), 10**15)).scaleb(-2),
            Decimal(chance.randrange(-(10**30), 10**30)).scaleb(-10),
            chance.choice([*FLOATS, chance.uniform(-1, 1), chance.uniform(-1, 1) * 10.0 ** chance.randrange(-90, 90)]),
            chance.choice([0.5, 1.25, -3.0, 1e10]),
            chance.random() < 0.5,
            date(1, 1, 1) + timedelta(days=chance.randrange(3_650_000)),
            moment.replace(microsecond=chance.choice([0, 1, 100_000, 123_456, 999_999])),
            moment.replace(tzinfo=timezone(timedelta(minutes=chance.choice([0, 330, -480])))),
            "".join(chance.choices(WORDS, k=2)),
            chance.choice(WORDS) * chance.randrange(100),
            chance.choice(["", "a", "ab c", "x  "]),
            moment.time(),
            moment.time().isoformat() + chance.choice(["+00:00", "+05:30", "-08:00"]),
            chance.randbytes(chance.randrange(6)),
            chance.choice(['{"b": 1, "a": [true, null, "x: , y"]}', "[1.50, 2e3]", '"text"', "-7", "{}"]),
        )
        made.append((number, *map(sometimes, values)))
    return made


@pytest.fixture(scope="module")
def engines(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    """The same rows as one.values in a DuckDB file and in the stand-in."""
    file = tmp_path_factory.mktemp("engines") / "w.duckdb"
    listed = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    listed_here = ", ".join(f"{name} {DUCKDB_NAMES.get(name, kind)}" for name, kind in COLUMNS.items())
    data = rows(400)
    marks = ", ".join("?" for _ in COLUMNS)
    with duckdb.connect(str(file)) as local:
        local.execute(f"set TimeZone = 'UTC'; create schema one; create table one.every_type ({listed_here})")
        local.executemany(f"insert into one.every_type values ({marks})", [list(row) for row in data])
    with closing(redshift_connector.connect(**standin.connection)) as warehouse:
        warehouse.autocommit = True
        cursor = warehouse.cursor()
        cursor.paramstyle = "qmark"
        cursor.execute("create schema one")
        cursor.execute(f"create table one.every_type ({listed})")
        for start in range(0, len(data), 100):
            part = data[start : start + 100]
            special = {"varbyte(16)": "from_hex(?)", "super": "json_parse(?)"}
            casts = ", ".join(special.get(kind, f"cast(? as {kind})") for kind in COLUMNS.values())
            cursor.execute(
                "insert into one.every_type values " + ", ".join(f"({casts})" for _ in part),
                [None if value is None else _text(value) for row in part for value in row],
            )
        yield file, cursor
        cursor.execute("drop schema one cascade")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def compare(file: Path, monkeypatch: pytest.MonkeyPatch, standin: StandIn, **more: Any) -> TableResult:
    monkeypatch.setenv("BIOSTAR_STANDIN_PORT", str(standin.settings.port))
    relation = Relation("every_type", "one", "every_type", ("id",), declared=dict(COLUMNS), **more)
    with closing(open_side("duckdb", file)) as left, closing(open_side("standin")) as right:
        (result,) = compare_sides(left, right, [relation]).tables
    return result


def test_every_type_has_the_same_text_on_both(
    engines: tuple[Path, Any], standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compare(engines[0], monkeypatch, standin)
    assert (found.counts, found.schema, found.left_out) == ({}, [], [])
    assert (found.rows, found.columns) == ((400, 400), len(COLUMNS))


@pytest.mark.parametrize(
    ("change", "column", "diagnosis"),
    [
        ("name = name || ' '", "name", "trailing blanks"),
        ("amount = amount + 0.01", "amount", "rounding in the last decimal"),
        ("precise = round(precise, 2)", "precise", "scale: one side has only 2 of 10 decimals"),
        ("large = large + 1", "large", "different number"),
        ("moment = dateadd(hour, 5, moment)", "moment", "time zone: right is +05:00"),
        ("instant = dateadd(microsecond, 1, instant)", "instant", "fraction of a second, in the microseconds"),
        ("day = day + 1", "day", "one day apart"),
        ("flag = not flag", "flag", "different truth value"),
        ("ratio = ratio * 1.0000001", "ratio", "float rounding"),
        ("story = ''", "story", "null against empty text"),
        ("code = 'zz'", "code", "different text"),
        ("clock = cast('23:59:58.000001' as time)", "clock", "different value"),
        ("raw = raw || from_hex('00')", "raw", "different value"),
        ("doc = json_parse('{\"b\": 2}')", "doc", "different value"),
    ],
)
def test_a_change_on_the_stand_in_is_found_and_named(
    engines: tuple[Path, Any],
    standin: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    column: str,
    diagnosis: str,
) -> None:
    file, cursor = engines
    where = "story is null" if column == "story" else f"{column} is not null"
    if column in ("ratio", "precise"):
        where += f" and {column} between 0.1 and 0.9" if column == "ratio" else " and precise <> round(precise, 2)"
    cursor.execute("begin")
    cursor.execute(f"create temporary table chosen as select min(id) as id from one.every_type where {where}")
    cursor.execute("commit")
    cursor.execute("create temporary table kept as select * from one.every_type where id in (select id from chosen)")
    cursor.execute(f"update one.every_type set {change} where id in (select id from chosen)")
    try:
        found = compare(file, monkeypatch, standin)
        assert (found.differing_rows, dict(found.counts)) == (1, {(column, diagnosis): 1})
    finally:
        cursor.execute("delete from one.every_type where id in (select id from chosen)")
        cursor.execute("insert into one.every_type select * from kept")
        cursor.execute("drop table chosen")
        cursor.execute("drop table kept")


def test_a_width_that_is_not_the_contract_s_is_a_difference(
    engines: tuple[Path, Any], standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COLUMNS, "name", "varchar(32)")
    assert compare(engines[0], monkeypatch, standin).schema == ["type of name: varchar(64), declared as varchar(32)"]
