"""JSON, Parquet, CSV without a header, zstd and folders of Hive: in the stand-in stands what stands in DuckDB."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from biostar.check.gate import check_sql
from biostar.errors import WarehouseError
from biostar.landing.inspect import inspect_object
from biostar.standin import StandIn
from biostar.warehouse import FileToLoad
from biostar.warehouse.redshift_verify import account_of
from biostar.warehouse.redshift_warehouse import RedshiftWarehouse
from conftest import Lab
from formats_lab import declared, make_formats_lab
from redshift_lab import RedshiftLab, make_lab
from test_load_redshift import assert_parity
from test_load_redshift_statements import plain, recorded

DAY = "ingest_date=2024-02-08"
LINES = [
    b'{"id": "1", "value": 1.50, "device": "caf\xc3\xa9 \\"x\\", \\n"}',
    b'{"id": 2, "value": {"a": [1.10, null]}, "flag": true}\r',
    b"",
    b"not json",
    b'{"id": "3", "value": ""}',
    b'{"id": "' + b"x" * 17 + b'"}',
    b'{"id": "4", "Device_Id": "\\u00e9\\\\N"}',
]
NAMES = [
    "it's.csv",
    'say "x".csv',
    "[a-z]*.csv",
    "{a,b}.csv",
    "100%25.csv",
    "café \U0001f9ec.csv",
    "semi;colon -- x.csv",
]


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    lab = make_lab(standin, tmp_path, monkeypatch, capsys)
    project = make_formats_lab(Lab(tmp_path / "none", lab.database, capsys), tmp_path, monkeypatch)
    schema = "    schema: \"{{ env_var('BIOSTAR_SCHEMA_PREFIX', '') }}raw_ehr\"\n"
    project.declare(
        declared(
            "readings",
            "id varchar(16)",
            "device varchar(32) aliases: [device_id]",
            "value varchar(64)",
            "flag varchar(8)",
            "region varchar(8)",
            format="json",
            layout="hive",
            unknown_columns="ignore",
        ),
        declared(
            "visits", "id varchar(16)", "at varchar(32)", "cost varchar(16)", "tags varchar(64)", format="parquet"
        ),
        declared(
            "stays",
            *("id varchar(16)", "born varchar(16)", "at varchar(32)", "cost varchar(40)", "ok varchar(5)"),
            *("small varchar(6)", "n varchar(20)", "note varchar(16)", "region varchar(8)"),
            format="parquet",
            layout="hive",
            unknown_columns="ignore",
        ),
        declared("bare", "id varchar(3)", "note varchar(16)", "region varchar(8)", layout="hive", header="false"),
        declared("plain", "id varchar(9)", "note varchar(16)"),
    )
    path = project.project / "models/staging/other/_other__sources.yml"
    path.write_text(path.read_text().replace("    config:", schema + "    config:", 1))
    return lab


def test_formats_and_folders_are_the_same_by_copy(lab: RedshiftLab, tmp_path: Path) -> None:
    lines = b"\n".join(LINES)
    lab.put_key("other/readings/dt=2024-02-08/region=eu/a", lines)
    lab.put_key("other/readings/dt=2024-02-08/region=it's $1 ?/b.json.gz", gzip.compress(lines)[:40])
    lab.put_key("other/readings/dt=2024-02-08/region=u's/b.json.gz", gzip.compress(lines))
    lab.put_key("other/readings/dt=2024-02-08/region=__HIVE_DEFAULT_PARTITION__/c.zst", zstandard.compress(lines))
    lab.put_key("other/readings/dt=2024-02-08/region=eu/empty", b"")
    parquet = tmp_path / "v.parquet"
    with duckdb.connect() as engine:
        engine.execute(
            "copy (select 'v' || n as id, timestamp '2024-02-08 10:30:00.5' as at, cast(n * 1.1 as decimal(9, 2))"
            f" as cost, [n, null] as tags from range(9) as t(n)) to '{parquet}' (format parquet)"
        )
    lab.put_key(f"other/visits/{DAY}/a.parquet", parquet.read_bytes())
    lab.put_key(f"other/visits/{DAY}/b.parquet", parquet.read_bytes()[:-9])
    lab.put_key("other/bare/dt=2024-02-08/region=eu/a.csv.zst", zstandard.compress(b"1,a\n2222,b\n3\n"))
    lab.put_key("other/bare/dt=2024-02-08/region=us/b.csv", b'4,"two\nlines"\r\n\r\n5,\\N\r\n')
    lab.put_key("other/bare/dt=2024-02-08/region=us/c.csv", b"")
    for number, name in enumerate(NAMES):
        lab.put_key(f"other/plain/{DAY}/{name}", f"id,note\n{number},n\n{number},n,n\n".encode())
    lab.put_key(f"other/plain/{DAY}/{'/'.join(['d' * 80] * 10)}/deep.csv", b"id,note\n99,n\n")
    assert_parity(lab)
    found = dict(lab.query("select object_key, rows_loaded from {meta}.load_ledger"))
    assert sum(found.values()) == 3 * 4 + 9 + 3 + len(NAMES) + 1
    assert len(found) == 4 + 1 + 3 + len(NAMES) + 1
    assert set(lab.query("select id, value, region from {raw}.readings where id = '1'")) == {
        ("1", "1.50", "eu"),
        ("1", "1.50", "u's"),
        ("1", "1.50", None),
    }


def test_a_dry_run_shows_what_would_be_sent(lab: RedshiftLab) -> None:
    lab.put_key("other/readings/dt=2024-02-08/region=it's ?/a.json", LINES[0])
    lab.put_key("other/readings/dt=2024-02-08/region=eu/empty", b"")
    ours, theirs = lab.load("--dry-run"), lab.load("--dry-run", target="duckdb")
    assert (ours.code, theirs.code) == (0, 0), (ours.document, theirs.document)
    [batch] = ours.document["batches"]
    [copy] = [statement for statement in batch["statements"] if " copy " in statement]
    assert "format as csv null as '' ignoreblanklines gzip" in copy
    [insert] = [statement for statement in batch["statements"] if statement.startswith("insert")]
    assert "cast('it''s ?' as varchar(65535)), cast(null /* the next load id */ as bigint)" in insert
    [insert] = theirs.document["batches"][0]["statements"]
    assert insert.startswith(f'insert into "{lab.schema("raw_ehr")}"."readings"')
    assert lab.keys("_biostar") == []


def copied_as_they_lay(lab: RedshiftLab) -> dict[str, str]:
    """Objects that COPY read itself, by their name, with the format."""
    rows = lab.query(
        "select trim(d.file_name), trim(h.file_format) from sys_load_detail as d"
        " inner join sys_load_history as h on d.query_id = h.query_id"
        f" where d.file_name like '%/{lab.prefix}/landing/other/%'"
    )
    return {str(name).rpartition("/")[2]: str(file_format) for name, file_format in rows}


TEXTS = "\n".join(
    [
        """{"id": "1", "value": "1.50", "device_id": "café 漢 😀", "flag": "it's | ,"}""",
        ' {"flag":"","id" :"2", "value": " two "} ',
        '{"id": "3", "value": "a\\nb\\tc\\\\d\\\\n"}',
        '{"id": "4"}',
        '{"id":"  ", "value": "' + "x" * 64 + '"}',
        "",
    ]
)
HOSTILE = {
    "number": '{"id": "1", "value": 1.10}\n',
    "integer": '{"id": 12345678901234567890}\n',
    "flag": '{"id": "1", "flag": true}\n',
    "null": '{"id": "1", "value": null}\n',
    "nested": '{"id": "1", "value": {"a": [1.10, null, "x"]}}\n',
    "unicode": '{"id": "1", "value": "\\u00e9 \\ud83d\\ude00"}\n',
    "escapes": '{"id": "1", "value": "\\" \\/ \\b\\f\\r"}\n',
    "copy null": '{"id": "1", "value": "\\\\N"}\n',
    "key twice": '{"id": "1", "value": "a", "value": "b"}\n',
    "two keys": '{"id": "1", "device": "a"}\n{"id": "2", "device_id": "b"}\n',
    "key escape": '{"id": "1", "val\\u0075e": "a"}\n',
    "invalid": '{"id": "1"}\nnot json\n{"id": \n{"id": "2"}\n',
    "no object": '{"id": "1"}\n["id", "2"]\n"3"\n4\nnull\n',
    "over lines": '{"id": "1"}\n{"id":\n"2"}\n{"id": "3"}\n',
    "two on a line": '{"id": "1"}{"id": "2"}\n{"id": "3"}\n',
    "comma": '{"id": "1"},\n{"id": "2"}\n',
    "blank": '{"id": "1"}\n\n  \n{"id": "2"}\n\n',
    "crlf": '{"id": "1"}\r\n{"id": "2"}\r\n',
    "bom": '\ufeff{"id": "1"}\n{"id": "2"}\n',
    "nul": '{"id": "1"}\n{"id": "2", "value": "a\\u0000b"}\n',
    "too long": '{"id": "1"}\n{"id": "' + "é" * 9 + '"}\n{"id": "3", "value": "' + "v" * 65 + '"}\n',
    "too long by blanks": '{"id": "1"}\n{"id": "' + "i" * 16 + '  "}\n',
    "other keys": '{"id": "1", "a.b": "x", "it\'s": "y", "]": "z"}\n',
}


def test_json_goes_in_by_copy_where_any_reader_agrees(lab: RedshiftLab) -> None:
    """All else is read by DuckDB first; raw tables, ledger and rejects are equal either way."""
    folder = "other/readings/dt=2024-02-08/region=it's"
    lab.put_key(f"{folder}/a.json", TEXTS)
    lab.put_key(f"{folder}/b.json", TEXTS.rstrip("\n"))
    lab.put_key(f"{folder}/c.json.gz", gzip.compress(TEXTS.encode()))
    lab.put_key(f"{folder}/d.json.zst", zstandard.compress(TEXTS.encode()))
    lab.put_key("other/readings/dt=2024-02-09/region=__HIVE_DEFAULT_PARTITION__/e.json", TEXTS)
    for name, text in HOSTILE.items():
        lab.put_key(f"{folder}/{name}", text)
    lab.put_key(f"{folder}/bytes", b'{"id": "1"}\n{"id": "\xff"}\n')
    assert_parity(lab)
    by_copy = copied_as_they_lay(lab)
    assert set(by_copy) == {*(f"{letter}.json" for letter in "abe"), "c.json.gz", "d.json.zst"} | {
        "too long",  # tried, and then read as a whole to know what is wrong with which
        "too long by blanks",
        "other keys",
    }
    assert set(by_copy.values()) == {"json"}
    value = "a\nb\tc\\d\\n"
    assert lab.query("select count(*) from {raw}.readings where value = '" + value.replace("\\", "\\\\") + "'") == [
        (5,)
    ]
    rejected = dict(lab.query("select error_code, count(*) from {meta}.load_rejects group by error_code"))
    assert set(rejected) == {"invalid_json", "duplicate_key", "invalid_encoding", "value_too_long"}
    assert rejected["value_too_long"] == 4


STAYS = """
    select
        'v' || n as id,
        case n when 1 then null when 2 then date '0001-01-01' else date '2024-02-08' + cast(n as integer) end as born,
        case n
            when 1 then null
            when 2 then timestamp '2024-02-08 00:00:00'
            when 3 then timestamp '1969-12-31 23:59:59.000001'
            else timestamp '2024-02-08 10:30:00.5' + n * interval '1010 milliseconds'
        end as at,
        cast(case n when 1 then null when 2 then -0.5 else n * 1.1 end as decimal(38, 4)) as cost,
        case n when 1 then null else n % 2 = 0 end as ok,
        cast(case n when 1 then null else -n end as smallint) as small,
        case n when 1 then null else 9223372036854775807 - n end as n,
        case n when 1 then null when 2 then '' when 3 then 'é "q" \\N' when 4 then ' b ' else 'plain' end as note,
        {extra}
    from range({rows}) as t (n)
