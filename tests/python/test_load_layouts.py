"""Where files lie: hours of Firehose, folders of Hive, full loads and changes of DMS, manifests, and hostile names."""

from __future__ import annotations

import datetime
import gzip
import json
import os
import re
from pathlib import Path

import pytest

from biostar.contracts import RawTable
from biostar.landing.layouts import MisplacedError, place
from conftest import PROJECT, Lab
from formats_lab import FormatsLab, declared, make_formats_lab

FEB8 = datetime.date(2024, 2, 8)


@pytest.fixture
def lab(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FormatsLab:
    return make_formats_lab(lab, tmp_path, monkeypatch)


def messages(outcome: object) -> list[str]:
    return [failure["message"] for failure in outcome.document["failures"]]  # type: ignore[attr-defined]


# Firehose ------------------------------------------------------------------------------------------------------------


def firehose_object(stream: str, when: str, *records: dict[str, object]) -> tuple[str, bytes]:
    """Key and content as Amazon Data Firehose delivers them with GZIP and a new line delimiter.

    `<prefix>YYYY/MM/dd/HH/<stream>-<version>-<year>-<month>-<day>-<hour>-<minute>-<second>-<uuid><extension>`
    (https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html). It compresses buffer by buffer, so that an
    object is several gzip members one after the other.
    """
    day, hour, minute = when[:10], when[11:13], when[14:16]
    members = [gzip.compress(json.dumps(record).encode() + b"\n") for record in records]
    name = f"{stream}-1-{day}-{hour}-{minute}-07-6f3d1e2a-8b7c-4f57-9a54-0c1fd3a1e9b2.gz"
    return f"{day.replace('-', '/')}/{hour}/{name}", b"".join(members)


READINGS = declared(
    "readings",
    "id varchar(16)",
    "device varchar(16)",
    "heart_rate varchar(8)",
    format="json",
    layout="hourly",
    unknown_columns="ignore",
)


@pytest.mark.parametrize("folder", ["", "readings/"])
def test_a_stream_of_firehose(lab: FormatsLab, folder: str) -> None:
    lab.declare(READINGS)
    for key, content in (
        firehose_object("vitals", "2024-02-08T23:59", {"id": "1", "heart_rate": 61.50}, {"id": "2", "device": "d"}),
        firehose_object("vitals", "2024-02-09T00:01", {"id": "3", "heart_rate": 70}),
        firehose_object("vitals", "2024-02-08T07:30", {"id": "4"}),
    ):
        lab.put(folder + key, content)
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (0, 4)
    assert lab.rows("readings", "id, heart_rate, _ingest_date") == [
        ("1", "61.5", FEB8),
        ("2", None, FEB8),
        ("3", "70", datetime.date(2024, 2, 9)),
        ("4", None, FEB8),
    ]
    assert lab.load().document["objects_skipped"] == 3
    # A late object of an hour that was loaded goes in by itself.
    lab.put(folder + "2024/02/08/23/late", b'{"id": "5"}\n')
    assert lab.load().document["rows_loaded"] == 1


def test_what_firehose_could_not_process_is_no_data(lab: FormatsLab) -> None:
    lab.declare(READINGS)
    lab.put("readings/2024/02/08/07/good", b'{"id": "1"}\n')
    for wrong in ("readings/2024/02/30/07/x", "readings/2024/02/08/24/x", "readings/processing-failed/2024/02/08/07/x"):
        lab.put(wrong, b'{"id": "2"}\n')
    lab.put("processing-failed/2024/02/08/07/x", b'{"id": "3"}\n')
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (4, 1)
    assert sum("does not lie in a folder YYYY/MM/DD/HH" in message for message in messages(outcome)) == 3
    assert sum("'other/processing-failed' is no table" in message for message in messages(outcome)) == 1


# Hive ----------------------------------------------------------------------------------------------------------------

VISITS = declared(
    "visits",
    "id varchar(9)",
    "region varchar(8) aliases: [area]",
    "hour varchar(2) optional: true",
    "note varchar(9) optional: true",
    layout="hive",
)


def test_folders_of_hive_are_columns(lab: FormatsLab) -> None:
    lab.declare(VISITS)
    lab.put("visits/dt=2024-02-08/region=eu/a.csv", "id\n1\n")
    lab.put("visits/dt=2024-02-08/region=us%2Feast/b.csv", "id\n2\n")
    lab.put("visits/area=__HIVE_DEFAULT_PARTITION__/ingest_date=20240208/c.csv", "id\n3\n")
    lab.put("visits/region=it's $1/year=2024/month=2/day=08/hour=7/d.csv", "note,id\nn,4\n")
    lab.put("visits/date=2024-02-08/region=eu/e.csv", "id,REGION\n5,own\n")
    lab.put("visits/date=2024-02-08/region=/f.csv", "id\n6\n")
    outcome = lab.load()
    assert outcome.code == 0, outcome.document
    assert lab.rows("visits", "id, region, hour, note, _ingest_date") == [
        ("1", "eu", None, None, FEB8),
        ("2", "us/east", None, None, FEB8),
        ("3", None, None, None, FEB8),
        ("4", "it's $1", "7", "n", FEB8),
        ("5", "own", None, None, FEB8),
        ("6", None, None, None, FEB8),
    ]
    [(loads,)] = lab.lab.query("select count(distinct load_id) from raw_meta.load_ledger")
    assert loads == 1


def test_refused_records_that_are_tried_again_keep_what_their_folders_say(lab: FormatsLab) -> None:
    table = declared("bare", "id varchar(3)", "note varchar(9)", "region varchar(8)", layout="hive", header="false")
    lab.declare(table)
    lab.put("bare/dt=2024-02-08/region=eu/a.csv", '1,a\n2222,b\n\n3\n4444,"two\nlines"\n5,e')
    assert (lab.load().document["rows_loaded"], len(lab.rejects())) == (2, 3)
    lab.declare(table.replace("varchar(3)", "varchar(4)"))
    assert lab.lab.run("rejects", "retry").document["rows_loaded"] == 2
    assert lab.rows("bare", "id, note, region, _ingest_date") == [
        ("1", "a", "eu", FEB8),
        ("2222", "b", "eu", FEB8),
        ("4444", "two\nlines", "eu", FEB8),
        ("5", "e", "eu", FEB8),
    ]
    assert [row[0] for row in lab.kept_lines()] == [4]


@pytest.mark.parametrize("policy", ["error", "ignore", "evolve"])
def test_folders_that_nobody_declared(lab: FormatsLab, policy: str) -> None:
    lab.declare(declared("visits", "id varchar(9)", layout="hive", unknown_columns=policy))
    lab.put("visits/dt=2024-02-08/Ward=w7/a.csv", "id\n1\n")
    outcome = lab.load()
    if policy == "error":
        assert outcome.code == 4
        assert "has the column 'ward', not declared for visits" in messages(outcome)[0]
    elif policy == "ignore":
        assert lab.rows("visits", "id", "id") == [("1",)]
        assert "has unknown columns, left out: 'ward'" in outcome.document["warnings"][0]
    else:
        assert lab.rows("visits", "id, ward") == [("1", "w7")]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("region=eu/a.csv", "its folders name no day from 1970 to 2100"),
        ("dt=2024-02-30/a.csv", "its folders name no day from 1970 to 2100"),
        ("dt=today/a.csv", "its folders name no day from 1970 to 2100"),
        ("year=2024/month=2/a.csv", "its folders name no day from 1970 to 2100"),
        ("dt=2024-02-08/dt=2024-02-09/a.csv", "lies in two folders for the same key"),
        ("dt=2024-02-08/region=much too long/a.csv", "has a value of 13 bytes, the column takes 8"),
    ],
)
def test_folders_of_hive_that_cannot_be_read(lab: FormatsLab, key: str, words: str) -> None:
    lab.declare(VISITS)
    lab.put(f"visits/{key}", "id\n1\n")
    lab.put("visits/dt=2024-02-08/region=eu/good.csv", "id\n2\n")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (4, 1)
    [message] = messages(outcome)
    assert words in message
    assert key in message


