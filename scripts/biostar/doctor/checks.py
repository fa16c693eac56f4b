"""The checks of `biostar doctor`, each a function that answers with one finding."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from biostar.project import dbt_target_dir, duckdb_path, project_root, target_name

OK, ADVICE, WRONG = "ok", "advice", "wrong"
LOW_DISK_BYTES = 2 * 1024**3
PROBE_SECONDS = 5


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its state (`ok`, `advice` or `wrong`), what was seen, and what to do about it."""

    subject: str
    state: str
    seen: str
    next_step: str = ""


def examine(target: str | None, landing: str) -> list[Finding]:
    """Look at everything that a load and a build need on `target`, in the order in which they need it."""
    name = target_name(target)
    findings = [_python(), _packages(), _disk(), _landing(landing)]
    if name == "duckdb":
        findings.append(_duckdb())
    elif name == "redshift":
        findings.append(_redshift())
        if findings[-1].state == OK:
            findings.append(_endpoint())
    findings.append(_docs())
    return findings


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 10) <= sys.version_info[:2] < (3, 14):
        return Finding("python", OK, version)
    return Finding("python", WRONG, f"{version}; 3.10 to 3.13 are supported", "make clean setup PYTHON=python3.11")


def _packages() -> Finding:
    lock = (project_root() / "requirements.lock").read_text()
    pinned = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", lock, flags=re.MULTILINE))
    differing = []
    for package in ("dbt-core", "dbt-duckdb", "dbt-redshift", "duckdb", "redshift-connector", "sqlglot"):
        try:
            installed = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            installed = "not installed"
        if installed != pinned.get(package):
            differing.append(f"{package} {installed}, locked {pinned.get(package)}")
    if differing:
        return Finding("packages", WRONG, "; ".join(differing), "make setup")
    return Finding("packages", OK, f"dbt-core {pinned['dbt-core']}, duckdb {pinned['duckdb']}, as locked")


def _disk() -> Finding:
    free = shutil.disk_usage(project_root()).free
    seen = f"{free / 1024**3:.1f} GiB free"
    if free < LOW_DISK_BYTES:
        return Finding("disk", ADVICE, seen, "free some space, or set BIOSTAR_DUCKDB_PATH to another disk")
    return Finding("disk", OK, seen)


def _landing(landing: str) -> Finding:
    if landing.startswith("s3://"):
        endpoint = os.environ.get("AWS_ENDPOINT_URL", "the endpoint of AWS")
        return Finding("landing", OK, f"{landing} at {endpoint}; biostar load --dry-run lists it")
    folder = Path(landing)
    landing = _short(folder)
    if not folder.is_dir():
        return Finding("landing", ADVICE, f"'{landing}' does not exist", f"biostar sample --patients 27 --to {landing}")
    tables = sorted(path.name for path in (folder / "ehr").glob("*") if path.is_dir())
    if not tables:
        return Finding(
            "landing", ADVICE, f"'{landing}' has no ehr/<table>/ folder", "see docs/landing.md for the layout"
        )
    return Finding("landing", OK, f"{landing}: {len(tables)} tables under ehr/")


def _duckdb() -> Finding:
    path = duckdb_path()
    if not path.is_file():
        return Finding("database", ADVICE, f"'{_short(path)}' does not exist yet", "biostar load")
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            counted = connection.execute(
                "select table_schema, count(*) from information_schema.tables group by table_schema"
            ).fetchall()
    except duckdb.IOException:
        return Finding(
            "database",
            WRONG,
            f"'{_short(path)}' cannot be opened",
            "end the process that holds it, or see its permissions",
        )
    schemas = dict(counted)
    if not any(schema.endswith("raw_ehr") for schema in schemas):
        return Finding("database", ADVICE, f"'{_short(path)}' has no raw tables", "biostar load")
    if not any(schema.endswith("clinical") for schema in schemas):
        return Finding("database", ADVICE, f"'{_short(path)}' has raw tables, no stars yet", "biostar build")
    return Finding("database", OK, f"{_short(path)}: {sum(schemas.values())} relations in {len(schemas)} schemas")


def _redshift() -> Finding:
    method = os.environ.get("BIOSTAR_REDSHIFT_METHOD", "database")
    if method not in ("database", "iam", "iam_role"):
        return Finding(
            "redshift",
            WRONG,
            f"BIOSTAR_REDSHIFT_METHOD is '{method}'",
            "set it to database, iam or iam_role; see docs/redshift.md",
        )
    needed = ["BIOSTAR_REDSHIFT_HOST"]
    if method in ("database", "iam"):
        needed.append("BIOSTAR_REDSHIFT_USER")
    if method == "database":
        needed.append("BIOSTAR_REDSHIFT_PASSWORD")
    elif not (
        "serverless" in os.environ.get("BIOSTAR_REDSHIFT_HOST", "") or os.environ.get("BIOSTAR_REDSHIFT_WORKGROUP")
    ):
        needed.append("BIOSTAR_REDSHIFT_CLUSTER_ID")
    missing = [variable for variable in needed if not os.environ.get(variable)]
    if missing:
        return Finding(
            "redshift",
            WRONG,
            f"not set: {', '.join(missing)}",
            "see docs/redshift.md; dbt debug --target redshift",
        )
    return Finding("redshift", OK, f"method {method}; dbt debug --target redshift tries the connection")


def _endpoint() -> Finding:
    """Whether anything listens there; a driver that waits for a firewall to answer does so for minutes."""
    host, port = os.environ["BIOSTAR_REDSHIFT_HOST"], os.environ.get("BIOSTAR_REDSHIFT_PORT") or "5439"
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        return Finding("endpoint", WRONG, f"BIOSTAR_REDSHIFT_PORT is '{port}'", "set it to the port of the cluster")
    try:
        with socket.create_connection((host, int(port)), timeout=PROBE_SECONDS):
            return Finding("endpoint", OK, f"{host}:{port} answers")
    except OSError as fault:
        kind = "cannot be found" if isinstance(fault, socket.gaierror) else "does not answer"
        return Finding(
            "endpoint",
            WRONG,
            f"{host}:{port} {kind}",
            "check the name, that the cluster is not paused, and the security group, VPC or VPN between",
        )


def _docs() -> Finding:
    page = dbt_target_dir() / "static_index.html"
    if page.is_file():
        return Finding("docs site", OK, _short(page))
    return Finding("docs site", ADVICE, "not written yet", "biostar docs")


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(project_root()))
    except ValueError:
        return str(path)
