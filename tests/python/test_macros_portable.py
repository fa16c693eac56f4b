"""Each portable macro by its edge values; both variants where there are two; and the SQL for Redshift parses.

The variants for Redshift run here too, on DuckDB, with the two functions that it lacks put in their place: what they
accept is decided by patterns that both engines read alike, and this shows that the rest of each says the same.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot

from macros_lab import MacroLab, macro_lab

MODELS = {
    "texts": """
        select
            value,
            {{ biostar.clean_text('value') }} as clean_text,
            {{ biostar.default__clean_text('value') }} as clean_text_redshift,
            {{ biostar.byte_length('value') }} as byte_length
        from main.texts
    """,
    "casts": """
        select
            value,
            {{ biostar.safe_timestamp('value') }} as as_timestamp,
            {{ biostar.default__safe_timestamp('value') }} as as_timestamp_redshift,
            {{ biostar.safe_timestamp_or_year('value') }} as as_timestamp_or_year,
            {{ biostar.safe_date('value') }} as as_date,
            {{ biostar.safe_integer('value') }} as as_integer,
            {{ biostar.safe_numeric('value', 18, 2) }} as as_amount,
            {{ biostar.safe_numeric('value', 9, 6) }} as as_coordinate
        from main.texts
    """,
    "keys": """
        select
            a,
            b,
            {{ biostar.surrogate_key(['a', 'b']) }} as surrogate_key,
            {{ biostar.default__surrogate_key(['a', 'b']) }} as surrogate_key_redshift,
            {{ biostar.reference_key('a') }} as reference_key,
            {{ biostar.reference_key(['a', 'b']) }} as reference_key_of_two,
            {{ biostar.record_hash(['a', 'b']) }} as record_hash
        from main.pairs
    """,
    "days": """
        select
            first_at,
            second_at,
            {{ biostar.days_between('first_at', 'second_at') }} as days_between,
            {{ biostar.seconds_between('first_at', 'second_at') }} as seconds_between,
            {{ biostar.age_in_years('first_at', 'second_at') }} as age_in_years,
            {{ biostar.add_days('first_at', -1) }} as day_before,
            {{ biostar.month_start('first_at') }} as month_start,
            {{ biostar.week_start('first_at') }} as week_start,
            {{ biostar.date_key('first_at') }} as date_key
        from main.periods
    """,
    "codes": """
        select
            code,
            {{ biostar.code_system('charge', 'code', description='name') }} as charge_system,
            {{ biostar.code_system('observation', 'code') }} as observation_system,
            {{ biostar.code_system('condition', 'code', system='name') }} as condition_system,
            {{ biostar.code_key('condition', 'code', system='name') }} as code_key
        from main.codes
    """,
    "groups": """
        select
            {{ biostar.average('number') }} as average,
            {{ biostar.string_list('name', 'name') }} as names,
            {{ biostar.string_list('name', 'number desc', ' > ') }} as names_by_number
        from main.members
    """,
    "quotients": """
        select
            amount,
            divisor,
            {{ biostar.quotient('amount', 'divisor', 18, 2) }} as quotient,
            {{ biostar.quotient('amount', 'divisor', 18, 0) }} as whole
        from main.shares
    """,
    "flags": """
        select number, {{ biostar.boolean_text('number > 1') }} as is_many
        from main.members
        {{ biostar.late_filter('number is null or number > 1') }}
    """,
    "flags_redshift": """
        select number from main.members {{ biostar.default__late_filter('number is null or number > 1') }}
    """,
}
PAIRS = [
    ("a", "b"),
    ("a", None),
    (None, "a"),
    (None, None),
    ("", "a"),
    ("a", ""),
    ("a|b", "c"),
    ("a", "b|c"),
    ("~", None),
    ("ab", ""),
    ("a", "b"),
    ("Größe", "東京"),
    ("x" * 1000, "y"),
]
PERIODS = [
    ("2024-02-28 23:59:00", "2024-02-29 00:01:00"),
    ("2024-02-29 00:00:00", "2025-02-28 12:00:00"),
    ("2024-02-29 00:00:00", "2025-03-01 00:00:00"),
    ("1999-12-31 00:00:00", "2000-01-01 00:00:00"),
    ("2000-01-01 10:00:00", "1999-12-31 23:00:00"),
    ("1980-05-05 00:00:00", "1980-05-05 23:59:59"),
    ("2023-01-01 00:00:00", "2024-01-01 00:00:00"),
    ("1899-12-31 00:00:00", "1900-01-01 00:00:00"),
]
CODES = [
    ("195662009", None, "SNOMED", "SYNTHEA", "SNOMED"), ("8302-2", None, "SYNTHEA", "LOINC", "SNOMED"),
    ("140", None, "CVX", "SYNTHEA", "SNOMED"), ("08", None, "CVX", "SYNTHEA", "SNOMED"),
    ("5880005", "Physical examination", "SNOMED", "SYNTHEA", "PHYSICAL EXAMINATION"),
    ("857005", "Acetaminophen 325 MG Oral Tablet", "RXNORM", "SYNTHEA", "ACETAMINOPHEN 325 MG ORAL TABLET"),
    ("1000126", None, "RXNORM", "SYNTHEA", "SNOMED"),
    ("428211000124100", None, "SNOMED", "SYNTHEA", "SNOMED"),
    ("QALY", None, "SYNTHEA", "SYNTHEA", "SNOMED"), ("-2", None, "SYNTHEA", "SYNTHEA", "SNOMED"),
    ("12-34", None, "SYNTHEA", "SYNTHEA", "SNOMED"),
    ("I10", "http://hl7.org/fhir/sid/icd-10-cm", "SYNTHEA", "SYNTHEA", "ICD10CM"),
    ("1", "SNOMED-CT", "CVX", "SYNTHEA", "SNOMED"),
    ("1", "RxNorm", "CVX", "SYNTHEA", "RXNORM"),
    (None, None, None, None, None),
]  # fmt: skip
SHARES = [
    (Decimal(amount), divisor)
    for amount in ("77.49", "193.73", "0.01", "0.005", "-77.49", "0", "99999999999999.9999", "-1.5")
    for divisor in (1, 2, 3, 7, -4, 0, None, 2147483647)
]
STAND_INS = """
    create macro strtol(digits, base) as ('0x' || digits)::bigint;
    create macro dateadd(part, number, start) as start + to_minutes(number);