# AWS DMS -------------------------------------------------------------------------------------------------------------

EMPLOYEE = (
    "employee",
    "op varchar(1) optional: true",
    "committed_at varchar(26) aliases: [dms_timestamp]",
    "id varchar(9)",
    "surname varchar(16)",
    "name varchar(16)",
    "hired varchar(10)",
    "office varchar(16)",
)
CHANGES = """\
I,2024-02-08 10:00:00.000001,101,Smith,Bob,4-Jun-14,New York
U,2024-02-08 10:05:00.000001,101,Smith,Bob,8-Oct-15,Los Angeles
U,2024-02-08 10:09:00.000001,101,Smith,Bob,13-Mar-17,Dallas
D,2024-02-08 10:11:00.000001,101,Smith,Bob,13-Mar-17,Dallas
"""
"""The example of the manual, with the column that TimestampColumnName adds behind the operation."""


def stamp(path: Path, day: str, content: str = "") -> None:
    if content:
        path.write_text(content)
    at = datetime.datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()
    os.utime(path, (at, at))


def test_a_full_load_and_changes_of_dms(lab: FormatsLab) -> None:
    """Names and records as https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Target.S3.html has them: no header,
    and a full load without the column of the operation unless IncludeOpForFullLoad is set."""
    lab.declare(declared(*EMPLOYEE, layout="dms", header="false"))
    full = "2024-02-07 12:00:00.000000,100,Jones,Ann,1-Jan-10,Boston\n"
    stamp(lab.put("employee/LOAD00000001.csv", full), "2024-02-07")
    stamp(
        lab.put("employee/LOAD0000000A.csv.gz", gzip.compress(b"I," + full.replace("100", "99").encode())), "2024-02-07"
    )
    lab.put("employee/20240208-1134010000.csv", CHANGES)
    lab.put("employee/2024/02/09/20240209-000001000.csv", CHANGES.splitlines()[0].replace("101", "102") + "\n")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (0, 7), outcome.document
    assert lab.rows("employee", "op, id, office, _ingest_date", "_load_id, committed_at, id") == [
        (None, "100", "Boston", datetime.date(2024, 2, 7)),
        ("I", "99", "Boston", datetime.date(2024, 2, 7)),
        ("I", "101", "New York", FEB8),
        ("U", "101", "Los Angeles", FEB8),
        ("U", "101", "Dallas", FEB8),
        ("D", "101", "Dallas", FEB8),
        ("I", "102", "New York", datetime.date(2024, 2, 9)),
    ]


