"""`biostar load` into the stand-in by COPY gives what it gives in DuckDB: rows, ledger, rejects."""

from __future__ import annotations

import datetime
import gzip
import io
import random
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from biostar.contracts import read_sources
from biostar.standin import StandIn
from biostar.warehouse import FileToLoad, LoadGroup, ObjectCounts, open_warehouse, redshift_copy
from conftest import PROJECT
from redshift_lab import RedshiftLab, make_lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"
ROW = "2020-01-01,,p,e,1,d\n"
LONG = "x" * 512
"""A description may have 512 bytes."""


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    return make_lab(standin, tmp_path, monkeypatch, capsys)


def assert_parity(lab: RedshiftLab, *options: str) -> None:
    """Load the landing into both, and compare; nothing is left behind in S3."""
    ours = lab.load("--jobs", "1", *options)  # so that loads have the same numbers
    theirs = lab.load(*options, target="duckdb")
    for one in (ours, theirs):
        one.document["failures"].sort(key=repr)
    assert ours.document["failures"] == theirs.document["failures"]
    for one in (ours, theirs):
        for changing in ("seconds", "target", "run", "run_id"):
            one.document.pop(changing, None)
        for batch in one.document["batches"]:
            batch.pop("seconds")
    assert ours.document == theirs.document
    found, expected = lab.everything("standin"), lab.everything("duckdb")
    assert set(found) == set(expected)
    for table, rows in expected.items():
        assert found[table] == rows, table
    assert lab.keys("_biostar") == []


def test_a_sample_with_every_kind_of_defect(lab: RedshiftLab, tmp_path: Path) -> None:
    """The tables of a vendor in which each kind of defect stands; the smaller ones have no kind of their own."""
    tables = ("patients", "encounters", "conditions", "observations", "claims_transactions", "allergies")
    folder = tmp_path / "sample"
    made = lab.run("sample", "--to", str(folder), "--defects", "0.004", "--format", "gzip")
    assert made.code == 0, made.document
    for path in sorted(folder.glob("ehr/**/*.csv.gz")):
        if path.relative_to(folder).parts[1] in tables:
            lab.put_key(path.relative_to(folder).as_posix(), path.read_bytes())
    assert_parity(lab)
    kinds = {code for (code,) in lab.query("select distinct error_code from {meta}.load_rejects")}
    assert len(kinds) >= 3, kinds
    assert lab.query("select count(*) > 3000 from {raw}.claims_transactions") == [(True,)]


FIELDS = ["", "a", '""', '"b"', '"c,c"', '"d""d"', ' "e" ', " ", "\\N", "ä" * 40, "\t", "é漢"]
OPEN_QUOTES = ['f"f', '"g"g', '"', '"h', 'h"']
LINE_ENDS = ['"i\ni"', '"\n"', '"i\n\ni"']


def random_object(dice: random.Random) -> bytes:
    """An object with the six columns of conditions whose records are made of what breaks readers of CSV.

    It has either broken quotes or values that span lines: what to make of both together nobody can say.
    """
    fields_of = [*FIELDS, *dice.choice([OPEN_QUOTES, LINE_ENDS, []])]
    line_end = dice.choice(["\n", "\n", "\r\n"])
    records = []
    for _ in range(dice.randrange(8)):
        records.append(",".join(dice.choice(fields_of) for _ in range(dice.choice([6, 6, 6, 6, 5, 7, 1]))))
    text = line_end.join([HEADER.rstrip(), *records]) + dice.choice(["", line_end])
    return gzip.compress(text.encode()) if dice.random() < 0.2 else text.encode()


def test_random_objects_are_read_alike_in_one_load(lab: RedshiftLab) -> None:
    dice = random.Random(1)
    for number in range(24):
        lab.put("conditions", random_object(dice), name=f"{number:02}.csv")
    assert_parity(lab)


