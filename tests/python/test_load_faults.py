"""Whatever stops a load from outside, it leaves nothing half done, and the next run goes on: each row exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import DAY, Lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"
SUPPLIES = "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n"

# Each kills the process, as the kernel would, at one moment of the second batch.
MOMENTS = {
    "before the rows": ("publish", "before"),
    "after the rows, before the ledger": ("publish", "after"),
    "before the commit": ("commit", "before"),
    "after the commit": ("commit", "after"),
}
KILLED = """
import os, signal, sys
from biostar.warehouse.duckdb_warehouse import DuckDBWarehouse

moment, when, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
seen = 0

def at_the_moment(original, matches):
    def call(self, *arguments):
        global seen
        if not matches(*arguments):
            return original(self, *arguments)
        seen += 1
        if seen == batch and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(self, *arguments)
        if seen == batch and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

if moment == "publish":
    DuckDBWarehouse.publish = at_the_moment(DuckDBWarehouse.publish, lambda staged, load_id: True)
else:
    DuckDBWarehouse.execute = at_the_moment(DuckDBWarehouse.execute, lambda sql, values=(): sql == "commit")

from biostar.cli import main
sys.exit(main(["load"]))
"""


def deliver(lab: Lab) -> None:
    for day in ("2024-02-08", "2024-02-09", "2024-02-10"):
        rows = "".join(f"2020-01-01,,{day}-{number},e,1,d\n" for number in range(5000))
        lab.put("conditions", HEADER + rows + "bad\n", day=day)


def assert_exactly_once(lab: Lab) -> None:
    assert lab.query("select count(*), count(distinct patient) from raw_ehr.conditions") == [(15000, 15000)]
    assert lab.query("select count(*), count(distinct object_key) from raw_meta.load_ledger") == [(3, 3)]
    assert lab.query("select count(*), count(distinct load_id) from raw_meta.load_rejects") == [(3, 3)]
    assert lab.query(
        "select count(*) from raw_meta.load_ledger as ledger where rows_loaded <>"
        " (select count(*) from raw_ehr.conditions as rows where rows._load_id = ledger.load_id)"
    ) == [(0,)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_kill_9_in_the_middle_then_run_again(lab: Lab, moment: str) -> None:
    deliver(lab)
    # The first commit is the one that makes the tables.
    batch = 2 if MOMENTS[moment][0] == "publish" else 3
    process = subprocess.run(
        [sys.executable, "-c", KILLED, *MOMENTS[moment], str(batch)], capture_output=True, timeout=60
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    loaded = 2 if moment == "after the commit" else 1
    assert lab.query("select count(*) from raw_ehr.conditions") == [(5000 * loaded,)]
    assert lab.query("select count(*) from raw_meta.load_ledger") == [(loaded,)]
    outcome = lab.load()
    assert (outcome.code, outcome.document["objects_skipped"]) == (0, loaded)
    assert_exactly_once(lab)


def test_kill_9_while_duckdb_reads(lab: Lab) -> None:
    """The insert itself is one call into the engine; the kill comes when some of its rows are in the file."""
    rows = "".join(f"2020-01-01,,{number},e,1,{'d' * 400}\n" for number in range(150_000))
    lab.put("conditions", HEADER + rows)
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "inserting\n"
    # Rows of a large insert reach the file before the commit: when it grows, the insert is in the middle.
    start = lab.database.stat().st_size
    while lab.database.stat().st_size == start and process.poll() is None:
        os.sched_yield()
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert lab.query("select count(*) from raw_ehr.conditions") == [(0,)]
    assert lab.load().document["rows_loaded"] == 150_000
    assert lab.query("select count(distinct patient), count(*) from raw_ehr.conditions") == [(150_000, 150_000)]


STARTED = """
import sys
from biostar.warehouse.duckdb_warehouse import DuckDBWarehouse
original = DuckDBWarehouse.publish

def call(self, staged, load_id):
    print("inserting", flush=True)
    return original(self, staged, load_id)

DuckDBWarehouse.publish = call
from biostar.cli import main
sys.exit(main(["load"]))
"""

FULL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from biostar.cli import main
sys.exit(main(["load", "--json"]))
"""