def test_dms_with_names_of_columns(lab: FormatsLab) -> None:
    """As AddColumnName writes them; an object with another name is none of DMS."""
    lab.declare(declared(*EMPLOYEE, layout="dms"))
    header = "Op,dms_timestamp,ID,SURNAME,NAME,HIRED,OFFICE\n"
    lab.put("employee/20240208-113401000.csv", header + CHANGES)
    stamp(lab.put("employee/LOAD00000001.csv", header[3:] + CHANGES.splitlines()[0][2:] + "\n"), "2024-02-01")
    lab.put("employee/export.csv", header + CHANGES)
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (4, 5)
    assert "is not named as AWS DMS names what it writes" in messages(outcome)[0]
    assert {day for (day,) in lab.rows("employee", "_ingest_date", "1")} == {datetime.date(2024, 2, 1), FEB8}


# Manifests -----------------------------------------------------------------------------------------------------------


def manifest(*entries: tuple[str, int | None, int | None]) -> str:
    return json.dumps(
        {
            "entries": [
                {"url": f"s3://elsewhere/out/{name}", "meta": {"content_length": size, "record_count": records}}
                for name, size, records in entries
            ]
        }
    )


def test_a_manifest_says_what_is_the_whole(lab: FormatsLab) -> None:
    lab.declare(declared("visits", "id varchar(9)", layout="hive"))
    lab.put("visits/run2/dt=2024-02-08/a.csv", "id\n1\n2\n")
    lab.put("visits/run1/dt=2024-02-08/a.csv", "id\n9\n")  # of the run before, which nothing lists any more
    lab.put("visits/manifest.json", manifest(("run2/dt=2024-02-08/a.csv", 7, 2)))
    outcome = lab.load()
    assert (outcome.code, lab.rows("visits", "id", "id")) == (0, [("1",), ("2",)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (manifest(("a.csv", 8, 2)), "with 8 bytes, which has 7"),
        (manifest(("a.csv", 7, 2), ("b.csv", 7, 2)), "lists 's3://elsewhere/out/b.csv', which is not there"),
        (manifest(("a.csv", 7, 2), ("x/a.csv", 7, 2)), "twice"),
        (manifest(("a.csv", 7, 3)), "has 2 records, its manifest says 3"),
        ("{", "it is no JSON document"),
        ('{"entries": [{}]}', "its entry 1 has no 'url'"),
    ],
)
def test_a_manifest_that_promises_something_else(lab: FormatsLab, content: str, words: str) -> None:
    lab.declare(declared("visits", "id varchar(9)", layout="hive"), declared("others", "id varchar(9)"))
    lab.put("visits/a.csv", "id\n1\n2\n")
    lab.put("visits/manifest.json", content)
    lab.put("others/ingest_date=2024-02-08/a.csv", "id\n1\n")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (4, 1)
    assert words in messages(outcome)[0]


