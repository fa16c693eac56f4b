"""JSON, Parquet, zstd and CSV without a header: every record a row, a reject with its number, or known to be blank."""

from __future__ import annotations

import datetime
import gzip
import io
import json
from pathlib import Path

import duckdb
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biostar.contracts import Column, RawTable
from biostar.landing import json_lines
from biostar.landing.json_lines import blocks_of
from biostar.warehouse import FileToLoad, LoadGroup, ObjectCounts
from biostar.warehouse.duckdb_dialect import DuckDBDialect
from biostar.warehouse.duckdb_json import load_json
from conftest import Lab
from formats_lab import FormatsLab, declared, make_formats_lab

DAY = "ingest_date=2024-02-08"
READINGS = declared(
    "readings",
    "id varchar(16)",
    "device varchar(16) aliases: [device_id]",
    "value varchar(64)",
    "flag varchar(8)",
    "body varchar(256)",
    format="json",
    unknown_columns="ignore",
)


@pytest.fixture
def lab(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FormatsLab:
    return make_formats_lab(lab, tmp_path, monkeypatch)


def test_values_of_json_are_text_as_json_writes_them(lab: FormatsLab) -> None:
    lab.declare(READINGS)
    values = [
        "1",
        "1.10",
        "-0",
        "1e2",
        "0.12345678901234567890",
        "123456789012345678901234567890",
        '"1.10"',
        "null",
        '""',
    ]
    values += ['"a \\"b\\" \\u00e9 \\n,"', "true", '{"x": [1.50, "2.50", {"y": null}]}', '"\\\\u0000"', "NaN"]
    lines = [f'{{"id": "{number:02}", "value": {value}}}' for number, value in enumerate(values)]
    lab.put(f"readings/{DAY}/a.json", "\n".join(lines))
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (0, len(values))
    assert [value for (value,) in lab.rows("readings", "value", "id")] == [
        "1",
        "1.10",
        "-0",
        "1e2",
        "0.12345678901234567890",
        "123456789012345678901234567890",
        "1.10",
        None,
        None,
        'a "b" é \n,',
        "true",
        '{"x":[1.50,"2.50",{"y":null}]}',
        "\\u0000",
        "NaN",
    ]


def test_every_line_of_json_is_a_row_a_reject_or_blank(lab: FormatsLab) -> None:
    lab.declare(READINGS)
    lines = [
        b'\xef\xbb\xbf{"id": "1", "device": "d"}\r',
        b"",
        b" \t\r",
        b'{"id": "2", "Device_ID": "e"}',  # another name of the column in the same object
        b"not json",
        b"[1, 2]",
        b'{"id": "3"}{"id": "4"}',
        b'{"id": "caf\xe9"}',
        b'{"id": "5", "device": "' + b"x" * 17 + b'"}',
        b'{"id": "6", "device": "d", "device_id": "e"}',
        b'{"id": "7", "id": "8"}',
        b'{"id": "9", "device": "a\\u0000b"}',
        b'{"id": "10", "body": "' + b"y" * (4 << 20) + b'"}',
        b'{"id": "11", "other": 1, "value": 1.5}',
    ]
    lab.put(f"readings/{DAY}/a.json.gz", gzip.compress(b"\n".join(lines)))
    outcome = lab.load()
    assert outcome.code == 0, outcome.document
    assert lab.rows("readings", "id, device, value", "cast(id as int)") == [
        ("1", "d", None),
        ("2", "e", None),
        ("11", None, "1.5"),
    ]
    assert lab.rejects() == [
        (5, None, "invalid_json", "the line is not JSON"),
        (6, None, "invalid_json", "the line is JSON, but no object"),
        (7, None, "invalid_json", "the line holds several objects"),
        (8, None, "invalid_encoding", "the bytes are not UTF-8"),
        (9, "device", "value_too_long", "the value has 17 bytes, the column takes 16"),
        (10, None, "duplicate_key", "the object has a key twice, or two keys for one column"),
        (11, None, "duplicate_key", "the object has a key twice, or two keys for one column"),
        (12, None, "invalid_encoding", "a value holds a NUL"),
        (13, None, "line_too_long", "the line is longer than 4 MiB"),
    ]
    assert [(line, text[:24]) for line, text in lab.kept_lines()][2:4] == [
        (7, '{"id": "3"}{"id": "4"}'),
        (8, '{"id": "caf\ufffd"}'),
    ]
    assert "'other'" in outcome.document["warnings"][-1]
    [(read, loaded, rejected, file_format)] = lab.lab.query(
        "select rows_read, rows_loaded, rows_rejected, file_format from raw_meta.load_ledger"
    )
    assert (read, loaded, rejected, file_format) == (12, 3, 9, "json")


def test_rejects_of_json_are_tried_again_when_the_declaration_was_mended(lab: FormatsLab) -> None:
    lab.declare(READINGS)
    lab.put(f"readings/{DAY}/a.json", '{"id": "1"}\nnot json\n{"id": "2", "device": "' + "x" * 20 + '"}\n')
    lab.load()
    lab.declare(READINGS.replace("name: device, data_type: varchar(16)", "name: device, data_type: varchar(32)"))
    again = lab.lab.run("rejects", "retry")
    assert again.document["rows_loaded"] == 1
    assert [row[0] for row in lab.rows("readings", "id", "id")] == ["1", "2"]


class Digits(float):
    """A number that JSON writes with digits of our own choice."""

    def __new__(cls, text: str) -> Digits:
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __repr__(self) -> str:
        return self.text


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,21})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?", fullmatch=True).map(Digits)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(st.sampled_from('a1.5e-:,"\\ \n\té{}[]'), max_size=12)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('ké"1.5', max_size=3), inner, max_size=3),
)