"""


# Written by Arrow, which DuckDB is not able to: id 'v1', at 2024-02-08 10:30:00.000000999 as INT96.
INT96 = base64.b64decode(
    "UEFSMRUAFRgVGCwVAhUAFQYVBhwAAAACAAAAAgECAAAAdjEVABUkFSQsFQIVABUGFQYcAAAAAgAAAAIB55OS/2AiAAC9iiUAFQQZPDUAGAZzY2hlbWEV"
    "BAAVDCUCGAJpZCUATBwAAAAVBiUCGAJhdAAWAhkcGSwmABwVDBklBgAZGAJpZBUAFgIWPhY+JghJHBUAFQAVAgA8FgQZBhkmAAIAAAAmABwVBhklBgAZ"
    "GAJhdBUAFgIWShZKJkZJHBUAFQAVAgA8KQYZJgACAAAAFogBFgImCBaIAQAoIHBhcnF1ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGSwcAAAcAAAA"
    "vQAAAFBBUjE="
)


def parquet(tmp_path: Path, sql: str) -> bytes:
    path = tmp_path / "x.parquet"
    with duckdb.connect() as engine:
        engine.execute(f"copy ({sql}) to '{path}' (format parquet)")
    return path.read_bytes()


def test_parquet_goes_in_by_copy_where_each_value_has_one_spelling(lab: RedshiftLab, tmp_path: Path) -> None:
    good = parquet(tmp_path, STAYS.format(rows=9, extra="1.5 as unknown_column"))
    plain = STAYS.format(rows=5, extra="cast(n as integer) as more")
    objects = {
        "a.parquet": good,
        "b.parquet": good,
        "c.parquet": parquet(tmp_path, plain),
        "long.parquet": parquet(tmp_path, f"select * replace (repeat('é', more * 4) as note) from ({plain})"),
        "far.parquet": parquet(tmp_path, f"select * replace (date '9999-12-31' + more as born) from ({plain})"),
        "longest.parquet": parquet(tmp_path, f"select * replace (repeat('x', 70000) as note) from ({plain})"),
        "float.parquet": parquet(tmp_path, f"select * replace (0.1e0 as cost) from ({plain})"),
        "zone.parquet": parquet(tmp_path, f'select * replace (timezone(\'UTC\', "at") as "at") from ({plain})'),
        "nanoseconds.parquet": parquet(
            tmp_path, f'select * replace (cast("at" as timestamp_ns) as "at") from ({plain})'
        ),
        "unsigned.parquet": parquet(tmp_path, f"select * replace (cast(more as utinyint) as small) from ({plain})"),
        "nested.parquet": parquet(tmp_path, f"select * replace ([n] as note) from ({plain})"),
        "none.parquet": parquet(tmp_path, f"{plain} limit 0"),
        "int96.parquet": INT96,
        "unpacked.snappy": parquet(tmp_path, plain),
        "damaged.parquet": good[:200] + b"\xff" * 64 + good[264:],
    }
    for name, content in objects.items():
        lab.put_key(f"other/stays/dt=2024-02-08/region=e?u/{name}", content)
    assert_parity(lab)
    assert copied_as_they_lay(lab) == dict.fromkeys(
        ("a.parquet", "b.parquet", "c.parquet", "long.parquet", "far.parquet"), "parquet"
    )
    assert lab.query("select born, at, cost, ok, small, n, note, region from {raw}.stays where id = 'v4' limit 1") == [
        ("2024-02-12", "2024-02-08 10:30:04.54", "4.4000", "true", "-4", "9223372036854775803", " b ", "e?u")
    ]
    assert lab.query(
        "select distinct at, cost, note from {raw}.stays where id = 'v2' and cost = '-0.5000' and note is null"
    ) == [("2024-02-08 00:00:00", "-0.5000", None)]
    codes = lab.query("select object_key, line_number, column_name, error_code from {meta}.load_rejects order by 1, 2")
    assert [(key.rpartition("/")[2], *rest) for key, *rest in codes if "long.parquet" in key] == [
        ("long.parquet", 4, "note", "value_too_long"),
        ("long.parquet", 5, "note", "value_too_long"),
    ]


def test_rows_that_copy_loses_of_json_and_parquet_are_missed(
    lab: RedshiftLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the views and the count of COPY itself know nothing of it."""
    lab.put_key("other/readings/dt=2024-02-08/region=eu/a.json", TEXTS)
    lab.put_key("other/readings/dt=2024-02-08/region=eu/b.json", TEXTS)
    content = parquet(tmp_path, STAYS.format(rows=3, extra="1 as more"))
    lab.put_key("other/stays/dt=2024-02-08/region=eu/c.parquet", content)
    real = RedshiftWarehouse._look_over

    def short(self: RedshiftWarehouse, *arguments: Any, **more: bool) -> tuple[int, int, int, int]:
        rows, misfits, returns, line_ends = real(self, *arguments, **more)
        return rows - 1, misfits, returns, line_ends

    with monkeypatch.context() as patch:
        patch.setattr(RedshiftWarehouse, "_look_over", short)
        outcome = lab.load()
    assert outcome.code == 5, outcome.document
    said = " ".join(failure["message"] for failure in outcome.document["failures"])
    assert "COPY lost records of" in said
    assert lab.query("select count(*) from {meta}.load_ledger") == [(0,)]
    assert lab.load().code == 0
    assert lab.query("select count(*) from {raw}.readings union all select count(*) from {raw}.stays order by 1") == [
        (3,),
        (10,),
    ]


