"""Objects that are read alike go in with one statement, and it is as if each had gone in alone."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest
import zstandard

from biostar.warehouse import duckdb_csv
from conftest import Lab
from formats_lab import declared, make_formats_lab

HEADER = "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n"

ODDITIES = (
    "2020-01-01,p,e,1\n",
    "2020-01-01,p,e,1,d,2,3\n",
    "\n",
    "\r\n",
    '2020-01-01,p,e,1,"two\nlines",3\n',
    '2020-01-01,p,e,1,"two\n\nlines, one blank",3\n',
    '2020-01-01,p,e,1,"never closed,3\n',
    '2020-01-01,p,e,1,"closed" and more,3\n',
    '2020-01-01,p,e,1,a "quote" within,3\n',
    "2020-01-01,p,e,1,d,4\r\n",
    f"2020-01-01,{'p' * 70},e,1,{'d' * 600},5\n",
    "2020-01-01,p,e,1,caf\udce9,6\n",
    "2020-01-01,p,e,1,no end of the line,7",
)


def deliver(lab: Lab, seed: int) -> int:
    """Some forty small objects, each third one with something odd in it; returns how many."""
    random_ = random.Random(seed)
    for number in range(40):
        lines = [f"2020-01-01,p{number},e{line},1,d,{line}\n" for line in range(random_.randrange(4))]
        if number % 3 == 0:
            lines.insert(random_.randrange(len(lines) + 1), random_.choice(ODDITIES))
        content = (HEADER + "".join(lines)).encode(errors="surrogateescape")
        if random_.random() < 0.2:
            content = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if random_.random() < 0.2:
            content = gzip.compress(content)
        name = random_.choice(("part {}.csv", "it's {}.csv", "h[ei] {}*.csv", "ü?{}.csv", "%2F {}.csv", "b\\a*{}.csv"))
        lab.put("supplies", content, name=name.format(number))
    return 40


def books(lab: Lab) -> list[list[tuple[Any, ...]]]:
    return [
        lab.query(statement)
        for statement in (
            "select * exclude (_loaded_at) from raw_ehr.supplies order by all",
            "select object_key, rows_read, rows_loaded, rows_rejected from raw_meta.load_ledger order by all",
            "select object_key, line_number, column_name, error_code, error_reason, value_length"
            " from raw_meta.load_rejects order by all",
        )
    ]


@pytest.mark.parametrize("seed", range(4))
def test_it_is_as_if_each_object_were_loaded_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    count = deliver(lab, seed)
    assert lab.load("--max-errors", "100%").code in (0, 4)
    together = books(lab)
    assert len(together[1]) >= count - 2  # an object whose every line is broken may be left out
    lab.database.unlink()
    monkeypatch.setattr(duckdb_csv, "MOST_OBJECTS", 1)
    assert lab.load("--max-errors", "100%").code in (0, 4)
    assert books(lab) == together


def test_three_hundred_objects_take_one_statement(lab: Lab) -> None:
    """One of them has a bad record and one a blank line; each keeps its own."""
    for number in range(300):
        lab.put("supplies", f"{HEADER}2020-01-01,p{number},e,1,d,1\n", name=f"{number}.csv")
    lab.put("supplies", f"{HEADER}2020-01-01,p,e\n2020-01-01,q,e,1,d,1\n", name="bad.csv")
    lab.put("supplies", f"{HEADER}\n2020-01-01,r,e,1,d,1\n", name="blank.csv")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"], outcome.document["rows_rejected"]) == (0, 302, 1)
    assert lab.query("select object_key[-7:], line_number, error_code from raw_meta.load_rejects") == [
        ("bad.csv", 2, "missing_columns")
    ]
    assert lab.query("select rows_read, rows_loaded, count(*) from raw_meta.load_ledger group by all order by all") == [
        (1, 1, 301),
        (2, 1, 1),
    ]
    assert lab.query("select count(distinct patient), count(*) from raw_ehr.supplies") == [(302, 302)]
    # What was read for it is not kept: it is patients' data.
    assert lab.query("select count(*) from duckdb_tables() where table_name like 'biostar%'") == [(0,)]


def test_a_lot_ends_at_its_limits(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_csv, "MOST_OBJECTS", 7)
    for number in range(20):
        lab.put("supplies", f"{HEADER}2020-01-01,p{number},e,1,d,1\n", name=f"{number}.csv")
    assert lab.load().document["rows_loaded"] == 20
    assert lab.query("select count(*), sum(rows_loaded) from raw_meta.load_ledger") == [(20, 20)]


def test_zstd_in_lots(lab: Lab) -> None:
    for number in range(5):
        content = f"{HEADER}2020-01-01,p{number},e,1,d,1\n".encode()
        lab.put("supplies", zstandard.compress(content), name=f"{number}.csv.zst")
    assert lab.load().document["rows_loaded"] == 5


def test_small_objects_of_json_keep_their_own_lines(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of many objects go in together; each reject has the line of its own object."""
    formats = make_formats_lab(lab, tmp_path, monkeypatch)
    formats.declare(declared("readings", "id varchar(8)", "value varchar(8)", format="json"))
    random_ = random.Random(7)
    kinds = {
        '{"id": "a", "value": 1.50}': None,
        '{"value": 2, "id": "b"}': None,
        "": None,
        " \t": None,
        "{": "invalid_json",
        "[]": "invalid_json",
        '{"id": "c", "id": "d"}': "duplicate_key",
        '{"id": "e", "value": "much too long"}': "value_too_long",
        '{"id": "f", "value": "caf\udce9"}': "invalid_encoding",
    }
    rows, rejects = {}, []
    for number in range(30):
        lines = random_.choices(list(kinds), weights=[9, 9, 2, 2, 1, 1, 1, 1, 1], k=random_.randrange(1, 12))
        lines.insert(0, '{"id": "a", "value": 1.50}')
        text = "\n".join(lines) + random_.choice(("", "\n", "\n\n"))
        content = text.encode(errors="surrogateescape")
        key = f"readings/ingest_date=2024-02-08/{number:02}"
        formats.put(key, gzip.compress(content) if number % 4 == 0 else content)
        bad = [(f"other/{key}", place, kinds[line]) for place, line in enumerate(lines, start=1) if kinds[line]]
        rejects += bad
        rows[f"other/{key}"] = sum(1 for line in lines if line.strip()) - len(bad)
    assert formats.load("--max-errors", "100%").code == 0
    assert dict(lab.query("select object_key, rows_loaded from raw_meta.load_ledger")) == rows
    found = lab.query("select object_key, line_number, error_code from raw_meta.load_rejects order by all")
    assert found == sorted(rejects)
    assert lab.query("select count(*), count(distinct value) from raw_other.readings") == [(sum(rows.values()), 2)]