def written(value: object) -> str:
    """JSON with the very digits of each number, which json.dumps would write its own way."""
    if isinstance(value, Digits):
        return value.text
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{written(key)}:{written(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(VALUES, min_size=1, max_size=20))
def test_any_value_of_json_is_kept(values: list[object]) -> None:
    """Against what stands in the text; an empty text is null."""
    column = Column("value", "varchar(65535)")
    table = RawTable("raw_other", "raw_other", "t", "other", (column,), ("value",), file_format="json")
    text = "".join(f'{{"x": 1.5, "value": {written(value)}}}\n' for value in values).encode()
    file = FileToLoad("k", "", "none", len(values), False, lambda: io.BytesIO(text))
    day = datetime.datetime(2024, 2, 8)
    group = LoadGroup(
        table, "books", day.date(), day, ("value",), ("value",), 0, (file,), (65535,), keys=(("value",),), load_id=1
    )
    expected = [
        None if value in (None, "") else value if isinstance(value, str) else written(value) for value in values
    ]
    with duckdb.connect(config={"threads": 1}) as engine:
        engine.execute("create schema raw_other")
        engine.execute(DuckDBDialect().create_table(table))
        assert load_json(engine, group) == [ObjectCounts("k", len(values), 0)]
        found = engine.execute("select value from raw_other.t order by rowid").fetchall()
    assert [value for (value,) in found] == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[\n  {"id": 1},\n  {"id": 2}\n]\n', "is a JSON array, not an object on each line"),
        ('{"id": 1}{"id": 2}\n', "has no line that is a JSON object"),
        ('{"device": "d"}\n', "lacks the column 'id', part of the natural key"),
        (b"PK\x03\x04", "is not newline-delimited JSON: it is a ZIP archive"),
        ("".join(f'{{"id": 1, "k{n}": 1}}\n' for n in range(1600)), "has more than 1,600 different keys"),
        (gzip.compress(b'{"id": 1}\n' * 99)[:-9], "is a truncated gzip file"),
        (zstandard.compress(b'{"id": 1}\n' * 99)[:-3], "is a truncated zstd file"),
    ],
)
def test_json_that_cannot_be_loaded_keeps_no_neighbour_out(lab: FormatsLab, content: bytes | str, words: str) -> None:
    lab.declare(READINGS)
    lab.put(f"readings/{DAY}/bad.json", content)
    lab.put(f"readings/{DAY}/empty.json", "")
    lab.put(f"readings/{DAY}/blank.json", " \n\n")
    lab.put(f"readings/{DAY}/good.json", '{"id": 1}\n')
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (4, 1)
    [failure] = outcome.document["failures"]
    assert words in failure["message"]
    assert "bad.json" in failure["message"]