def test_a_dry_run_shows_the_very_statements_of_json_and_parquet(lab: RedshiftLab, tmp_path: Path) -> None:
    lab.put_key("other/readings/dt=2024-02-08/region=eu/a.json", TEXTS)
    lab.put_key("other/readings/dt=2024-02-08/region=eu/b.json", HOSTILE["number"])
    content = parquet(tmp_path, STAYS.format(rows=3, extra="1 as more"))
    lab.put_key("other/stays/dt=2024-02-08/region=eu/c.parquet", content)
    readings, stays = lab.load("--dry-run").document["batches"]
    first, second = (statement for statement in readings["statements"] if " copy " in statement)
    assert '("id", "device", "flag", "value")' in first or '"value")' in first
    assert "manifest format as json 's3://lake/" in first and "0.jsonpaths' maxerror 100000 compupdate off" in first
    assert "manifest format as csv null as '' ignoreblanklines gzip maxerror" in second
    [copy] = [statement for statement in stays["statements"] if " copy " in statement]
    assert copy.endswith(
        "0.manifest' iam_role 'arn:aws:iam::123456789012:role/biostar-standin' manifest"
        " format as parquet statupdate off"
    )
    [table] = [statement for statement in stays["statements"] if statement.startswith("create temp table")]
    assert '"cost" numeric(38, 4), "ok" boolean, "small" smallint, "n" bigint, "note" varchar(65535)' in table
    assert lab.keys("_biostar") == []
    with recorded() as sent:
        assert lab.load().code == 0
    really = {plain(sql) for sql, _ in sent}
    assert [sql for sql in (*readings["statements"], *stays["statements"]) if plain(sql) not in really] == []
    for sql in {sql for sql, _ in sent}:
        for report in check_sql(sql.replace("?", "null")):
            assert report.findings == [], (sql, report.findings)