"""

DAY = r"(19\d\d|20\d\d|2100)-\d\d-\d\d"
MINUTE = r"[ T]([01]\d|2[0-3]):[0-5]\d"
TIMESTAMP = re.compile(
    rf"({DAY})(({MINUTE})((:[0-5]\d)(\.\d{{1,6}})?)?(Z|([+-])([01]\d|2[0-3]):([0-5]\d))?)?", re.ASCII
)


def expected_timestamp(text: str | None) -> datetime | None:
    """What safe_timestamp promises, said once more in Python."""
    match = TIMESTAMP.fullmatch((text or "").strip(" "))
    if not match:
        return None
    day, minute, second, fraction = match[1], match[4], match[7], match[8]
    try:
        found = datetime.fromisoformat(f"{day} {minute[1:] if minute else '00:00'}{second or ':00'}")
    except ValueError:
        return None
    found += timedelta(microseconds=int((fraction or ".0")[1:].ljust(6, "0")))
    if match[10]:
        offset = timedelta(hours=int(match[11]), minutes=int(match[12]))
        found += -offset if match[10] == "+" else offset
    return found


def expected_integer(text: str | None) -> int | None:
    """What safe_integer promises."""
    match = re.fullmatch(r"(-?\d+)(\.0+)?", (text or "").strip(" "), re.ASCII)
    number = int(match[1]) if match else None
    return number if number is not None and -(2**31) <= number < 2**31 else None


def expected_numeric(text: str | None, precision: int, scale: int) -> Decimal | None:
    """What safe_numeric promises."""
    if not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?", (text or "").strip(" "), re.ASCII):
        return None
    number = Decimal((text or "").strip(" "))
    if abs(number) >= Decimal(10) ** (precision - scale):
        return None
    rounded = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
    return rounded if abs(rounded) < Decimal(10) ** (precision - scale) else None


def texts() -> list[str | None]:
    """Known traps, and valid values with a character changed here and there; the same ones on every run."""
    known = [
        "2023-01-27T16:17:47Z", "2023-01-27 16:17:47", "2023-01-27", " 2023-01-27 ", "2023-01-27T16:17Z",
        "2023-01-27 16:17", "2023-01-27T16:17:47.5Z", "2023-01-27T16:17:47.123456",
        "2023-01-27T16:17:47.1234567Z",
        "2023-01-27T16:17:47+02:00", "2023-01-27T16:17:47-05:30", "2023-01-27T23:30-01:00",
        "2023-01-27T16:17:47+0200",
        "2023-01-27T16:17:47 UTC", "2023-02-30", "2023-02-29", "2024-02-29", "2023-13-01", "2023-00-10",
        "1899-12-31",
        "1900-01-01", "2100-12-31", "2101-01-01", "9999-12-31", "0001-01-01", "2023-1-1", "2023/01/27",
        "27.01.2023",
        "20230127", "J2451187", "Jan-08-95 BC", "infinity", "-infinity", "epoch", "now", "today",
        "2023-01-27T24:00:00Z",
        "2023-01-27T23:59:60Z", "2023-01-27t16:17:47z", "2023-01-27T16:17:47ZZ", "2023-01-27T16:17:4.Z",
        "2023-01-27T",
        "2023-01-1 T16:17:47Z", "2023-01-27\n", "\t2023-01-27", "2023-01-27\u00a0", "2023", "1899", "2100",
        " 2014 ", "20 14",
        "5", "-5", "+5", "5.", ".5", "5.0", "5.5", "-0", "007", "1e3", "1E3", "1.5e-2", "1e", "e5", "1_000",
        "1,000", "0x10",
        " 5 ", "5\n", "\u0663", "\uff15", "NaN", "nan", "Infinity", "2147483647", "2147483648",
        "-2147483648", "-2147483649",
        "1.005", "-1.005", "2.675", "0.125", "49112.87100000001", "1.23456789E7", "9999999999999999.99",
        "9999999999999999.999", "10000000000000000", "1e300", "1e-300", "-71.15168585038569", "999.9999999",
        "1000",
        "--5", "5-", "$5", "", " ", "   ", "Größe", " x", "x ", "a  b", "\u3000x",
    ]  # fmt: skip
    chance = random.Random(20240208)
    seeds = [text for text in known if text[:1].isdigit() or text[:1] == "-"]
    marred = []
    for _ in range(3000):
        text = list(chance.choice(seeds))
        place = chance.randrange(len(text))
        if text[place].isdigit() and chance.random() < 0.5:
            text[place] = chance.choice("0123456789")
        else:
            text[place : place + chance.randint(0, 1)] = chance.choice("0123456789-:.TZ +eE/_\t")
        marred.append("".join(text))
    return [None, *known, *marred]


@dataclass(frozen=True)
class Built:
    """The models' rows, by name."""

    rows: dict[str, list[dict[str, Any]]]
    lab: MacroLab


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    lab = macro_lab(tmp_path_factory.mktemp("portable"))
    for name, sql in MODELS.items():
        lab.model(name, "{{ config(schema='built') }}" + sql)
    with duckdb.connect(str(lab.database)) as connection:
        connection.execute(STAND_INS)
        for table, columns, rows in [
            ("texts", "value varchar", [(text,) for text in texts()]),
            ("pairs", "a varchar, b varchar", PAIRS),
            ("periods", "first_at timestamp, second_at timestamp", PERIODS),
            ("codes", "code varchar, name varchar", [row[:2] for row in CODES]),
            ("shares", "amount numeric(18, 4), divisor integer", SHARES),
            ("members", "number integer, name varchar", [(1, "b"), (2, "a"), (None, None), (4, "c")]),
        ]:
            connection.execute(f"create table {table} ({columns})")
            names = ", ".join(f"unnest(${place + 1})" for place in range(len(rows[0])))
            connection.execute(
                f"insert into {table} select {names}", [list(values) for values in zip(*rows, strict=True)]
            )
    lab.dbt("run")
    found = {}
    with duckdb.connect(str(lab.database), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'; set integer_division = true")
        for name in MODELS:
            answer = connection.execute(f"select * from built.{name}")
            columns = [column[0] for column in answer.description or []]
            found[name] = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
    return Built(found, lab)


def differing(rows: list[dict[str, Any]], column: str, expected: Callable[[Any], Any]) -> list[tuple[Any, Any, Any]]:
    """Rows whose value is not the expected one: text, expected, actual."""
    return [
        (row["value"], expected(row["value"]), row[column]) for row in rows if row[column] != expected(row["value"])
    ]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("as_timestamp", expected_timestamp),
        ("as_timestamp_redshift", expected_timestamp),
        ("as_date", lambda text: (found := expected_timestamp(text)) and found.date()),
        ("as_integer", expected_integer),
    ],
)  # fmt: skip
def test_casts_accept_what_they_promise_and_nothing_else(
    built: Built, column: str, expected: Callable[[Any], Any]
) -> None:
    assert differing(built.rows["casts"], column, expected) == []
    assert sum(row[column] is not None for row in built.rows["casts"]) > 100