def test_keys_with_every_kind_of_character(lab: FormatsLab) -> None:
    keys = ["it's", 'say "x"', "a/b", "a~1b", "$.x[0]", "tab\tend", "café", "0", " "]
    columns = [f"c{number} varchar(9) aliases: [{json.dumps(key)}]" for number, key in enumerate(keys[:-1])]
    lab.declare(declared("odd", "id varchar(9)", *columns, format="json", unknown_columns="ignore"))
    lab.put(
        f"odd/{DAY}/a", json.dumps({"id": 1, "": 7} | {key: f"v{number}" for number, key in enumerate(keys)}) + "\n"
    )
    assert lab.load().code == 0
    [row] = lab.rows("odd", "* exclude (_load_id, _ingest_date, _loaded_at)", "1")
    assert row == ("1", *(f"v{number}" for number in range(len(keys) - 1)))


LINES = st.lists(
    st.sampled_from([b"", b"\r", b"ab", b"\xc3\xa9", b"\xff", b"0123456789", b"x" * 40, b"y" * 41, b"\xef\xbb\xbf"]),
    max_size=30,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, ended=st.booleans(), chunk=st.sampled_from([1, 3, 16, 1000]), size=st.sampled_from([1, 20, 1000]))
def test_blocks_hold_each_line_once(
    lines: list[bytes], ended: bool, chunk: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_lines, "LONGEST_LINE", 40)
    monkeypatch.setattr(json_lines, "_SLICE", 40)
    text = b"\n".join(lines) + b"\n" * ended
    found: list[bytes] = []
    too_long: list[int] = []
    for block in blocks_of((text[place : place + chunk] for place in range(0, len(text), chunk)), size):
        assert block.first == len(found) + 1
        assert block.lines == 1 + block.text.count("\n")
        found += (line.encode() for line in block.text.split("\n"))
        too_long += block.too_long
        for number in block.not_text:
            assert b"\xff" in text.split(b"\n")[number - 1]
    whole = text.split(b"\n")
    expected = whole[:-1] if not whole[-1] else whole
    if expected:
        expected[0] = expected[0].removeprefix(b"\xef\xbb\xbf")
    assert too_long == [number for number, line in enumerate(text.split(b"\n"), 1) if len(line) > 40]
    assert found == [b"" if len(line) > 40 or b"\xff" in line else line for line in expected]


def test_zstd_and_firehose_gzip_of_csv(lab: FormatsLab) -> None:
    lab.declare(declared("notes", "id varchar(9)", "note varchar(9)"))
    lab.put(f"notes/{DAY}/a.csv.zst", zstandard.compress(b"id,note\n1,a\n") + zstandard.compress(b"2,b,c\n3,c\n"))
    lab.put(f"notes/{DAY}/b.csv.gz", gzip.compress(b"id,note\n4,a\n") + gzip.compress(b"5,b\n"))
    outcome = lab.load()
    assert outcome.code == 0
    assert lab.rows("notes", "id, note") == [("1", "a"), ("3", "c"), ("4", "a"), ("5", "b")]
    assert [row[:3] for row in lab.rejects()] == [(3, None, "too_many_columns")]
    assert lab.kept_lines() == [(3, "2,b,c")]