# Names ---------------------------------------------------------------------------------------------------------------

NAMES = [
    "it's.csv",
    'say "x".csv',
    "a\nb.csv",
    "tab\t.csv",
    "[a-z]*.csv",
    "{a,b}.csv",
    "what?.csv",
    "100%25.csv",
    "%s $1 :name.csv",
    "café \u202e\U0001f9ec.csv",
    "back\\slash.csv",
    "semi;colon -- drop.csv",
    "#hash&and=x.csv",
    "a=b.csv",
    "~.csv",
]


def test_names_with_every_kind_of_character(lab: FormatsLab) -> None:
    """Each loads, and rejects and ledger have its very name; quotes make the reader take its second look."""
    lab.declare(
        declared("plain", "id varchar(9)", "note varchar(9)"),
        declared("lines", "id varchar(9)", format="json"),
    )
    for number, name in enumerate(NAMES):
        lab.put(f"plain/ingest_date=2024-02-08/{name}", f'id,note\n{number},"two\nlines"\n\n{number},much too long\n')
        lab.put(f"lines/ingest_date=2024-02-08/{name}.json", f'{{"id": {number}}}\n-\n')
    deep = "/".join(["d" * 80] * 11) + "/" + "é" * 20 + ".csv"
    lab.put(f"plain/ingest_date=2024-02-08/{deep}", "id,note\n99,a\n")
    outcome = lab.load()
    assert outcome.code == 0, outcome.document
    assert [int(row[0]) for row in lab.rows("plain", "id", "cast(id as int)")] == [*range(len(NAMES)), 99]
    keys = {key.rpartition("2024-02-08/")[2] for (key,) in lab.lab.query("select object_key from raw_meta.load_ledger")}
    assert keys == {*NAMES, *(f"{name}.json" for name in NAMES), deep}
    [(rejects,)] = lab.lab.query("select count(distinct object_key) from raw_meta.load_rejects")
    assert rejects == 2 * len(NAMES)
    assert {row[0] for row in lab.rejects()} == {5, 2}


def test_a_key_of_more_than_1024_bytes_is_refused_by_name(lab: FormatsLab) -> None:
    lab.declare(declared("plain", "id varchar(9)"))
    longest = "/".join(["d" * 100] * 9)
    prefix = len("other/plain/ingest_date=2024-02-08/") + len(longest) + 1
    lab.put(f"plain/ingest_date=2024-02-08/{longest}/{'x' * (1024 - prefix - 4)}.csv", "id\n1\n")
    lab.put(f"plain/ingest_date=2024-02-08/{longest}/{'x' * (1025 - prefix - 4)}.csv", "id\n2\n")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (4, 1)
    assert "its key has more than 1,024 bytes" in messages(outcome)[0]


