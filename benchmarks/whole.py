"""Load and build against the physical floor of the same machine, and a day's increment against the whole.

    python benchmarks/whole.py                      1,000 and 10,000 patients, 3 rounds: about 30 minutes on 2 cores
    python benchmarks/whole.py --patients 1000 --rounds 1

Every round runs each contender once, in turn, as a process of its own in a fresh folder, so that a slow minute of the
machine hits all of them. Each figure is wall time of the whole process in seconds and its peak memory in MiB; ratios
are taken round by round. What is compared:

    start    dbt's start-up: parse the project and build one small table
    floor    one DuckDB process: every CSV read once with declared types, and each table that we make written once
    load     `biostar load` of the whole landing into an empty database
    models   `biostar build --no-tests`: every model
    build    `biostar build`: every model and every test
    day      `biostar load` and `biostar build` of one more day: 1 % new patients, 1 % changed
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIOSTAR = Path(sys.executable).with_name("biostar")
FLOOR = Path(__file__).with_name("floor.py")


@dataclass(frozen=True)
class Run:
    """Wall seconds and peak memory in MiB of one process (its own, or its largest child's)."""

    seconds: float
    mebibytes: float


def run(command: list[str], folder: Path) -> Run:
    """Run one process to its end with its database, dbt artifacts and logs in `folder`; stop if it fails."""
    environment = os.environ | {
        "BIOSTAR_DUCKDB_PATH": str(folder / "bench.duckdb"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "DBT_PROFILES_DIR": str(ROOT / "profiles"),
    }
    log = folder / "output.log"
    with log.open("ab") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(command)} failed:\n{log.read_text()[-3000:]}")
    return Run(seconds, usage.ru_maxrss / 1024)


def total(*runs: Run) -> Run:
    """The runs one after the other: seconds added, the larger peak."""
    return Run(sum(one.seconds for one in runs), max(one.mebibytes for one in runs))


def one_round(landing: Path, day: Path, folder: Path) -> dict[str, Run]:
    """Each contender once, in turn."""
    biostar = str(BIOSTAR)
    runs: dict[str, Run] = {}
    for name in ("start", "whole", "tests"):
        (folder / name).mkdir(parents=True)
    load = [biostar, "load", "--landing", str(landing)]
    runs["start"] = run([biostar, "build", "--no-tests", "--select", "dim_date"], folder / "start")
    runs["load"] = run(load, folder / "whole")
    shutil.copy(folder / "whole" / "bench.duckdb", folder / "tests")
    runs["models"] = run([biostar, "build", "--no-tests"], folder / "whole")
    runs["floor"] = run(
        [sys.executable, str(FLOOR), str(landing), str(folder / "whole" / "bench.duckdb")], folder / "start"
    )
    runs["whole"] = total(runs["load"], runs["models"])
    runs["day load"] = run([biostar, "load", "--landing", str(day)], folder / "whole")
    runs["day models"] = run([biostar, "build", "--no-tests"], folder / "whole")
    runs["day"] = total(runs["day load"], runs["day models"])
    runs["build"] = run([biostar, "build"], folder / "tests")
    runs["whole with tests"] = total(runs["load"], runs["build"])
    run([biostar, "load", "--landing", str(day)], folder / "tests")
    runs["day build"] = run([biostar, "build"], folder / "tests")
    runs["day with tests"] = total(runs["day load"], runs["day build"])
    return runs


def spread(values: list[float], digits: int = 1) -> str:
    """min / median / max."""
    return " / ".join(f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def report(patients: int, rounds: list[dict[str, Run]], megabytes: float) -> str:
    """The table of one size, in Markdown."""
    lines = [
        f"### {patients:,} patients, {megabytes:,.0f} MB of CSV, {len(rounds)} rounds",
        "",
        "| | seconds, min / median / max | peak MiB, median |",
        "|---|--:|--:|",
    ]
    for name in rounds[0]:
        seconds = [one[name].seconds for one in rounds]
        memory = statistics.median(one[name].mebibytes for one in rounds)
        lines.append(f"| {name} | {spread(seconds)} | {memory:,.0f} |")
    ratios = {
        "(whole - start) / floor": [
            (one["whole"].seconds - one["start"].seconds) / one["floor"].seconds for one in rounds
        ],
        "(whole with tests - start) / floor": [
            (one["whole with tests"].seconds - one["start"].seconds) / one["floor"].seconds for one in rounds
        ],
        "day / whole": [one["day"].seconds / one["whole"].seconds for one in rounds],
        "day with tests / whole with tests": [
            one["day with tests"].seconds / one["whole with tests"].seconds for one in rounds
        ],
    }
    lines += ["", "| ratio | min / median / max |", "|---|--:|"]
    lines += [f"| {name} | {spread(values, 2)} |" for name, values in ratios.items()]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it (default: a temporary one)")
    options = parser.parse_args()
    base = options.keep or Path(tempfile.mkdtemp(prefix="biostar-bench-"))
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores", flush=True)
    try:
        for patients in options.patients:
            folder = base / str(patients)
            folder.mkdir(parents=True)
            landing, day = folder / "landing", folder / "day"
            made = run([str(BIOSTAR), "sample", "--patients", str(patients), "--to", str(landing)], folder)
            # The same files under a second name, with one drop more.
            shutil.copytree(landing, day, copy_function=os.link)
            run([str(BIOSTAR), "sample", "--next-day", "--new", "0.01", "--changed", "0.01", "--to", str(day)], folder)
            megabytes = sum(path.stat().st_size for path in landing.rglob("*.csv")) / 1e6
            print(f"\nsample of {patients:,} made in {made.seconds:.0f} s, {made.mebibytes:,.0f} MiB", flush=True)
            rounds = []
            for number in range(options.rounds):
                rounds.append(one_round(landing, day, folder / f"round-{number}"))
                shutil.rmtree(folder / f"round-{number}")
                print(f"round {number + 1} of {options.rounds} done", file=sys.stderr, flush=True)
            print("\n" + report(patients, rounds, megabytes), flush=True)
    finally:
        if options.keep is None:
            shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