def test_csv_without_a_header(lab: FormatsLab) -> None:
    lab.declare(declared("bare", "id varchar(3)", "note varchar(9)", "more varchar(9) optional: true", header="false"))
    lab.put(f"bare/{DAY}/a.csv", '1,a\n\n22222,b\n3\n"4","two\nlines"\n5,\xe9,x\n'.encode())
    lab.put(f"bare/{DAY}/b.csv", "\ufeff6,a,m\r\n7,b,n\r\n8888,c,\r\n")
    lab.put(f"bare/{DAY}/empty.csv", "")
    lab.put(f"bare/{DAY}/wide.csv", "1,2,3,4\n")
    lab.put(f"bare/{DAY}/one.csv", "9,z")
    outcome = lab.load()
    assert (outcome.code, len(outcome.document["failures"])) == (4, 1)
    assert "wide.csv' has 4 fields in its first line" in outcome.document["failures"][0]["message"]
    assert lab.rows("bare", "id, note, more", "id") == [
        ("1", "a", None),
        ("4", "two\nlines", None),
        ("6", "a", "m"),
        ("7", "b", "n"),
        ("9", "z", None),
    ]
    assert [row[:3] for row in lab.rejects()] == [
        (3, "id", "value_too_long"),
        (4, "note", "missing_columns"),
        (7, None, "too_many_columns"),
        (3, "id", "value_too_long"),
    ]


PARQUET = declared(
    "visits",
    "id varchar(16)",
    "seen varchar(32)",
    "at varchar(32)",
    "at_zone varchar(40)",
    "cost varchar(20)",
    "ok varchar(5)",
    "ratio varchar(24)",
    "tags varchar(64)",
    "who varchar(64)",
    "raw varchar(8)",
    format="parquet",
    unknown_columns="ignore",
)
VISITS = """
    select 'a'::varchar as "ID", date '2024-02-08' as seen, timestamp '2024-02-08 10:30:00.25' as at,
        timestamptz '2024-02-08 10:30:00+02' as at_zone, 1.5::decimal(18, 2) as cost, true as ok, 0.5::double as ratio,
        ['x', 'y'] as tags, {'name': 'n', 'age': 3} as who, encode('é') as raw, 1 as extra
    union all select 'b', null, timestamp '1900-01-01 00:00:00', null, -0.01, false, 1e20, [], null, null, 2
"""


