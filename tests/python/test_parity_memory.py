"""What parity keeps in memory does not follow the rows of a table: engines sum, Python holds sums and one batch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

COMPARE = """
import json, re, sys
from contextlib import closing
from pathlib import Path
from biostar.parity import Limits, Relation, compare_sides, open_side

with (
    closing(open_side("duckdb", Path(sys.argv[1]))) as left,
    closing(open_side("duckdb", Path(sys.argv[2]))) as right,
):
    (found,) = compare_sides(left, right, [Relation("t", "core", "t", grain=("id",))], Limits()).tables
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps([list(found.rows), found.differing_rows, peak]))
"""
ENGINES = 64
"""MiB that each of the two engines may use: they fill what they may, so that some growth is theirs."""


def write(path: Path, rows: int, changed: int) -> Path:
    """A table of `rows` rows, `changed` of them with another amount."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema core")
        connection.execute(
            "create table core.t as select i as id, cast(i % 97 as decimal(18, 2)) + (i < $changed)::int as amount,"
            " md5(cast(i as varchar)) as code, timestamp '2024-01-01' + to_seconds(i) as moment, i % 2 = 0 as flag"
            " from range($rows) t(i)",
            {"rows": rows, "changed": changed},
        )
    return path


def peak_of(left: Path, right: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[int], int, float]:
    """Rows of both sides, differing rows, and the peak of a process of its own in MiB."""
    monkeypatch.setenv("BIOSTAR_DUCKDB_MEMORY", f"{ENGINES}MiB")
    monkeypatch.setenv("BIOSTAR_THREADS", "1")
    command = [sys.executable, "-c", COMPARE, str(left), str(right)]
    rows, differing, peak = json.loads(subprocess.run(command, capture_output=True, check=True).stdout.splitlines()[-1])
    return rows, differing, peak


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts the parent's memory too; VmHWM is Linux's")
def test_the_memory_of_a_comparison_is_bounded_and_no_row_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = {}
    for rows in (300_000, 1_500_000):
        left = write(tmp_path / f"left{rows}.duckdb", rows, 0)
        right = write(tmp_path / f"right{rows}.duckdb", rows, 3)
        seen, differing, peaks[rows] = peak_of(left, right, monkeypatch)
        assert (seen, differing) == ([rows, rows], 3)
    assert peaks[1_500_000] < 2 * ENGINES + 160, peaks
    assert peaks[1_500_000] < peaks[300_000] + 2 * ENGINES, "the rows that are more would take 500 MiB in Python"
