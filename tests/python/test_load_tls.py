"""The store's certificate is verified by both that read it, boto3 and DuckDB; a bundle makes a private one known."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import duckdb
import pytest

from biostar.standin.certificates import make_context
from biostar.warehouse.httpfs import connect_to_s3
from conftest import S3_KEYS, Lab

SETTINGS = {"key_id": "test", "secret": "test", "region": "us-east-1", "use_ssl": "true", "url_style": "path"}
HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """S3 over HTTPS with a certificate that nobody signed: its address, and the file of the certificate."""
    home = tmp_path_factory.mktemp("tls")
    make_context(home)
    certificate = str(home / "server.crt")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    command += ["-s", "-c", certificate, "-k", str(home / "server.key")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        limit = time.monotonic() + 30
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
            except OSError:
                assert time.monotonic() < limit
                time.sleep(0.1)
        s3 = boto3.client("s3", endpoint_url=f"https://127.0.0.1:{port}", verify=certificate, **S3_KEYS)
        s3.create_bucket(Bucket="safe")
        key = "landing/ehr/conditions/ingest_date=2024-02-08/a.csv"
        s3.put_object(Bucket="safe", Key=key, Body=(HEADER + "2020-01-01,,p,e,1,d\n").encode())
        yield f"127.0.0.1:{port}", certificate
    finally:
        server.terminate()
        server.wait()


def test_duckdb_refuses_a_certificate_that_nobody_signed(endpoint: tuple[str, str]) -> None:
    address, certificate = endpoint
    read = "select count(*) from read_csv('s3://safe/landing/ehr/conditions/*/a.csv')"
    with duckdb.connect() as connection:
        connect_to_s3(connection, SETTINGS | {"endpoint": address}, {})
        with pytest.raises(duckdb.Error, match=r"(?i)certificate|ssl"):
            connection.execute(read)
    with duckdb.connect() as connection:
        connect_to_s3(connection, SETTINGS | {"endpoint": address}, {"AWS_CA_BUNDLE": certificate})
        assert connection.execute(read).fetchall() == [(1,)]


def test_a_load_over_tls_needs_the_bundle(endpoint: tuple[str, str], lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    address, certificate = endpoint
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{address}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    refused = lab.load("--landing", "s3://safe/landing")
    assert refused.code == 5
    assert "SSL" in refused.document["message"]
    monkeypatch.setenv("AWS_CA_BUNDLE", certificate)
    assert lab.load("--landing", "s3://safe/landing").document["rows_loaded"] == 1