HOSTILE = {
    "too few fields": HEADER + ROW + "2020-01-01,,p\n" + ROW,
    "too many fields": HEADER + ROW + "2020-01-01,,p,e,1,d,more,and more\n",
    "a value too long": HEADER + f"2020-01-01,,p,e,1,{LONG}\n" + f"2020-01-01,,p,e,1,{LONG}x\n" + ROW,
    "too long by blanks alone": HEADER + f"2020-01-01,,p,e,1,{LONG}      \n" + ROW,
    "two values too long": HEADER + f"2020-01-01,,{LONG},e,1,{LONG}y\n" + ROW,
    "too long in bytes, not in characters": HEADER + f"2020-01-01,,p,e,1,{'ä' * 257}\n" + ROW,
    "bytes that are not UTF-8": HEADER.encode() + b"2020-01-01,,p,e,1,\xff\xfe\n" + ROW.encode(),
    "null strings": HEADER + "2020-01-01,,\\N,e,NULL,null\n",
    "empty, quoted empty and blanks": HEADER + '2020-01-01,"",p,e,"",   \n',
    "blanks around quotes": HEADER + '2020-01-01,, "p" ,e,"1" ,"d"\n',
    "trailing blanks": HEADER + "2020-01-01,,p  ,e,1,d   \n",
    "quotes in quotes": HEADER + '2020-01-01,,p,e,1,"a ""quoted"" word, and a comma"\n',
    "a quote in a field": HEADER + ROW + '2020-01-01,,p,e,1,6" pipe\n' + ROW,
    "text after a quote": HEADER + ROW + '2020-01-01,,p,e,1,"d"x\n' + ROW,
    "a value over lines": HEADER + ROW + '2020-01-01,,p,e,1,"d\nd\n\nd"\n' + ROW,
    "a value over lines, and a bad record": HEADER + '2020-01-01,,p,e,1,"d\nd"\nbad\n' + ROW,
    "a quote that is never closed": HEADER + ROW + '2020-01-01,,p,e,1,"d\n' + ROW * 9,
    "blank lines": HEADER + "\n" + ROW + "\n\n" + ROW + "\n",
    "blank lines and a bad record": HEADER + "\n" + ROW + "\nbad\n" + ROW + "\n",
    "CRLF": (HEADER + ROW * 3 + "bad\n").replace("\n", "\r\n"),
    "CRLF and blank lines": (HEADER + ROW + "\n" + ROW + "bad\n").replace("\n", "\r\n"),
    "CRLF within a value": (HEADER + '2020-01-01,,p,e,1,"d\nd"\n' + ROW).replace("\n", "\r\n"),
    "line ends of both kinds": HEADER + ROW + ROW.replace("\n", "\r\n") + ROW,
    "carriage returns alone": (HEADER + ROW * 3 + "bad\n").replace("\n", "\r"),
    "a byte order mark": b"\xef\xbb\xbf" + (HEADER + ROW).encode(),
    "no line end at the end": HEADER + ROW + ROW.rstrip(),
    "a header of two lines": HEADER.replace("PATIENT", '"PATIENT\n"') + ROW + "bad\n",
    "a header alone": HEADER,
    "columns in another order": "PATIENT,start,CODE,Description,ENCOUNTER\nq,2020-01-01,2,d,e\n",
    "backslashes": HEADER + "2020-01-01,,p\\,e,1,\\\\d\\n\n",
    "every record bad": HEADER + "bad\n" * 5,
    "gzip": gzip.compress((HEADER + ROW * 5 + "bad\n" + ROW).encode()),
    "gzip of two members": gzip.compress(HEADER.encode()) + gzip.compress((ROW * 2).encode()),
}


def test_hostile_objects_each_in_a_load_of_its_own(lab: RedshiftLab) -> None:
    for number, content in enumerate(HOSTILE.values()):
        lab.put("conditions", content, day=f"2024-01-{number + 1:02}" if number < 31 else f"2024-03-{number - 30:02}")
    assert_parity(lab)


def test_more_bad_records_than_copy_bears_and_a_line_that_is_too_long(
    lab: RedshiftLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """COPY gives up at MAXERROR: such an object is read as a whole, and no neighbour is kept out."""
    monkeypatch.setattr(redshift_copy, "MAX_ERRORS", 5)
    lab.put("conditions", HEADER + ROW + "bad\n" * 60 + ROW * 100, name="many.csv")
    lab.put("conditions", HEADER + ROW + "bad\n" * 3 + ROW * 3, name="few.csv")
    lab.put("conditions", HEADER + ROW + "x" * (5 << 20) + "\n" + ROW * 9, name="long.csv")
    assert_parity(lab)
    assert lab.query("select error_code, count(*) from {meta}.load_rejects group by error_code order by 1") == [
        ("line_too_long", 1),
        ("missing_columns", 63),
    ]


def test_zstd_is_left_to_copy(lab: RedshiftLab) -> None:
    key = lab.put("conditions", zstandard.compress((HEADER + ROW * 7).encode()), name="a.csv.zst")
    (table,) = (table for source in read_sources(PROJECT) for table in source.tables if table.name == "conditions")
    columns = ("start", "stop", "patient", "encounter", "code", "description")
    assert lab.run("raw", "create", "--target", "standin").code == 0
    with closing(open_warehouse("standin")) as warehouse:
        warehouse.read_from(lab.landing, {})
        group = LoadGroup(
            table=table,
            books=lab.schema("raw_meta"),
            ingest_date=datetime.date(2024, 2, 8),
            loaded_at=datetime.datetime(2024, 2, 8),
            fields=columns,
            names=columns,
            header_lines=1,
            files=(FileToLoad(key, f"{lab.landing}/{key}", "zstd", 8, False, io.BytesIO),),
            widths=tuple(table.by_name[name].width for name in columns),
        )
        staged = warehouse.stage(group)
        with warehouse.transaction():
            counts = warehouse.publish(staged, warehouse.begin_load(group.books))
        warehouse.discard(staged)
    assert counts == [ObjectCounts(key, 7, 0)]
    assert lab.query("select count(*), min(_load_id) from {raw}.conditions") == [(7, 1)]