@pytest.mark.parametrize(("column", "precision", "scale"), [("as_amount", 18, 2), ("as_coordinate", 9, 6)])
def test_numbers_are_rounded_half_away_from_zero(built: Built, column: str, precision: int, scale: int) -> None:
    """With an exponent they pass through a double, whose last digit may fall to the other side."""
    unit = Decimal(1).scaleb(-scale)
    wrong = []
    for text, expected, actual in differing(
        built.rows["casts"], column, lambda text: expected_numeric(text, precision, scale)
    ):
        by_double = "e" in text.lower() and None not in (expected, actual)
        if not (by_double and abs(expected - actual) <= unit):
            wrong.append((text, expected, actual))
    assert wrong == []


def test_a_bare_year_is_its_first_moment(built: Built) -> None:
    def expected(text: str | None) -> datetime | None:
        bare = (text or "").strip(" ")
        if re.fullmatch(r"19\d\d|20\d\d|2100", bare, re.ASCII):
            return datetime(int(bare), 1, 1)
        return expected_timestamp(text)

    assert differing(built.rows["casts"], "as_timestamp_or_year", expected) == []


def test_only_spaces_are_trimmed(built: Built) -> None:
    def expected(text: str | None) -> str | None:
        return (text or "").strip(" ") or None

    rows = built.rows["texts"]
    assert differing(rows, "clean_text", expected) == []
    assert differing(rows, "byte_length", lambda text: None if text is None else len(text.encode())) == []
    # DuckDB's own trim, unlike Redshift's, takes more than spaces
    plain = [row for row in rows if re.fullmatch(r"[ -~]*", row["value"] or "")]
    assert differing(plain, "clean_text_redshift", expected) == []


