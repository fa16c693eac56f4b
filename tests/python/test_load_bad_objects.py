"""Objects that cannot be loaded at all: each is named with its reason, and every other one loads."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import DAY, PROJECT, Lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"
ROW = "2020-01-01,,p,e,1,d\n"
SUPPLIES = "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n2020-01-01,p,e,1,d,1\n"
ZIPPED = gzip.compress((HEADER + "".join(f"2020-01-01,,p{number},e,1,d\n" for number in range(20_000))).encode())

OBJECTS = {
    "empty": (b"", "is empty"),
    "blank": (b"\n\n", "holds no column name"),
    "empty gzip": (gzip.compress(b""), "is empty"),
    "gzip cut in half": (ZIPPED[: len(ZIPPED) // 2], "truncated gzip"),
    "gzip without its last byte": (ZIPPED[:-1], "truncated gzip"),
    "gzip without its checksum": (ZIPPED[:-8], "truncated gzip"),
    "gzip with a flipped byte": (ZIPPED[:5000] + bytes([ZIPPED[5000] ^ 255]) + ZIPPED[5001:], "damaged gzip"),
    "gzip with a wrong checksum": (ZIPPED[:-6] + bytes([ZIPPED[-6] ^ 1]) + ZIPPED[-5:], "damaged gzip"),
    "gzip with something behind it": (ZIPPED + b"more", "damaged gzip"),
    "zip": (b"PK\x03\x04" + bytes(100), "ZIP archive"),
    "parquet": (b"PAR1" + bytes(100), "Parquet"),
    "utf-16": (HEADER.encode("utf-16"), "UTF-16"),
    "binary": (bytes(range(256)) * 40, "not a CSV file"),
    "one endless line": (b"x" * (2 << 20), "does not end within 1 MiB"),
    "latin-1 header": ("START,STÖP\n".encode("latin-1"), "not UTF-8"),
    "no header": (ROW.encode(), "is the header missing"),
    "semicolons": ((HEADER + ROW).replace(",", ";").encode(), "separated by semicolons"),
    "without a key column": ((HEADER + ROW).replace("PATIENT", "PERSON").encode(), "lacks the column 'patient'"),
    "a column twice": (b"START,STOP,PATIENT,ENCOUNTER,CODE,code,DESCRIPTION\n1,2,3,4,5,6,7\n", "'code' more than once"),
    "an unknown column twice": (HEADER.encode().replace(b"\n", b",X,x\n"), "'x' more than once"),
}


def test_objects_that_cannot_be_loaded(lab: Lab) -> None:
    days = {what: f"2024-03-{number:02}" for number, what in enumerate(OBJECTS, start=1)}
    for what, (content, _) in OBJECTS.items():
        lab.put("conditions", HEADER + ROW, day=days[what], name="a_good.csv")
        lab.put("conditions", content, day=days[what], name="b_bad.csv")
    lab.put("conditions", HEADER + ROW, day="2024-04-01")
    lab.put("supplies", SUPPLIES)
    outcome = lab.load()
    assert outcome.code == 4
    assert len(outcome.document["failures"]) == len(OBJECTS)
    for failure, (what, (_, words)) in zip(outcome.document["failures"], OBJECTS.items(), strict=True):
        assert (failure["error"], failure["exit_code"]) == ("data", 4)
        assert f"'ehr/conditions/ingest_date={days[what]}/b_bad.csv'" in failure["message"]
        assert words in failure["message"]
        assert failure["undone"]
        assert failure["next"]
    # What was delivered with them is in, as are another day and another table.
    assert lab.query("select count(*) from raw_ehr.conditions") == [(1 + len(OBJECTS),)]
    assert lab.query("select count(*) from raw_ehr.supplies") == [(1,)]
    assert lab.query("select count(*) from raw_meta.load_rejects") == [(0,)]
    loads = 2 + len(OBJECTS)
    assert lab.query("select count(*), max(load_id) from raw_meta.load_ledger") == [(loads, loads)]
    # Delivered better, they load.
    for bad in lab.landing.rglob("b_bad.csv"):
        bad.write_text(HEADER + ROW)
    assert lab.load().code == 0
    assert lab.query("select count(*) from raw_ehr.conditions") == [(1 + 2 * len(OBJECTS),)]


def test_a_first_line_of_values_is_not_repeated(lab: Lab) -> None:
    lab.put("conditions", "2020-01-01,,Zzyzx-Secret,e,1,d\n")
    outcome = lab.load()
    assert outcome.code == 4
    assert "Zzyzx" not in outcome.words + repr(outcome.document)


def test_missing_columns_load_as_null_and_are_named(lab: Lab) -> None:
    lab.put("conditions", "START,PATIENT,ENCOUNTER,CODE\n2020-01-01,p,e,1\n")
    outcome = lab.load()
    assert outcome.code == 0
    [warning] = [warning for warning in outcome.document["warnings"] if "lacks" in warning]
    assert f"ehr/conditions/ingest_date={DAY}/part.csv" in warning
    assert "lacks stop, description; loaded as null" in warning
    assert lab.query("select stop, description from raw_ehr.conditions") == [(None, None)]


def test_an_unknown_table_folder(lab: Lab) -> None:
    lab.put("condition", HEADER + ROW)
    lab.put("supplies", SUPPLIES)
    outcome = lab.load()
    assert outcome.code == 4
    [failure] = outcome.document["failures"]
    assert failure["message"] == "'ehr/condition' is no table of raw_ehr; the nearest is 'conditions'"
    assert failure["undone"] == "1 object in it"
    assert outcome.document["rows_loaded"] == 1


def test_wrong_dates_in_the_prefix(lab: Lab) -> None:
    folders = ("2024-02-08", "ingest_date=", "ingest_date=1969-12-31", "ingest_date=2024-02-08T00:00")
    folders += ("ingest_date=2024-02-30", "ingest_date=2024-2-8", "ingest_date=20240208")
    folders += ("ingest_date=2101-01-01", "ingest_date=9999-12-31", "ingest_date=today")
    for folder in folders:
        path = lab.landing / "ehr" / "conditions" / folder / "a.csv"
        path.parent.mkdir(parents=True)
        path.write_text(HEADER + ROW)
    lab.put("supplies", SUPPLIES)
    outcome = lab.load()
    assert outcome.code == 4
    assert len(outcome.document["failures"]) == len(folders)
    for failure, folder in zip(outcome.document["failures"], folders, strict=True):
        assert f"ehr/conditions/{folder}/a.csv" in failure["message"]
        assert "YYYY-MM-DD" in failure["message"]
    assert outcome.document["rows_loaded"] == 1


def test_a_missing_landing(lab: Lab) -> None:
    outcome = lab.load("--landing", str(lab.landing / "nowhere"))
    assert (outcome.code, outcome.document["error"]) == (3, "configuration")
    assert "does not exist" in outcome.document["message"]


def test_a_landing_that_is_a_file(lab: Lab) -> None:
    path = lab.landing / "file"
    path.touch()
    outcome = lab.load("--landing", str(path))
    assert (outcome.code, outcome.document["error"]) == (3, "configuration")


def test_an_empty_landing(lab: Lab) -> None:
    shutil.rmtree(lab.landing / "ehr")
    outcome = lab.load()
    assert outcome.code == 0
    assert len(outcome.document["missing_tables"]) == 18
    assert f"there is no object under '{lab.landing}/ehr/'" in outcome.document["warnings"]
    assert lab.query("select count(*) from duckdb_tables() where schema_name = 'raw_ehr'") == [(18,)]


def test_loading_again_loads_nothing(lab: Lab) -> None:
    path = lab.put("conditions", HEADER + ROW)
    assert lab.load().code == 0
    os.utime(path, (0, 0))
    again = lab.load()
    assert (again.code, again.document["objects_skipped"], again.document["batches"]) == (0, 1, [])
    assert lab.query("select count(*) from raw_ehr.conditions") == [(1,)]


@pytest.mark.parametrize("same_time", [True, False])
@pytest.mark.parametrize("changed", [HEADER + ROW + ROW, HEADER + ROW.replace("2020", "2021")])
def test_a_changed_object_under_an_old_name(lab: Lab, changed: str, same_time: bool) -> None:
    path = lab.put("conditions", HEADER + ROW)
    assert lab.load().code == 0
    stamp = path.stat().st_mtime_ns
    path.write_text(changed)
    if same_time and len(changed) != len(HEADER + ROW):
        os.utime(path, ns=(stamp, stamp))
    else:
        os.utime(path, ns=(stamp + 10**9, stamp + 10**9))
    lab.put("supplies", SUPPLIES)
    outcome = lab.load()
    assert outcome.code == 4
    [failure] = outcome.document["failures"]
    assert "has changed since it was loaded" in failure["message"]
    assert "under a new name" in failure["next"]
    assert lab.query("select start from raw_ehr.conditions") == [("2020-01-01",)]
    assert outcome.document["rows_loaded"] == 1


def test_the_same_content_under_another_name_loads_with_a_warning(lab: Lab) -> None:
    lab.put("conditions", HEADER + ROW)
    assert lab.load().code == 0
    lab.put("conditions", HEADER + ROW, name="again.csv")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (0, 1)
    [warning] = [warning for warning in outcome.document["warnings"] if "same content" in warning]
    assert "again.csv" in warning
    assert "part.csv" in warning


def test_later_objects_of_a_loaded_day_make_a_load_of_their_own(lab: Lab) -> None:
    lab.put("conditions", HEADER + ROW)
    lab.load()
    lab.put("conditions", HEADER + ROW.replace("p", "q"), name="later.csv")
    lab.load()
    assert lab.query("select _load_id, patient from raw_ehr.conditions order by 1") == [(1, "p"), (2, "q")]


def test_an_object_that_changes_while_it_is_read(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from biostar.warehouse.duckdb_warehouse import DuckDBWarehouse

    path = lab.put("conditions", HEADER + ROW)
    publish = DuckDBWarehouse.publish

    def slow(self, staged, load_id):
        counts = publish(self, staged, load_id)
        with path.open("a") as more:
            more.write(ROW)
        return counts

    monkeypatch.setattr(DuckDBWarehouse, "publish", slow)
    outcome = lab.load()
    assert outcome.code == 4
    assert "changed while it was being read" in outcome.document["failures"][0]["message"]
    assert lab.query("select count(*) from raw_ehr.conditions") == [(0,)]
    monkeypatch.undo()
    monkeypatch.setenv("DBT_PROJECT_DIR", str(PROJECT))
    monkeypatch.setenv("BIOSTAR_LANDING", str(lab.landing))
    monkeypatch.setenv("BIOSTAR_DUCKDB_PATH", str(lab.database))
    assert lab.load().document["rows_loaded"] == 2


def test_broken_links_pipes_and_links_in_a_circle(lab: Lab) -> None:
    folder = lab.put("conditions", HEADER + ROW).parent
    (folder / "broken.csv").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.csv")
    (folder / "circle").symlink_to(lab.landing)
    outcome = lab.load()
    assert outcome.code == 4
    assert outcome.document["rows_loaded"] == 1
    messages = [failure["message"] for failure in outcome.document["failures"]]
    assert len(messages) == 2
    assert "broken.csv': cannot be read: no such file or directory" in messages[0]
    assert "pipe.csv': is not a regular file" in messages[1]


def test_a_file_name_that_is_not_utf8(lab: Lab) -> None:
    folder = lab.put("conditions", HEADER + ROW).parent
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.csv")).write_text(HEADER + ROW)
    outcome = lab.load()
    assert outcome.code == 4
    assert "its name is not UTF-8" in outcome.document["failures"][0]["message"]
    assert outcome.document["rows_loaded"] == 1


@pytest.fixture
def unprivileged(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    """The right to read everything, which root has, taken away; the landing and the database where anybody may go."""
    lab.load()  # imports what is imported late: it may lie where only root can read
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o777)
        lab.landing, lab.database = root / "landing", root / "w.duckdb"
        monkeypatch.setenv("BIOSTAR_LANDING", str(lab.landing))
        monkeypatch.setenv("BIOSTAR_DUCKDB_PATH", str(lab.database))
        monkeypatch.chdir(root)
        me = os.geteuid()
        if me == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            if me == 0:
                os.seteuid(0)


def as_owner(act: Callable[[int], None], mode: int) -> None:
    """Do what only the owner may; the folder was made before the right was taken away."""
    me = os.geteuid()
    os.seteuid(os.getuid())
    act(mode)
    os.seteuid(me)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_no_right_to_read(lab: Lab, unprivileged: None, what: str) -> None:
    lab.put("supplies", SUPPLIES)
    path = lab.put("conditions", HEADER + ROW)
    denied = path if what == "file" else path.parent
    denied.chmod(0)
    outcome = lab.load()
    denied.chmod(0o700)
    assert outcome.code == 4
    [failure] = outcome.document["failures"]
    assert str(denied.relative_to(lab.landing)) in failure["message"]
    assert "permission denied" in failure["message"]
    assert outcome.document["rows_loaded"] == 1
    assert lab.load().document["rows_loaded"] == 1


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_database(lab: Lab, unprivileged: None, what: str) -> None:
    lab.put("conditions", HEADER + ROW)
    assert lab.load().code == 0
    lab.put("conditions", HEADER + ROW, day="2024-02-09")
    denied = lab.database if what == "file" else lab.database.parent
    as_owner(denied.chmod, 0o555)
    outcome = lab.load()
    as_owner(denied.chmod, 0o777)
    assert outcome.code == 5
    [failure] = outcome.document.get("failures", [outcome.document])
    assert failure["error"] == "warehouse"
    assert "read-only" in failure["message"]
    assert str(lab.database) in failure["message"]
    assert failure["next"]
    assert lab.query("select count(*) from raw_ehr.conditions") == [(1,)]