def test_links_out_of_the_landing(lab: FormatsLab, tmp_path: Path) -> None:
    lab.declare(declared("plain", "id varchar(9)"))
    good = lab.put("plain/ingest_date=2024-02-08/good.csv", "id\n1\n")
    outside = tmp_path / "outside"
    (outside / "ingest_date=2024-02-09").mkdir(parents=True)
    (outside / "ingest_date=2024-02-09/secret.csv").write_text("id\n2\n")
    (good.parent / "file.csv").symlink_to(outside / "ingest_date=2024-02-09/secret.csv")
    (good.parent.parent / "ingest_date=2024-02-09").symlink_to(outside / "ingest_date=2024-02-09")
    (good.parent / "inside.csv").symlink_to(good)  # stays within
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (4, 2)
    assert sorted(message.partition(": ")[0].rpartition("/")[2] for message in messages(outcome)) == [
        "file.csv'",
        "ingest_date=2024-02-09'",
    ]
    assert "secret.csv" not in str(outcome.document)


def test_the_examples_of_the_guide_load(lab: FormatsLab) -> None:
    guide = (
        (PROJECT / "docs/adding-a-source.md").read_text(encoding="utf-8").partition("## Other formats and layouts")[2]
    )
    examples = re.findall(r"^```yaml\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    for number, example in enumerate(examples):
        path = lab.project / f"models/staging/guide{number}/_guide{number}__sources.yml"
        path.parent.mkdir(parents=True)
        path.write_text(example)
    key, content = firehose_object(
        "vitals", "2024-02-08T23:59", {"reading_id": "r", "patientId": "p", "heart_rate": 61.5}, {"reading_id": "s"}
    )
    for name, text in ((f"iot/{key}", content), ("hr/employee/20240208-113401000.csv", b"I,2024-02-08 10:00:00,1,S\n")):
        path = lab.lab.landing / name
        path.parent.mkdir(parents=True)
        path.write_bytes(text)
    stamp(lab.lab.landing / "hr/employee/LOAD00000001.csv", "2024-02-07", "2024-02-07 10:00:00,1,R\n")
    outcome = lab.load()
    assert outcome.code == 0, outcome.document
    assert lab.lab.query("select patient, heart_rate from raw_iot.readings order by 1") == [("p", "61.5"), (None, None)]
    assert lab.lab.query("select op, surname from raw_hr.employee order by _load_id") == [(None, "R"), ("I", "S")]


# Places, without a load ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "inside", "expected"),
    [
        ("daily", "ingest_date=2024-02-08/x.csv", FEB8),
        ("daily", "ingest_date=20240208/x.csv", None),
        ("daily", "ingest_date=2024-02-08", None),
        ("hourly", "2024/02/08/00/x", FEB8),
        ("hourly", "2024/2/8/0/x", None),
        ("hourly", "1969/12/31/23/x", None),
        ("hive", "a=1/dt=2024-02-08/x.parquet", FEB8),
        ("hive", "DT=2024-02-08/x.parquet", FEB8),
        ("hive", "dt=2024-02-08T00/x.parquet", None),
        ("hive", "year=2024/month=13/day=1/x.parquet", None),
        ("dms", "LOAD00000001.csv", datetime.date(2024, 1, 1)),
        ("dms", "LOAD_1_00000001.csv", datetime.date(2024, 1, 1)),
        ("dms", "2024/02/08/20240208-113401000.parquet", FEB8),
        ("dms", "20240230-113401000.csv", None),
        ("dms", "load.csv", None),
    ],
)
def test_places(layout: str, inside: str, expected: datetime.date | None) -> None:
    table = RawTable("s", "s", "t", "f", (), ("id",), layout=layout)  # type: ignore[arg-type]
    modified = datetime.datetime(2024, 1, 1, 23, tzinfo=datetime.timezone.utc)
    if expected is None:
        with pytest.raises(MisplacedError):
            place(inside, table, modified)
    else:
        assert place(inside, table, modified)[0] == expected
