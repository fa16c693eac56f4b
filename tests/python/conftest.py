"""Shared fixtures: a project to work in, and a landing with a database beside it."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pytest
from botocore.config import Config

from biostar.cli import main
from biostar.standin import Settings, StandIn

# A shell that runs the tests in the background has them ignore Ctrl-C, and so would every process that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PROJECT = Path(__file__).resolve().parents[2]
SAMPLE = PROJECT / "sample_data" / "synthea_27"
DAY = "2024-02-08"

LONGEST_FIRST = (
    "test_parity_project",
    "test_project",
    "test_load_exactly_once",
    "test_load_exactly_once_redshift",
    "test_marts_claims_incremental",
    "test_marts_clinical_incremental",
    "test_standin_faults",
    "test_load_reload_build",
    "test_clone",
)
"""Files that take a worker half a minute and more: begun first, so that none of them is alone at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        return LONGEST_FIRST.index(item.path.stem) if item.path.stem in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=rank)


@dataclass
class Outcome:
    """What a command said: exit code, its JSON document, and everything on stderr."""

    code: int
    document: dict[str, Any]
    words: str


@dataclass
class Lab:
    """A landing and a database of one test."""

    landing: Path
    database: Path
    capsys: pytest.CaptureFixture[str]

    def put(
        self, table: str, content: bytes | str, *, day: str = DAY, name: str = "part.csv", zipped: bool = False
    ) -> Path:
        """Deliver an object."""
        path = self.landing / "ehr" / table / f"ingest_date={day}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = content.encode() if isinstance(content, str) else content
        path.write_bytes(gzip.compress(content) if zipped else content)
        return path

    def run(self, *arguments: str) -> Outcome:
        """Run a verb with --json in this process."""
        self.capsys.readouterr()
        code = main([*arguments, "--json"])
        said = self.capsys.readouterr()
        return Outcome(code, json.loads(said.out), said.err)

    def load(self, *arguments: str) -> Outcome:
        """Run `biostar load`."""
        return self.run("load", *arguments)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql, list(values)).fetchall()

    def rejects(self) -> list[tuple[Any, ...]]:
        """Line, column and code of each reject."""
        return self.query(
            "select line_number, column_name, error_code from raw_meta.load_rejects order by object_key, line_number"
        )


def make_project(root: Path, sources: str = "") -> Path:
    """A project that declares the loader's books, and of tables those that `sources` declares."""
    for path in (PROJECT / "dbt_project.yml", *(PROJECT / "models/staging/meta").glob("*__sources.yml")):
        copy = root / path.relative_to(PROJECT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    if sources:
        declare_sources(root, sources)
    return root


def declare_sources(project: Path, sources: str) -> None:
    """Declare the tables of a project, in place of those before."""
    path = project / "models/staging/ehr/_ehr__sources.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(sources)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    landing = tmp_path / "landing"
    (landing / "ehr").mkdir(parents=True)
    database = tmp_path / "w.duckdb"
    for name in ("BIOSTAR_TARGET", "BIOSTAR_SCHEMA_PREFIX", "BIOSTAR_DUCKDB_MEMORY", "BIOSTAR_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DBT_PROJECT_DIR", str(PROJECT))
    monkeypatch.setenv("BIOSTAR_LANDING", str(landing))
    monkeypatch.setenv("BIOSTAR_DUCKDB_PATH", str(database))
    return Lab(landing, database, capsys)


S3_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """S3 on loopback with the bucket `lake`, in its own process: a test that mocks AWS here empties moto's state."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    endpoint = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        patient = Config(retries={"mode": "standard", "total_max_attempts": 10})  # it needs a second or two to listen
        boto3.client("s3", endpoint_url=endpoint, config=patient, **S3_KEYS).create_bucket(Bucket="lake")
        yield endpoint
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="session")
def standin(s3_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The stand-in for Redshift, one for the whole run; a test makes a schema of its own in it."""
    running = StandIn(Settings(home=tmp_path_factory.mktemp("standin"), port=0, s3_endpoint=s3_endpoint))
    with pytest.MonkeyPatch.context() as patch:  # its process finds credentials in its environment, as with a role
        patch.setenv("AWS_ACCESS_KEY_ID", S3_KEYS["aws_access_key_id"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", S3_KEYS["aws_secret_access_key"])
        patch.setenv("AWS_DEFAULT_REGION", S3_KEYS["region_name"])
        running.__enter__()
    try:
        yield running
    finally:
        running.__exit__(None, None, None)