@pytest.mark.parametrize("limit", [1 << 12, 3 << 20, 6 << 20])
def test_a_full_disk(lab: Lab, limit: int) -> None:
    """A limit on the size of files makes the kernel refuse a write as a full disk does."""
    for day in ("2024-02-08", "2024-02-09", "2024-02-10"):
        # Content that does not compress, so that each batch needs megabytes.
        lab.put(
            "conditions",
            HEADER + "".join(f"2020-01-01,,{day}{n},e,1,{os.urandom(200).hex()}\n" for n in range(8000)),
            day=day,
        )
    process = subprocess.run([sys.executable, "-c", FULL_DISK, str(limit)], capture_output=True, timeout=60)
    said = json.loads(process.stdout)
    assert process.returncode == 5, process.stderr
    failure = said["failures"][-1] if "failures" in said else said
    assert failure["error"] == "warehouse"
    assert "is full" in failure["message"], failure
    assert failure["next"]
    outcome = lab.load()
    assert outcome.code == 0
    assert lab.query("select count(*), count(distinct patient) from raw_ehr.conditions") == [(24000, 24000)]
    assert lab.query("select sum(rows_loaded), count(*) from raw_meta.load_ledger") == [(24000, 3)]


@pytest.fixture
def other_process(lab: Lab) -> Iterator[None]:
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lab.database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield
        process.communicate()


def test_a_database_that_is_open_elsewhere(lab: Lab, other_process: None) -> None:
    lab.put("conditions", HEADER)
    outcome = lab.load()
    assert (outcome.code, outcome.document["error"]) == (5, "warehouse")
    assert "is open in another process" in outcome.document["message"]
    assert lab.load("--dry-run").code == 5


def test_a_file_that_is_no_database(lab: Lab) -> None:
    lab.database.write_text("not a database, but long enough to have been one" * 1000)
    outcome = lab.load()
    assert (outcome.code, outcome.document["error"]) == (3, "configuration")
    assert "is not a DuckDB database" in outcome.document["message"]


def test_a_database_whose_making_was_interrupted(lab: Lab) -> None:
    lab.load()
    lab.database.write_bytes(lab.database.read_bytes()[:4096])
    outcome = lab.load()
    assert (outcome.code, outcome.document["error"]) == (3, "configuration")
    assert "is cut off" in outcome.document["message"]


def test_a_database_folder_that_cannot_be_made(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BIOSTAR_DUCKDB_PATH", str(tmp_path / "file" / "w.duckdb"))
    outcome = lab.load()
    assert (outcome.code, outcome.document["error"]) == (5, "warehouse")


def test_a_delivery_of_a_day_to_come_is_loaded_with_a_warning(lab: Lab) -> None:
    lab.put("supplies", "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,QUANTITY\n2020-01-01,p,e,c,d,1\n", day="2100-12-31")
    for arguments in (("--dry-run",), ()):
        outcome = lab.load(*arguments)
        assert outcome.code == 0
        assert "supplies of 2100-12-31 is of a day that is yet to come" in " ".join(outcome.document["warnings"])
    assert lab.query("select count(*) from raw_ehr.supplies") == [(1,)]


def test_a_dry_run_touches_nothing(lab: Lab) -> None:
    lab.put("conditions", HEADER + "2020-01-01,,p,e,1,d\n")
    outcome = lab.load("--dry-run")
    assert outcome.code == 0
    (batch,) = outcome.document["batches"]
    (statement,) = batch.pop("statements")
    assert statement.startswith('insert into "raw_ehr"."conditions" ("start", "stop", ')
    assert f"ingest_date={DAY}/part.csv" in statement
    assert batch == {
        "kind": "new",
        "table": "conditions",
        "ingest_date": DAY,
        "objects": [f"ehr/conditions/ingest_date={DAY}/part.csv"],
        "bytes": len(HEADER) + 20,
        "replaced_load_ids": [],
    }
    assert not lab.database.exists()
    assert lab.load().code == 0
    before = lab.database.read_bytes()
    lab.put("conditions", HEADER, name="more.csv")
    outcome = lab.load("--dry-run")
    assert (outcome.document["objects_skipped"], len(outcome.document["batches"])) == (1, 1)
    assert lab.database.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "value"), [("BIOSTAR_DUCKDB_MEMORY", "lots"), ("BIOSTAR_THREADS", "0"), ("BIOSTAR_THREADS", "two")]
)
def test_settings_that_are_wrong(lab: Lab, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    outcome = lab.load()
    assert (outcome.code, outcome.document["error"]) == (3, "configuration")
    assert name in outcome.document["message"]
    assert not lab.database.exists()
