"""The whole project's `dbt build` on the stand-in against the same build on DuckDB, at the size of the sample.

    python benchmarks/standin.py                    27 patients, 3 rounds: about 4 minutes on 2 cores
    python benchmarks/standin.py --patients 40 --rounds 5

Both targets hold the same raw rows. Each round builds each target once, in turn, as a process of its own: a first build
with every model, snapshot, seed and test, two threads, in an empty database (raw apart). Figures are wall time of the
whole process, dbt's start included; the ratio is taken round by round. The aim is at most 3.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import boto3
import redshift_connector

from biostar.standin import Settings, StandIn

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
sys.path.insert(0, str(ROOT / "tests" / "python"))

from conftest import S3_KEYS  # noqa: E402
from standin_raw import copy_raw_tables  # noqa: E402

SCHEMAS = ("staging", "intermediate", "core", "clinical", "claims", "measures", "snapshots")


def seconds(command: list[str], environment: dict[str, str], log: Path) -> float:
    """Wall time of one process; stop if it fails."""
    with log.open("ab") as output:
        began = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, stdout=output, stderr=output)
        taken = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{log.read_text()[-3000:]}")
    return taken


def empty(standin: StandIn) -> None:
    """Drop what a build has made in the stand-in."""
    with closing(redshift_connector.connect(**standin.connection)) as connection:
        connection.autocommit = True
        for schema in SCHEMAS:
            connection.cursor().execute(f"drop schema if exists {schema} cascade")


def spread(values: list[float], digits: int = 1) -> str:
    """min / median / max."""
    return " / ".join(f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def measure(folder: Path, patients: int, rounds: int, endpoint: str) -> None:
    """Load once, build both targets in turn, and print the table."""
    landing, raw = folder / "landing", folder / "raw.duckdb"
    place = {"DBT_PROFILES_DIR": str(ROOT / "profiles"), "DBT_LOG_PATH": str(folder / "logs"), "BIOSTAR_THREADS": "2"}
    log = folder / "output.log"
    biostar = str(BIN / "biostar")
    load = place | {"BIOSTAR_DUCKDB_PATH": str(raw)}
    seconds([biostar, "sample", "--patients", str(patients), "--to", str(landing)], load, log)
    seconds([biostar, "load", "--landing", str(landing)], load, log)
    taken: dict[str, list[float]] = {"duckdb": [], "standin": []}
    with StandIn(Settings(home=folder / "standin", port=0, s3_endpoint=endpoint)) as standin:
        copy_raw_tables(raw, standin, folder)
        for number in range(rounds):
            for target, times in taken.items():
                database = folder / f"{target}.duckdb"
                shutil.copy(raw, database)
                empty(standin)
                mine = {"DBT_TARGET_PATH": str(folder / f"{target}-{number}"), "BIOSTAR_DUCKDB_PATH": str(database)}
                mine |= {"BIOSTAR_STANDIN_PORT": str(standin.settings.port)}
                times.append(seconds([str(BIN / "dbt"), "build", "--target", target], place | mine, log))
            print(f"round {number + 1} of {rounds} done", file=sys.stderr, flush=True)
    ratios = [one / other for one, other in zip(taken["standin"], taken["duckdb"], strict=True)]
    print(f"\n### {patients} patients, {rounds} rounds\n")
    print("| `dbt build`, 2 threads | seconds, min / median / max |\n|---|--:|")
    for target, times in taken.items():
        print(f"| {target} | {spread(times)} |")
    print(f"| standin / duckdb | {spread(ratios, 2)} |")


def main() -> None:
    """Start S3 on loopback, measure, and leave nothing behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=27)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for name, value in zip(("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "DEFAULT_REGION"), S3_KEYS.values(), strict=True):
        os.environ[f"AWS_{name}"] = value
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores, load {load}", flush=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port)], **quiet)
    try:
        with tempfile.TemporaryDirectory(prefix="biostar-bench-") as name:
            for _ in range(100):
                with socket.socket() as knock:
                    if knock.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            boto3.client("s3", endpoint_url=endpoint, **S3_KEYS).create_bucket(Bucket="lake")
            measure(Path(name), options.patients, options.rounds, endpoint)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
