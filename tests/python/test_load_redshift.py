"""`biostar load` into the stand-in by COPY gives what it gives in DuckDB: rows, ledger, rejects."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from biostar.standin import StandIn
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


def assert_parity(lab: RedshiftLab) -> None:
    """Load the landing into both, and compare; nothing is left behind in S3."""
    ours = lab.load()
    theirs = lab.load(target="duckdb")
    assert ours.document.get("failures") == theirs.document.get("failures"), (ours.document, theirs.document)
    for one in (ours, theirs):
        for changing in ("seconds", "target", "run", "run_id"):
            one.document.pop(changing, None)
        for batch in one.document["batches"]:
            batch.pop("seconds")
    assert ours.document == theirs.document
    found, expected = lab.everything("standin"), lab.everything("duckdb")
    assert list(found) == list(expected)
    for table, rows in expected.items():
        assert found[table] == rows, table
    assert lab.keys("_biostar") == []


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


def test_hostile_objects_all_in_one_load(lab: RedshiftLab) -> None:
    for name, content in HOSTILE.items():
        lab.put("conditions", content, name=f"{name}.csv")
    assert_parity(lab)
