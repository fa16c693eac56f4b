"""The same load from S3, over the wire: boto3 lists, DuckDB's httpfs reads, from a server on the loopback."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from conftest import DAY, SAMPLE, Lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"
SECRET = "hidden-secret-key"


class Bucket:
    def __init__(self, client) -> None:
        self.client = client

    def put(self, key: str, content: bytes | str) -> None:
        content = content.encode() if isinstance(content, str) else content
        self.client.put_object(Bucket="landing", Key=key, Body=content)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(lab: Lab, server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hidden-token")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("BIOSTAR_LANDING", "s3://landing/vendor a/drop/")
    client = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket="landing", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield Bucket(client)
    for entry in client.list_objects_v2(Bucket="landing").get("Contents", []):
        client.delete_object(Bucket="landing", Key=entry["Key"])
    client.delete_bucket(Bucket="landing")


def key(name: str, day: str = DAY) -> str:
    return f"vendor a/drop/ehr/conditions/ingest_date={day}/{name}"


def test_a_load_from_s3(lab: Lab, bucket: Bucket) -> None:
    sample = (SAMPLE / "conditions.csv.gz").read_bytes()
    bucket.put(key("conditions.csv.gz"), sample)
    bucket.put(key("plain.csv"), HEADER + "2020-01-01,,p,e,1,d\nbad\n2020-01-01,,p,e,1," + "x" * 600 + "\n")
    bucket.put(key("_SUCCESS"), "")
    bucket.put(key(""), "")
    rows = gzip.decompress(sample).count(b"\n") - 1
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"], outcome.document["objects_loaded"]) == (0, rows + 1, 2)
    assert lab.query("select object_key from raw_meta.load_ledger order by 1") == [
        (f"ehr/conditions/ingest_date={DAY}/conditions.csv.gz",),
        (f"ehr/conditions/ingest_date={DAY}/plain.csv",),
    ]
    assert lab.rejects() == [(3, "stop", "missing_columns"), (4, "description", "value_too_long")]
    again = lab.load()
    assert (again.code, again.document["objects_skipped"], again.document["batches"]) == (0, 2, [])
    bucket.put(key("plain.csv"), HEADER + "2020-01-01,,p,e,2,d\n")
    changed = lab.load()
    assert changed.code == 4
    assert "has changed since it was loaded" in changed.document["failures"][0]["message"]


def test_broken_objects_in_s3(lab: Lab, bucket: Bucket) -> None:
    zipped = gzip.compress((HEADER + "2020-01-01,,p,e,1,d\n" * 9999).encode())
    bucket.put(key("cut.csv.gz"), zipped[: len(zipped) // 2])
    bucket.put(key("empty.csv", "2024-02-09"), "")
    bucket.put(key("open quote.csv", "2024-02-11"), HEADER + '2020-01-01,,p,e,1,"d\n' + "2020-01-01,,p,e,1,d\n" * 9)
    bucket.put(key("mixed.csv", "2024-02-12"), HEADER + "2020-01-01,,p,e,1,d\r\n")
    outcome = lab.load()
    assert outcome.code == 4
    words = [failure["message"] for failure in outcome.document["failures"]]
    assert len(words) == 2
    assert "truncated gzip" in words[0]
    assert "is empty" in words[1]
    assert outcome.document["rows_loaded"] == 10
    assert lab.rejects() == [(2, None, "broken_quotes")]


def test_any_key_works(lab: Lab, bucket: Bucket) -> None:
    names = ("it's + %41 & co.csv", "gl*b[1].csv", "ünï #漢.csv", "a/b/c.csv", "glob1.csv", "back\\slash.csv")
    names += ("what?.csv", "what?s3_region=eu-central-1.csv", '"quoted"; drop.csv', "a//b.csv", "x" * 900 + ".csv")
    for number, name in enumerate(names):
        # A bad record and a blank line, so that each row has to be told from which object it came.
        bucket.put(key(name), HEADER + f"2020-01-01,,{number},e,1,d\n\nbad\n")
    outcome = lab.load()
    assert (outcome.code, outcome.document["rows_loaded"]) == (0, len(names)), outcome.document
    rejects = lab.query("select object_key, line_number from raw_meta.load_rejects")
    assert sorted(rejects) == sorted((f"ehr/conditions/ingest_date={DAY}/{name}", 4) for name in names)
    assert lab.query("select distinct rows_read, rows_loaded from raw_meta.load_ledger") == [(2, 1)]
    assert {int(number) for (number,) in lab.query("select patient from raw_ehr.conditions")} == {*range(len(names))}
    loaded = lab.query("select object_key from raw_meta.load_ledger")
    assert {one.partition(f"{DAY}/")[2] for (one,) in loaded} == set(names)


def test_no_credential_is_written_or_said(lab: Lab, bucket: Bucket) -> None:
    bucket.put(key("a.csv"), HEADER + "2020-01-01,,p,e,1,d\n")
    bucket.put(key("b.csv", "2024-02-09"), "")
    outcome = lab.load()
    assert SECRET not in outcome.words + repr(outcome.document)
    assert SECRET.encode() not in lab.database.read_bytes()
    assert b"hidden-token" not in lab.database.read_bytes()


def test_nothing_there(lab: Lab, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for uri, code, words in (
        ("s3://landing/vendor b", 3, "no object has this prefix"),
        ("s3://nowhere/x", 3, "there is no bucket 'nowhere'"),
        ("s3:///x", 2, "names no bucket"),
    ):
        outcome = lab.load("--landing", uri)
        assert (outcome.code, words in outcome.document["message"]) == (code, True), outcome.document


def test_no_server(lab: Lab, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    outcome = lab.load()
    assert (outcome.code, outcome.document["error"]) == (5, "warehouse")
    assert "cannot be read from S3" in outcome.document["message"]


def test_no_credentials(lab: Lab, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    outcome = lab.load()
    assert (outcome.code, outcome.document["error"]) == (3, "configuration")
    assert "no AWS credentials" in outcome.document["message"]
