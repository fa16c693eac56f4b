"""Parity finds each kind of difference, names it, and calls nothing else different."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biostar.parity import Limits, Relation
from biostar.parity.compare import _batches
from biostar.parity.diagnose import diagnose
from biostar.parity.types import Meeting
from parity_lab import ParityLab

NOON = datetime(2024, 2, 8, 12, 0, 0)
AT_NOON = NOON.replace(tzinfo=timezone.utc)

# type, left, right, diagnosis
KINDS: list[tuple[str, Any, Any, str]] = [
    ("varchar", "a", "a ", "trailing blanks"),
    ("varchar", "a", " a", "white space at an end"),
    ("varchar", "a", "a\u00a0", "white space at an end"),
    ("varchar", "a\nb", "a\r\nb", "line ends"),
    ("varchar", "Jos\u00e9", "Jose\u0301", "unicode normalisation"),
    ("varchar", "Weiß", "WEISS", "letter case"),
    ("varchar", "JOS\u00c9", "jose\u0301", "letter case and unicode normalisation"),
    ("varchar", "José", "JosÃ©", "encoded twice: UTF-8 read as Latin-1"),
    ("varchar", "José", "Jos?", "characters replaced"),
    ("varchar", "José", "Jos\ufffd", "characters replaced"),
    ("varchar", "Boston, MA", "Boston", "cut off after 6 bytes"),
    ("varchar", "5.0", "5", "the same number, written differently"),
    ("varchar", "5.10", "5.1", "the same number, written differently"),
    ("varchar", "a", "b", "different text"),
    ("varchar", "", "a", "empty text against a value"),
    ("varchar", None, "", "null against empty text"),
    ("varchar", None, "\x1e", "null against a value"),
    ("bigint", 1, None, "null against a value"),
    ("bigint", 2**62, 2**62 + 1, "different number"),
    ("integer", 7, -7, "opposite sign"),
    ("integer", 7, 700, "scale: a factor of 10^2"),
    ("numeric(18,2)", Decimal("2.67"), Decimal("2.68"), "rounding in the last decimal"),
    ("numeric(18,2)", Decimal("2.67"), Decimal("267"), "scale: a factor of 10^2"),
    ("numeric(18,6)", Decimal("2.675000"), Decimal("2.68"), "scale: one side has only 2 of 6 decimals"),
    ("numeric(38,2)", Decimal("9" * 36 + ".01"), Decimal("9" * 36 + ".99"), "different number"),
    ("numeric(38,2)", Decimal("9" * 36 + ".01"), Decimal("9" * 36 + ".02"), "rounding in the last decimal"),
    ("boolean", True, False, "different truth value"),
    ("date", date(2024, 2, 8), date(2024, 2, 9), "one day apart"),
    ("date", date(2024, 2, 8), date(2024, 8, 2), "day and month exchanged"),
    ("date", date(2024, 2, 8), date(2023, 2, 8), "different date"),
    ("timestamp", NOON, NOON + timedelta(hours=5, minutes=30), "time zone: right is +05:30"),
    ("timestamp", NOON, NOON - timedelta(hours=5), "time zone: right is -05:00"),
    ("timestamp", NOON, NOON + timedelta(microseconds=1), "fraction of a second, in the microseconds"),
    ("timestamp", NOON, NOON + timedelta(microseconds=999_000), "fraction of a second, in the milliseconds"),
    ("timestamp", NOON, NOON + timedelta(seconds=1), "about one second: rounding of a fraction"),
    ("timestamp", NOON, NOON + timedelta(days=1), "one day apart"),
    ("timestamp", NOON, NOON + timedelta(days=400, seconds=7), "different time"),
    ("timestamptz", AT_NOON, NOON.replace(tzinfo=timezone(timedelta(hours=1))), "time zone: right is -01:00"),
    ("double", 1.0, 1.0000001, "float rounding"),
    ("double", 1.0, 1.1, "different number"),
    ("double", 0.0, math.nan, "not a finite number on one side"),
    ("double", 5e-324, 1.5e-323, "different number"),
    ("double", 1.7976931348623157e308, -5e-324, "different number"),
    ("real", 1.0, 1.00005, "different number"),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> ParityLab:
    return ParityLab(tmp_path_factory.mktemp("parity"))


TYPES = sorted({kind for kind, *_ in KINDS})


@pytest.mark.parametrize("kind", TYPES)
def test_each_kind_of_difference_is_found_among_equal_rows_and_named(lab: ParityLab, kind: str) -> None:
    cases = [(left, right, diagnosis) for of, left, right, diagnosis in KINDS if of == kind]
    for side in (0, 1):
        rows = []
        for number, case in enumerate(cases):
            rows += [(f"{number} left", case[0]), (f"{number} right", case[1]), (f"{number} odd", case[side])]
        lab.write(("left", "right")[side], f"create table core.t (id varchar, value {kind});", rows)
    found = lab.compare(limits=Limits(examples=100))
    assert (found.rows, found.schema, found.only_left, found.only_right) == ((len(rows), len(rows)), [], 0, 0)
    assert found.differing_rows == len(cases)
    assert {example.key: (example.column, example.diagnosis) for example in found.examples} == {
        f"id='{number} odd'": ("value", diagnosis) for number, (_, _, diagnosis) in enumerate(cases)
    }


@pytest.mark.parametrize("kind", TYPES)
def test_nothing_is_found_between_equal_tables_in_another_order(lab: ParityLab, kind: str) -> None:
    values = [value for of, left, right, _ in KINDS if of == kind for value in (left, right)]
    rows = list(enumerate([*values, None]))
    lab.write("left", f"create table core.t (id bigint, value {kind});", rows)
    lab.write("right", f"create table core.t (id bigint, value {kind});", rows[::-1])
    found = lab.compare()
    assert found.equal
    assert (found.rows, found.columns, found.examples, found.find) == ((len(rows), len(rows)), 2, [], {})


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (0.1 + 0.2, 0.3),
        (1e300 / 3, 1e300 / 3 * (1 + 2e-16)),
        (1e-7, 1.0000000000000002e-7),
        (1000.0, 999.9999999999999),
    ],
)
def test_floats_that_differ_in_their_last_bits_are_equal(lab: ParityLab, left: float, right: float) -> None:
    assert left != right
    for side, value in (("left", left), ("right", right)):
        lab.write(side, "create table core.t (id bigint, value double);", [(1, value), (2, math.nan), (3, math.inf)])
    assert lab.compare().equal


VALUES = st.tuples(
    st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    st.one_of(st.none(), st.decimals(-(10**15), 10**15, places=2)),
    st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)),
    st.one_of(st.none(), st.booleans()),
    st.one_of(st.none(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    st.one_of(st.none(), st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))),
    st.one_of(st.none(), st.floats(allow_infinity=True, allow_nan=False)),
)
TABLE = (
    "create table core.t (id bigint, a bigint, b numeric(18,2), c varchar, d boolean, e date, f timestamp, g double);"
)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(VALUES, min_size=1, max_size=6), other=VALUES, at=st.integers(0, 5), column=st.integers(0, 6))
def test_a_changed_value_is_found_in_its_row_and_column_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], other: Any, at: int, column: int
) -> None:
    lab = ParityLab(tmp_path_factory.getbasetemp())
    at %= len(rows)
    changed = [list(row) for row in rows]
    changed[at][column] = other[column]
    lab.write("left", TABLE, [(number, *row) for number, row in enumerate(rows)])
    lab.write("right", TABLE, [(number, *row) for number, row in enumerate(changed)])
    before, after = rows[at][column], other[column]
    same = before == after or (
        isinstance(before, float) and isinstance(after, float) and math.isclose(before, after, rel_tol=1e-11)
    )
    found = lab.compare()
    assert found.equal == same
    if not same:
        assert found.differing_rows == 1
        assert [name for name, _ in found.counts] == ["abcdefg"[column]]
        assert found.examples[0].key == f"id='{at}'"


def test_missing_and_extra_rows_are_told_apart(lab: ParityLab) -> None:
    lab.write("left", "create table core.t as select i as id, i * 2 as value from range(5000) as r(i)")
    lab.write("right", "create table core.t as select i as id, i * 2 as value from range(2, 5003) as r(i)")
    found = lab.compare(limits=Limits(examples=100))
    assert (found.rows, found.differing_rows, found.only_left, found.only_right) == ((5000, 5001), 0, 2, 3)
    assert {(example.key, example.diagnosis) for example in found.examples} == {
        *((f"id='{number}'", "row missing on the right") for number in (0, 1)),
        *((f"id='{number}'", "row missing on the left") for number in (5000, 5001, 5002)),
    }


def test_a_key_that_differs_in_its_form_only_is_shown_as_one_difference(lab: ParityLab) -> None:
    lab.write("left", "create table core.t as select * from (values ('abc', 1), ('x', 2)) as v(id, value)")
    lab.write("right", "create table core.t as select * from (values ('ABC ', 1), ('y', 2)) as v(id, value)")
    found = lab.compare()
    assert (found.only_left, found.only_right) == (2, 2)
    assert found.counts == Counter(
        {
            ("id", "the key differs: different text"): 1,
            ("", "row missing on the right"): 1,
            ("", "row missing on the left"): 1,
        }
    )


def test_rows_that_share_a_key_are_compared_as_a_set_with_repetitions(lab: ParityLab) -> None:
    left = "create table core.t as select * from (values (1, 'a'), (1, 'a'), (1, 'b'), (2, 'c')) as v(id, value)"
    lab.write("left", left)
    lab.write("right", "create table core.t as select * from (values (1, 'b'), (2, 'c'), (1, 'a')) as v(id, value)")
    found = lab.compare()
    assert (found.differing_rows, found.only_left, found.only_right) == (0, 1, 0)
    lab.write("right", left.replace("(1, 'a'), (1, 'a')", "(1, 'a'), (1, 'A')"))
    found = lab.compare()
    assert (found.differing_rows, found.counts) == (1, Counter({("value", "letter case"): 1}))


def test_a_table_without_grain_is_compared_by_whole_rows(lab: ParityLab) -> None:
    lab.write("left", "create table core.t as select i % 3 as a, null as b from range(9) as r(i)")
    lab.write("right", "create table core.t as select i % 3 as a, null as b from range(10) as r(i)")
    found = lab.compare(Relation("t", "core", "t"))
    assert (found.only_left, found.only_right) == (0, 1)


def test_two_values_that_run_into_each_other_are_not_taken_for_equal(lab: ParityLab) -> None:
    lab.write("left", "create table core.t as select 1 as id, 'a' as x, 'bc' as y, null as z")
    lab.write("right", "create table core.t as select 1 as id, 'ab' as x, 'c' as y, null as z")
    assert lab.compare().differing_rows == 1


def test_columns_missing_moved_or_of_another_type_are_named(lab: ParityLab) -> None:
    lab.write("left", "create table core.t (id bigint, a integer, b varchar, c numeric(18,2), d date, gone integer)")
    lab.write("right", "create table core.t (id bigint, b varchar, a bigint, c numeric(18,4), d varchar, new integer)")
    found = lab.compare(Relation("t", "core", "t", ("id",), declared={"id": "bigint", "lost": "integer"}))
    assert found.schema == [
        "column gone is missing on the right",
        "column new is missing on the left",
        "column lost, declared integer, is missing on both sides",
        "the order of the columns differs",
        "type of a: integer and bigint",
        "type of c: numeric(18,2) and numeric(18,4)",
        "type of d: date and varchar",
    ]
    assert found.left_out == ["d: its types have no common text"]


def test_values_of_other_types_are_compared_all_the_same(lab: ParityLab) -> None:
    lab.write(
        "left",
        "create table core.t as select 1 as id, cast(1.5 as numeric(18,2)) as a, date '2024-02-08' as b, 3 as c",
    )
    lab.write(
        "right",
        "create table core.t as select 1 as id, cast(1.505 as numeric(18,4)) as a, timestamp '2024-02-08 00:00' as b,"
        " cast(3 as numeric(9,1)) as c",
    )
    found = lab.compare()
    assert len(found.schema) == 3
    assert found.counts == Counter({("a", "scale: one side has only 2 of 4 decimals"): 1})


def test_a_type_without_a_common_text_is_never_called_equal(lab: ParityLab) -> None:
    for side in ("left", "right"):
        lab.write(side, "create table core.t as select 1 as id, [1, 2] as items")
    found = lab.compare()
    assert not found.equal
    assert found.schema == ["type of items: integer[] and integer[]: integer[] cannot be compared"]


def test_a_missing_table_is_a_difference(lab: ParityLab) -> None:
    lab.write("left", "create table core.t as select 1 as id")
    lab.write("right", "")
    found = lab.compare()
    assert (found.equal, found.rows) == (False, (None, None))
    assert found.schema == ["there is no such table on the right (duckdb)"]


@pytest.mark.parametrize("column", ["birth_date", "first_name"])
def test_private_values_are_never_shown_but_equal_ones_are_recognised(lab: ParityLab, column: str) -> None:
    secret, other = ("1961-03-14", "1961-03-15") if column == "birth_date" else ("Quetzalia", "QUETZALIA")
    kind = "date" if column == "birth_date" else "varchar"
    table = f"create table core.t (patient_id varchar, {column} {kind}, patient_key bigint);"
    for side, value in (("left", secret), ("right", other)):
        lab.write(side, table, [("p-4711", value, 7_531_902_468), ("p-4712", value, 7_531_902_469)])
    relation = Relation("t", "core", "t", ("patient_id",), private=frozenset(("patient_id", column, "patient_key")))
    found = lab.compare(relation)
    said = repr(found.as_dict())
    assert not [
        value
        # Each has a character or a length that no random mark, which is hexadecimal, has by chance.
        for value in (secret, other, secret.lower(), "p-47", "61-03", "7531902", "902468", "902469")
        if value in said.split("find")[0]
    ]
    assert len(found.examples) == 2
    marks = {(example.left, example.right) for example in found.examples}
    assert len(marks) == 1  # the same two values in both rows
    assert found.examples[0].left != found.examples[0].right
    assert f"{len(secret)} characters" in found.examples[0].left
    again = lab.compare(relation)
    assert {(example.left, example.right) for example in again.examples}.isdisjoint(marks)


def test_a_surrogate_key_may_be_shown_where_it_is_the_key_of_a_row(lab: ParityLab) -> None:
    for side in ("left", "right"):
        lab.write(side, f"create table core.t as select cast(4711 as bigint) as patient_key, '{side}' as value")
    found = lab.compare(Relation("t", "core", "t", ("patient_key",), private=frozenset(("patient_key",))))
    assert found.examples[0].key == "patient_key=4711"


def test_the_number_of_an_example_finds_its_row(lab: ParityLab) -> None:
    for side in ("left", "right"):
        lab.write(
            side,
            f"create table core.t as select 'k' || i as id, i = 7 and '{side}' = 'left' as odd from range(50) as r(i)",
        )
    found = lab.compare()
    (example,) = found.examples
    import duckdb

    with duckdb.connect(str(lab.folder / "left.duckdb"), read_only=True) as connection:
        assert connection.execute(found.find["left"].replace("<row>", example.row)).fetchall() == [("k7", True)]


def test_every_kind_gets_an_example_before_any_gets_a_second(lab: ParityLab) -> None:
    lab.write("left", "create table core.t as select i as id, 'a' as x, i as y from range(100) as r(i)")
    lab.write(
        "right",
        "create table core.t as select i as id, 'A' as x, case i when 3 then 4 else i end as y from range(100) as r(i)",
    )
    found = lab.compare(limits=Limits(examples=2))
    assert {example.column for example in found.examples} == {"x", "y"}
    assert found.counts["x", "letter case"] == 100


def test_what_is_not_read_is_counted_and_makes_the_counts_lower_bounds(lab: ParityLab) -> None:
    for side in ("left", "right"):
        lab.write(side, f"create table core.t as select i as id, '{side}' as value from range(20000) as r(i)")
    found = lab.compare(limits=Limits(bucket_rows=100, batch_cells=2000, read_rows=3000))
    assert 1000 < found.differing_rows < 4000
    assert found.differing_rows + found.unread_rows == 20000
    assert found.as_dict()["counts_are_lower_bounds"] is True


def test_a_bucket_whose_rows_share_one_key_is_not_fetched_but_still_a_difference(lab: ParityLab) -> None:
    for side in ("left", "right"):
        lab.write(
            side, f"create table core.t as select 1 as id, i as value from range({9000 + (side == 'left')}) as r(i)"
        )
    found = lab.compare(limits=Limits(batch_cells=2000))
    assert (found.equal, found.unread_rows, found.differing_rows) == (False, 9001, 0)


def test_batches_hold_every_bucket_once() -> None:
    sizes = {f"{number:03x}": number % 7 for number in range(1200)}
    batches = list(_batches(sizes, 20))
    assert [bucket for batch in batches for bucket in batch] == list(sizes)
    assert max(sum(sizes[bucket] for bucket in batch) for batch in batches) <= 20
    assert list(_batches({"a": 81, "b": 80}, 20)) == [["b"]]


def test_a_diagnosis_never_quotes_what_it_was_given() -> None:
    texts = [text for kind, *pair, _ in KINDS if kind == "varchar" for text in pair if text and len(text) > 4]
    for left in texts:
        for right in texts:
            if left != right:
                said = diagnose(left, right, Meeting("text"))
                assert left not in said and right not in said, (left, right)


def test_more_text_than_redshift_holds_in_one_value_goes_in_by_digest(tmp_path: Path) -> None:
    lab = ParityLab(tmp_path)
    names = [f"c{number}" for number in range(300)]
    declared = {"id": "bigint", **dict.fromkeys(names, "varchar(256)")}
    for side, last in (("left", "x"), ("right", "y")):
        values = ", ".join(f"repeat('{'z' if name != 'c299' else last}', 250) as {name}" for name in names)
        lab.write(side, f"create table core.t as select 1 as id, {values}")
    found = lab.compare(Relation("t", "core", "t", ("id",), declared))
    assert (found.columns, found.differing_rows, list(found.counts)) == (301, 1, [("c299", "different text")])