PIECES = st.sampled_from(
    [
        "{",
        "}",
        '"a"',
        '"b"',
        ":",
        ",",
        " ",
        "\n",
        '"é|"',
        r'"\n\t\\"',
        r'"\u0041"',
        r'"\""',
        "1",
        "null",
        "true",
        "[",
        "]",
        '"',
    ]
)
RECORDS = st.lists(st.tuples(PIECES, PIECES), max_size=3).map(
    lambda pairs: "{" + ",".join(f"{key}:{value}" for key, value in pairs) + "}"
)


@given(st.lists(RECORDS, min_size=1, max_size=4).map("\n".join) | st.lists(PIECES, max_size=12).map("".join))
def test_what_is_said_to_be_of_texts_alone_is(text: str) -> None:
    found = inspect_object(io.BytesIO(b'{"a":"b"}\n' + text.encode()), "x", "json")
    if not found.only_texts:
        return
    lines = text.removesuffix("\n").split("\n") if text else []
    assert found.lines == 1 + len(lines)
    for line in lines:
        record = json.loads(line, object_pairs_hook=list)
        assert record and all(isinstance(value, str) for _, value in record)
        assert found.repeats_keys or len(dict(record)) == len(record)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": "b"}', True),
        ('{"a": "b", "c" : ""}\n{"d":"\\\\"}\n', True),
        *(
            (text, name in ("key twice", "two keys", "too long", "too long by blanks", "other keys"))
            for name, text in HOSTILE.items()
        ),
    ],
)
def test_which_objects_are_of_texts_alone(text: str, expected: bool) -> None:
    assert inspect_object(io.BytesIO(text.encode()), "x", "json").only_texts is expected


def test_the_views_need_not_tell_the_files_of_parquet() -> None:
    """Of what Redshift Spectrum reads; but either all of them or none, and their number is right."""
    files = [FileToLoad(key, f"s3://b/{key}", "none", 3, False, io.BytesIO, size=9) for key in ("k1", "k2")]

    def views(detail: list[tuple[str, int]], count: int = 2) -> object:
        def query(sql: str, values: object) -> list[tuple[object, ...]]:
            return [(1, "completed", 6, count, 18, 0)] if "sys_load_history" in sql else [*detail]

        return query

    def ask(detail: list[tuple[str, int]], count: int = 2, *, is_columnar: bool = True) -> int:
        found = account_of(views(detail, count), files, "s3://b/m", "stage", wait=0, is_columnar=is_columnar)  # type: ignore[arg-type]
        return found.loaded

    assert ask([]) == ask([("s3://b/k1", -1), ("s3://b/k2", -1)]) == 6
    for wrong in ({"detail": [("s3://b/k1", 3)]}, {"detail": [], "count": 1}, {"detail": [], "is_columnar": False}):
        with pytest.raises(WarehouseError, match="cannot be verified"):
            ask(**wrong)  # type: ignore[arg-type]