def test_keys_are_the_same_on_both_engines_and_by_the_rule(built: Built) -> None:
    keys = {}
    for row in built.rows["keys"]:
        text = "\x1f".join("\x1e" if part is None else part for part in (row["a"], row["b"]))
        backwards = hashlib.md5(text.encode()).hexdigest()[::-1]
        expected = int(backwards[:15], 16) * 8 + int(backwards[15], 16) // 2
        assert row["surrogate_key"] == row["surrogate_key_redshift"] == expected
        assert 0 <= expected < 2**63
        assert (row["reference_key"] == -1) == (row["a"] is None)
        assert row["reference_key_of_two"] == (-1 if None in (row["a"], row["b"]) else expected)
        keys[row["a"], row["b"]] = expected
    assert len(set(keys.values())) == len(set(PAIRS))


def test_record_hash_is_of_cleaned_text(built: Built) -> None:
    for row in built.rows["keys"]:
        text = "\x1f".join(((part or "").strip(" ") or "\x1e") for part in (row["a"], row["b"]))
        assert row["record_hash"] == hashlib.md5(text.encode()).hexdigest()


def test_days_are_counted_by_midnights_and_years_by_birthdays(built: Built) -> None:
    for row in built.rows["days"]:
        first, second = row["first_at"], row["second_at"]
        assert row["days_between"] == (second.date() - first.date()).days
        assert row["seconds_between"] == int((second - first).total_seconds())
        assert row["day_before"] == first.date() - timedelta(days=1)
        assert row["month_start"] == first.date().replace(day=1)
        assert row["week_start"] == first.date() - timedelta(days=first.weekday())
        assert row["date_key"] == (int(f"{first:%Y%m%d}") if first.year >= 1900 else -1)
    ages = {(row["first_at"].date(), row["second_at"].date()): row["age_in_years"] for row in built.rows["days"]}
    assert ages[date(2024, 2, 29), date(2025, 2, 28)] == 0
    assert ages[date(2024, 2, 29), date(2025, 3, 1)] == 1
    assert ages[date(1999, 12, 31), date(2000, 1, 1)] == 0
    assert ages[date(2023, 1, 1), date(2024, 1, 1)] == 1