def write_parquet(path: Path, select: str, options: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as engine:
        engine.execute("set TimeZone = 'UTC'")
        engine.execute(f"copy ({select}) to '{str(path).replace(chr(39), chr(39) * 2)}' (format parquet{options})")
    return path


def test_values_of_parquet_have_one_spelling_each(lab: FormatsLab) -> None:
    lab.declare(PARQUET)
    write_parquet(lab.lab.landing / f"other/visits/{DAY}/it's [a] b*.parquet", VISITS)
    outcome = lab.load()
    assert outcome.code == 0, outcome.document
    assert lab.rows("visits", "* exclude (_load_id, _ingest_date, _loaded_at)", "1") == [
        (
            "a",
            "2024-02-08",
            "2024-02-08 10:30:00.25",
            "2024-02-08 08:30:00",
            "1.50",
            "true",
            "0.5",
            '["x","y"]',
            '{"name":"n","age":3}',
            "é",
        ),
        ("b", None, "1900-01-01 00:00:00", None, "-0.01", "false", "1e+20", "[]", None, None),
    ]
    assert "'extra'" in outcome.document["warnings"][-1]


def test_rejects_of_parquet_have_the_number_of_their_row(lab: FormatsLab) -> None:
    lab.declare(PARQUET)
    write_parquet(
        lab.lab.landing / f"other/visits/{DAY}/a.parquet",
        "select case when n % 5000 = 7 then repeat('x', 17) else cast(n as varchar) end as id,"
        " case when n = 20000 then '\\xFF'::blob else 'ok'::blob end as raw from range(30000) as t(n)",
        ", row_group_size 4096",
    )
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"], outcome.document["rows_rejected"]) == (0, 29993, 7)
    assert lab.rejects()[:2] == [
        (8, "id", "value_too_long", "the value has 17 bytes, the column takes 16"),
        (5008, "id", "value_too_long", "the value has 17 bytes, the column takes 16"),
    ]
    assert (20001, "raw", "invalid_encoding", "the bytes are not UTF-8") in lab.rejects()


def test_broken_parquet_keeps_no_neighbour_out(lab: FormatsLab) -> None:
    lab.declare(PARQUET)
    folder = lab.lab.landing / f"other/visits/{DAY}"
    words = "select cast(n as varchar) as id, 'word ' || n % 7 as seen from range(9000) as t(n)"
    whole = write_parquet(folder / "good.parquet", words, ", compression gzip").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (folder / "text.parquet").write_text("id,seen\n")
    (folder / "empty.parquet").write_bytes(b"")
    (folder / "footer.parquet").write_bytes(whole[:-60] + b"\xff" * 40 + whole[-20:])
    middle = len(whole) // 2
    (folder / "page.parquet").write_bytes(whole[:middle] + b"\xa5" * 64 + whole[middle + 64 :])
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (4, 9000)
    said = {failure["message"].rpartition("/")[2] for failure in outcome.document["failures"]}
    assert said == {
        "cut.parquet' is a truncated Parquet file; its footer is missing",
        "text.parquet' is not a Parquet file",
        "empty.parquet' is not a Parquet file",
        "footer.parquet' is a damaged Parquet file; its footer cannot be read",
        "page.parquet' is a damaged Parquet file",
    }


def test_many_small_objects_of_parquet(lab: FormatsLab) -> None:
    """They go in together; the one with a bad row, and those with other columns or a name of signs, do not mix in."""
    lab.declare(PARQUET)
    folder = lab.lab.landing / f"other/visits/{DAY}"
    for number in range(40):
        write_parquet(
            folder / f"{number:02}.parquet", f"select 'n{number}' as id, {number} as cost from range({number})"
        )
    write_parquet(folder / "bad.parquet", "select repeat('x', 15 + n::int) as id, 1 as cost from range(3) as t(n)")
    write_parquet(folder / "other [1].parquet", "select 'o' as id, 1 as cost")
    write_parquet(folder / "types.parquet", "select 't' as id, 1.50::decimal(9, 2) as cost")
    for name in ("file_row_number", "filename"):
        write_parquet(
            folder / f"{name}.parquet", f"select repeat('y', 15 + n::int) as id, n as {name} from range(3) as t(n)"
        )
    [batch] = lab.load("--dry-run").document["batches"]
    assert all("$" not in statement for statement in batch["statements"])
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"], outcome.document["rows_rejected"]) == (0, 788, 3)
    assert [row[:3] for row in lab.rejects()] == [
        (3, "id", "value_too_long"),
        (None, "id", "value_too_long"),
        (3, "id", "value_too_long"),
    ]
    ledger = lab.lab.query("select object_key, rows_loaded from raw_meta.load_ledger where rows_rejected = 0")
    found = {key.rpartition("/")[2]: rows for key, rows in ledger}
    assert found == {f"{number:02}.parquet": number for number in range(40)} | {
        "other [1].parquet": 1,
        "types.parquet": 1,
    }
    counted = lab.lab.query("select id, any_value(cost), count(*) from raw_other.visits group by id")
    assert {(f"n{number}", str(number), number) for number in range(1, 40)} <= set(counted)


def test_bombs(lab: FormatsLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is small and claims to be without end is refused before it is read; the limits are lowered for the test."""
    from biostar.landing import text

    monkeypatch.setattr(text, "ALWAYS_ALLOWED", 1 << 17)
    lab.declare(READINGS, PARQUET, declared("notes", "id varchar(9)"))
    zeros = b"id\n" + b"0\n" * (1 << 18)
    lab.put(f"notes/{DAY}/a.csv.gz", gzip.compress(zeros))
    lab.put(f"notes/{DAY}/b.csv.zst", zstandard.compress(zeros))
    lab.put(f"readings/{DAY}/a.json.gz", gzip.compress(b'{"id": 1}\n' * (1 << 16)))
    write_parquet(
        lab.lab.landing / f"other/visits/{DAY}/a.parquet",
        "select 'a' as id from range(1000000)",
        ", row_group_size 1000000",
    )
    monkeypatch.setenv("BIOSTAR_MAX_EXPANSION", "100")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (4, 0)
    assert len(outcome.document["failures"]) == 4
    for failure in outcome.document["failures"]:
        assert "100 times its size" in failure["message"]
