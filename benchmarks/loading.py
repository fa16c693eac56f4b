"""Loading, against the bare engine and against what a team would use instead: same files, same server, in turn.

    python benchmarks/loading.py                    1 GB and 10,000 small files, 3 rounds: about 40 minutes on 2 cores
    python benchmarks/loading.py --megabytes 100 --rounds 1 --small-files 1000

Every round runs each contender once, in turn, as a process of its own. A figure is the wall time of the whole process,
start-up of Python included, and its peak memory; ratios are taken round by round. The files are claims_transactions of
a `biostar sample`, uncompressed, in files of about 100 MB. On the stand-in the server is the same for all: one embedded
Postgres, and S3 on loopback. It is a test rig: times say how much each tool adds to the same COPY, not how fast Amazon
Redshift is. The peers live in an environment of their own (benchmarks/peers.txt), made in --work on the first run.

Contenders on DuckDB: read_csv (the floor: create table as select from read_csv), biostar load, dlt.
Contenders on the stand-in: copy (the floor: one COPY of the prefix), biostar load, awswrangler's copy_from_files and
copy, dlt with Parquet in S3, locopy, and row inserts, which take 20,000 rows and are scaled.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config

from biostar.standin import Settings, StandIn

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PEERS = Path(__file__).with_name("peers.py")
TABLE = "claims_transactions"
DAY = "2024-02-08"
FILE_BYTES = 100_000_000
INSERTED = 20_000
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class Run:
    """Wall seconds and peak memory in MiB of one process; `rows` is what it said, `fault` why it did not end well."""

    seconds: float
    mebibytes: float
    said: str
    fault: str = ""


def run(command: list[str], environment: dict[str, str], folder: Path) -> Run:
    """Run one process to its end."""
    folder.mkdir(parents=True, exist_ok=True)
    output, errors = folder / "output.txt", folder / "errors.txt"
    with output.open("wb") as out, errors.open("wb") as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    words = errors.read_text(errors="replace").strip().splitlines()
    fault = f"exit code {code}: {words[-1][:200] if words else ''}" if code else ""
    return Run(seconds, usage.ru_maxrss / 1024, output.read_text().strip(), fault)


def make_files(work: Path, megabytes: int) -> tuple[Path, int, int]:
    """The landing with one table cut into files of FILE_BYTES; its folder, its bytes and its rows."""
    landing = work / f"landing-{megabytes}"
    folder = landing / "ehr" / TABLE / f"ingest_date={DAY}"
    if not folder.exists():
        patients = max(27, int(megabytes * 12.05))  # measured: 83 kB of claims_transactions a patient
        made = work / "made"
        subprocess.run(
            [BIN / "biostar", "sample", "--patients", str(patients), "--seed", "1", "--to", str(made)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        folder.mkdir(parents=True)
        for source in sorted((made / "ehr" / TABLE).rglob("*.csv*")):
            _cut(source, folder)
        shutil.rmtree(made)
    sizes = [path.stat().st_size for path in folder.iterdir()]
    lines = sum(_lines(path) - 1 for path in folder.iterdir())
    return landing, sum(sizes), lines


def _cut(source: Path, folder: Path) -> None:
    # A little at a time: the peak memory of this process counts as one of each process that it starts.
    name = source.name.partition(".")[0]
    with gzip.open(source) if source.suffix == ".gz" else source.open("rb") as stream:
        header = stream.readline()
        number = 0
        while lines := stream.readlines(1 << 20):
            with (folder / f"{name}-{number:02}.csv").open("wb") as part:
                part.write(header)
                while lines and part.tell() < FILE_BYTES:
                    part.writelines(lines)
                    lines = stream.readlines(1 << 20)
                part.writelines(lines)
            number += 1


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 22), b""))


def make_small_files(work: Path, count: int, whole: Path) -> Path:
    """A landing with the same table in `count` files of 20 rows."""
    landing = work / f"small-{count}"
    folder = landing / "ehr" / TABLE / f"ingest_date={DAY}"
    if not folder.exists():
        folder.mkdir(parents=True)
        with sorted((whole / "ehr" / TABLE).rglob("*.csv"))[0].open("rb") as stream:
            header = stream.readline()
            for number in range(count):
                (folder / f"part-{number:05}.csv").write_bytes(header + b"".join(stream.readline() for _ in range(20)))
    return landing


def peers_python(work: Path) -> Path:
    """Python with the peers installed."""
    home = work / "peers"
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        requirements = str(PEERS.with_suffix(".txt"))
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
        (home / "complete").touch()
    return python


@contextmanager
def servers(work: Path) -> Iterator[dict[str, str]]:
    """S3 and the stand-in on loopback; gives the environment that leads to them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    command = [str(BIN / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    os.environ.update(KEYS)
    s3 = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        patient = Config(retries={"mode": "standard", "total_max_attempts": 10})
        boto3.client("s3", endpoint_url=endpoint, config=patient).create_bucket(Bucket="bench")
        with StandIn(Settings(home=work / "standin", port=0, s3_endpoint=endpoint)) as standin:
            yield KEYS | {"AWS_ENDPOINT_URL": endpoint, "BIOSTAR_STANDIN_PORT": str(standin.settings.port)}
    finally:
        s3.terminate()
        s3.wait()


def upload(landing: Path, environment: dict[str, str], prefix: str) -> str:
    """The landing in S3; gives its address."""
    s3 = boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"])
    for path in sorted(landing.rglob("*.csv")):
        s3.upload_file(str(path), "bench", f"{prefix}/{path.relative_to(landing)}")
    return f"s3://bench/{prefix}"


def biostar(landing: str, target: str, folder: Path, schema_prefix: str = "") -> tuple[list[str], dict[str, str]]:
    """The command and environment of `biostar load`."""
    command = [str(BIN / "biostar"), "load", "--landing", landing, "--target", target, "--tables", TABLE, "--json"]
    return command, {
        "BIOSTAR_DUCKDB_PATH": str(folder / "load.duckdb"),
        "BIOSTAR_SCHEMA_PREFIX": schema_prefix,
        "DBT_PROFILES_DIR": str(ROOT / "profiles"),
    }


def compete(runs: dict[str, list[Run]], name: str, made: Run) -> None:
    """Keep a run and say how it went."""
    runs.setdefault(name, []).append(made)
    print(f"  {name}: {made.fault or f'{made.seconds:.1f} s, {made.mebibytes:.0f} MiB'}", file=sys.stderr, flush=True)


def duckdb_rounds(landing: Path, work: Path, rounds: int, python: Path, *, with_peers: bool) -> dict[str, list[Run]]:
    """Each contender on DuckDB, in turn."""
    folder = str(landing / "ehr" / TABLE / f"ingest_date={DAY}")
    runs: dict[str, list[Run]] = {}
    for number in range(rounds):
        for name in ["read_csv", "biostar load", *(["dlt_duckdb"] if with_peers else [])]:
            place = work / "round"
            shutil.rmtree(place, ignore_errors=True)
            environment = {"BENCH_FOLDER": str(place), "RUNTIME__DLTHUB_TELEMETRY": "false"}
            # The floor is the engine that biostar runs on, of the same version.
            command = [sys.executable if name == "read_csv" else str(python), str(PEERS), name, folder, f"t{number}"]
            if name == "biostar load":
                command, environment = biostar(str(landing), "duckdb", place)
            compete(runs, name, run(command, environment, place))
    return runs


def standin_rounds(landing: Path, work: Path, rounds: int, python: Path, lines: int) -> dict[str, list[Run]]:
    """Each contender on the stand-in, in turn."""
    runs: dict[str, list[Run]] = {}
    peers = ["awswrangler_copy_from_files", "awswrangler_copy", "dlt_redshift", "locopy", "insert_rows"]
    with servers(work) as environment:
        address = upload(landing, environment, "landing")
        prefix = f"{address}/ehr/{TABLE}/ingest_date={DAY}/"
        for number in range(rounds):
            for name in ["copy", "biostar load", *peers]:
                place = work / "round"
                shutil.rmtree(place, ignore_errors=True)
                command = [str(python), str(PEERS), name, prefix, f"t{number}_{name}"]
                mine = {"BENCH_FOLDER": str(place), "RUNTIME__DLTHUB_TELEMETRY": "false"}
                if name == "biostar load":
                    command, mine = biostar(address, "standin", place, f"r{number}_")
                made = run(command, environment | mine, place)
                if name == "insert_rows" and not made.fault:
                    made = Run(made.seconds * lines / INSERTED, made.mebibytes, made.said)
                compete(runs, name, made)
    return runs


def table(title: str, runs: dict[str, list[Run]], size: int) -> None:
    """Print one table of Markdown; the first contender is the floor."""
    floor = next(iter(runs.values()))
    print(f"\n### {title}\n")
    print("| | seconds, min / median / max | MB/s | peak MiB | throughput, as a share of the floor |")
    print("|---|--:|--:|--:|--:|")
    for name, made in runs.items():
        fault = next((one.fault for one in made if one.fault), "")
        if fault:
            print(f"| {name} | did not run: {fault} | | | |")
            continue
        seconds = [one.seconds for one in made]
        shares = [base.seconds / one.seconds for base, one in zip(floor, made, strict=True)]
        median = statistics.median(seconds)
        print(
            f"| {name} | {min(seconds):.1f} / {median:.1f} / {max(seconds):.1f} | {size / 1e6 / median:.1f}"
            f" | {statistics.median(one.mebibytes for one in made):,.0f} | {statistics.median(shares):.2f} |"
        )


def main() -> None:
    """Make the files, run the rounds, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--small-files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("duckdb", "small", "standin"))
    parser.add_argument("--work", type=Path, help="keep files and the peers' environment here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        work = (options.work or Path(scratch)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        python = peers_python(work)
        landing, size, lines = make_files(work, options.megabytes)
        print(f"{datetime.date.today()}: {size / 1e6:,.0f} MB, {lines:,} rows, {options.rounds} rounds")
        if options.only in (None, "duckdb"):
            runs = duckdb_rounds(landing, work, options.rounds, python, with_peers=True)
            table(f"DuckDB, {size / 1e6:,.0f} MB", runs, size)
        if options.only in (None, "small"):
            small = make_small_files(work, options.small_files, landing)
            runs = duckdb_rounds(small, work, options.rounds, python, with_peers=False)
            bytes_of_small = sum(path.stat().st_size for path in small.rglob("*.csv"))
            table(f"DuckDB, {options.small_files:,} files of 20 rows", runs, bytes_of_small)
            median = statistics.median(one.seconds for one in runs["biostar load"])
            print(f"\n{median / options.small_files * 1000:.2f} ms a file")
        if options.only in (None, "standin"):
            runs = standin_rounds(landing, work, options.rounds, python, lines)
            table(f"Stand-in, {size / 1e6:,.0f} MB", runs, size)


if __name__ == "__main__":
    main()