def test_code_systems(built: Built) -> None:
    got = {
        (row["code"], row["charge_system"], row["observation_system"], row["condition_system"])
        for row in built.rows["codes"]
    }
    assert got == {(code, *systems) for code, _, *systems in CODES}
    assert all((row["code_key"] == -1) == (row["code"] is None) for row in built.rows["codes"])


def test_quotients_are_exact_and_rounded_half_away_from_zero(built: Built) -> None:
    def expected(amount: Decimal, divisor: int | None, scale: int) -> Decimal | None:
        unit = Decimal(1).scaleb(-scale)
        return (amount / divisor).quantize(unit, ROUND_HALF_UP) if divisor else None

    for row in built.rows["quotients"]:
        of = (row["amount"], row["divisor"])
        assert (row["quotient"], row["whole"]) == (expected(*of, 2), expected(*of, 0)), of
    assert {row["quotient"] for row in built.rows["quotients"]} >= {Decimal("38.75"), Decimal("-38.75"), None}


def test_groups_and_flags(built: Built) -> None:
    (group,) = built.rows["groups"]
    assert group["average"] == pytest.approx(7 / 3)
    assert (group["names"], group["names_by_number"]) == ("a, b, c", "c > a > b")
    flags = {(row["number"], row["is_many"]) for row in built.rows["flags"]}
    assert flags == {(2, "true"), (4, "true"), (None, None)}
    assert {row["number"] for row in built.rows["flags_redshift"]} == {2, 4, None}


def test_redshift_sql_needs_no_cluster_and_parses(built: Built) -> None:
    built.lab.dbt("compile", "--target", "redshift", "--no-introspect", "--no-populate-cache")
    compiled = built.lab.compiled("*.sql")
    assert set(MODELS) <= set(compiled)
    for name in MODELS:
        (statement,) = sqlglot.parse(compiled[name], dialect="redshift")
        assert statement is not None
    assert "md5_number" not in compiled["keys"] and "strtol(" in compiled["keys"]
    assert "fence" not in compiled["flags"]
    assert "within group (order by name)" in compiled["groups"]


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ("biostar.surrogate_key([])", "no column given"),
        ("biostar.code_system('drug', 'code')", "unknown domain 'drug', allowed: allergen"),
    ],
)
def test_wrong_arguments_are_named(tmp_path: Path, call: str, complaint: str) -> None:
    lab = macro_lab(tmp_path)
    lab.model("wrong", "select {{ " + call + " }} as x")
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        lab.dbt("parse")
