"""S3 that fails: what passes is met with another try, what lasts ends the load with its name and nothing half done."""

from __future__ import annotations

import contextlib
import functools
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import botocore.retries.standard
import pytest

from biostar.cli import main
from biostar.errors import ConfigurationError
from biostar.landing import s3
from biostar.load import attempts, run
from biostar.standin import Settings, StandIn
from conftest import S3_KEYS, Outcome
from redshift_lab import RedshiftLab, make_lab, make_project
from s3_proxy import Fault, Request, S3Proxy, Spoiler, s3_proxy

VISITS = """
      - name: visits
        config: {meta: {natural_key: [id]}}
        columns: [{name: id, data_type: varchar(32)}, {name: note, data_type: varchar(8)}]
"""
HEADER = "ID,NOTE\n"
VALUE = "Jane Doe"
SECRET = "hidden-secret-key"
DAYS = ("2024-02-08", "2024-02-09")
LATER = "2024-02-09/b.csv"
"""An object of the second load; the first one is in when it fails."""
TARGETS = ("duckdb", "standin")
TRIES = 2
"""Of a load, and of each request; as many as it takes to see that there are several."""

Everything = dict[str, list[tuple[Any, ...]]]


@dataclass
class FaultyLab:
    """A lab whose ways to S3 can fail: that of the loader and of DuckDB, and that of COPY."""

    lab: RedshiftLab
    loader: S3Proxy
    copy: S3Proxy

    def load(self, target: str) -> Outcome:
        """Run `biostar load`, which says neither a value nor a credential."""
        for way in (self.loader, self.copy):
            way.seen.clear()
        outcome = self.lab.load(target=target)
        said = outcome.words + repr(outcome.document)
        assert VALUE not in said
        assert SECRET not in said
        return outcome

    def load_with(self, target: str, loader: Sequence[Spoiler] = (), copy: Sequence[Spoiler] = ()) -> Outcome:
        """Load while these requests fail."""
        with self.loader.spoilt(*loader), self.copy.spoilt(*copy):
            return self.load(target)

    def loaded(self, target: str) -> list[tuple[Any, ...]]:
        """Key and rows of each object in the ledger, which are the rows and rejects that are there."""
        ledger = self.lab.query(
            "select object_key, load_id, rows_loaded, rows_rejected from {meta}.load_ledger", target
        )
        for table, counted in (("{raw}.visits", 2), ("{meta}.load_rejects", 3)):
            column = "_load_id" if table.startswith("{raw}") else "load_id"
            there = self.lab.query(f"select {column}, count(*) from {table} group by 1", target)
            told: dict[Any, int] = {}
            for row in ledger:
                told[row[1]] = told.get(row[1], 0) + row[counted]
            assert {load: count for load, count in told.items() if count} == dict(there)
        return sorted(row[0].partition("=")[2] for row in ledger)


@pytest.fixture(scope="module")
def ways(s3_endpoint: str) -> Iterator[tuple[S3Proxy, S3Proxy]]:
    with s3_proxy(s3_endpoint) as loader, s3_proxy(s3_endpoint) as copy:
        yield loader, copy


@pytest.fixture(scope="module")
def faulty_standin(ways: tuple[S3Proxy, S3Proxy], tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A stand-in whose COPY waits for S3 for half a second only."""
    home = tmp_path_factory.mktemp("standin")
    running = StandIn(Settings(home=home, port=0, s3_endpoint=ways[1].endpoint, s3_timeout=0.5))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in S3_KEYS.items():
            patch.setenv("AWS_DEFAULT_REGION" if name == "region_name" else name.upper(), value)
        running.__enter__()
    try:
        yield running
    finally:
        running.__exit__(None, None, None)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("project"), VISITS)


@pytest.fixture(scope="module")
def undisturbed(faulty_standin: StandIn, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Everything:
    """What is there after a load that nothing disturbs."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        lab = make_lab(faulty_standin, tmp_path_factory.mktemp("undisturbed"), patch, None)  # type: ignore[arg-type]
        patch.setenv("DBT_PROJECT_DIR", str(project))
        deliver(lab)
        assert main(["load", "--target", "duckdb"]) == 0
        return lab.everything("duckdb")


@pytest.fixture
def faulty(
    ways: tuple[S3Proxy, S3Proxy],
    faulty_standin: StandIn,
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> FaultyLab:
    lab = make_lab(faulty_standin, tmp_path, monkeypatch, capsys)
    monkeypatch.setenv("DBT_PROJECT_DIR", str(project))
    monkeypatch.setenv("AWS_ENDPOINT_URL", ways[0].endpoint)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("BIOSTAR_S3_TIMEOUT", "1")
    monkeypatch.setattr(s3, "ATTEMPTS", TRIES)
    monkeypatch.setattr(run, "Patience", functools.partial(attempts.Patience, attempts=TRIES))
    monkeypatch.setattr(attempts, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(botocore.retries.standard.ExponentialBackoff, "delay_amount", lambda self, context: 0.01)
    deliver(lab)
    return FaultyLab(lab, *ways)


def deliver(lab: RedshiftLab) -> None:
    for day in DAYS:
        rows = "".join(f"{VALUE} {day} {number},n\n" for number in range(50))
        lab.put("visits", gzip.compress((HEADER + rows).encode(), mtime=0), day=day, name="a.csv.gz")
        lab.put("visits", HEADER + f"{VALUE} {day} b,n\nbad {VALUE}\n", day=day, name="b.csv")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("fault", ["500", "503", "reset", "cut", "hang"])
def test_a_fault_that_passes_is_met_with_another_try(
    fault: Fault, target: str, faulty: FaultyLab, undisturbed: Everything
) -> None:
    """Of COPY, which tries twice itself, a statement fails."""
    requests: dict[str, tuple[Request, ...]] = {
        "duckdb": ("list", "get", "head", "range"),
        "standin": ("list", "get", "head", "put", "delete"),
    }
    kinds = requests[target] if fault != "hang" else requests[target][-1:]  # a second is lost with each
    times = 1 if fault in ("reset", "cut") else 2  # of a body that breaks nobody asks for the rest
    copy = [Spoiler("get", fault, times=times, key=LATER)] if target == "standin" else []
    outcome = faulty.load_with(target, [Spoiler(kind, fault, times=1) for kind in kinds], copy)
    assert (outcome.code, outcome.document["failures"]) == (0, [])
    assert faulty.lab.everything(target) == undisturbed
    assert faulty.lab.keys("_biostar") == []


LASTING: dict[str, tuple[str, str, Spoiler, int, str]] = {
    # target, whose request, which, how many of them, what is said
    "a listing": ("duckdb", "loader", Spoiler("list", "503"), TRIES, "/landing' cannot be read from S3 (SlowDown)"),
    "an inspection": ("duckdb", "loader", Spoiler("get", "500", key=LATER), TRIES * TRIES, "(InternalError)"),
    "an inspection, cut": ("duckdb", "loader", Spoiler("get", "cut", key=LATER), TRIES, "from S3 to its end"),
    "DuckDB's HEAD": ("duckdb", "loader", Spoiler("head", "503", key=LATER), 4 * TRIES, "from S3 (HTTP 503)"),
    "DuckDB's GET": ("duckdb", "loader", Spoiler("range", "reset", key=LATER), 4 * TRIES, "when receiving data"),
    "a manifest": ("standin", "loader", Spoiler("put", "503"), TRIES * TRIES, "cannot be written to S3 (SlowDown)"),
    "the last look": ("standin", "loader", Spoiler("head", "500", key=LATER), TRIES * TRIES, "from S3 (500)"),
    "COPY's GET": ("standin", "copy", Spoiler("get", "503", key=LATER), 2 * TRIES, "Status 503,Error SlowDown"),
    "COPY's GET, no answer": ("standin", "copy", Spoiler("get", "hang", key=LATER), 2 * TRIES, "CurlError 28"),
}


@pytest.mark.parametrize("case", LASTING)
def test_a_fault_that_lasts_ends_the_load_and_a_plain_run_goes_on(
    case: str, faulty: FaultyLab, undisturbed: Everything
) -> None:
    target, side, spoiler, requests, words = LASTING[case]
    spoiler = replace(spoiler)
    outcome = faulty.load_with(target, **{side: [spoiler]})
    assert outcome.code == 5
    failure = outcome.document["failures"][0] if "failures" in outcome.document else outcome.document
    assert words in failure["message"]
    assert (spoiler.key or faulty.lab.prefix) in failure["message"]
    assert failure["next"]
    assert spoiler.spoilt == requests
    if spoiler.key:
        assert faulty.loaded(target) == [f"{DAYS[0]}/a.csv.gz", f"{DAYS[0]}/b.csv"]
    assert faulty.load(target).code == 0
    assert faulty.lab.everything(target) == undisturbed
    assert faulty.lab.keys("_biostar") == []


def test_what_s3_does_not_let_go_of_is_named_and_fails_no_load(faulty: FaultyLab, undisturbed: Everything) -> None:
    outcome = faulty.load_with("standin", [Spoiler("delete", "503")])
    assert outcome.code == 0
    left = [words.split("'")[1] for words in outcome.document["warnings"] if "could not be removed" in words]
    assert sorted(left) == [f"{faulty.lab.landing}/{key}" for key in faulty.lab.keys("_biostar")] != []
    assert faulty.lab.everything("standin") == undisturbed


FORBIDDEN: dict[str, tuple[str, str, Spoiler, int, str, str]] = {
    # target, whose request, which, exit code, what is said, what is to be done
    "a listing": ("duckdb", "loader", Spoiler("list", "403"), 3, "(AccessDenied)", "s3:ListBucket"),
    "an object": ("duckdb", "loader", Spoiler("get", "403", key=LATER), 4, "(AccessDenied)", "s3:GetObject"),
    "DuckDB's GET": ("duckdb", "loader", Spoiler("range", "403", key=LATER), 5, "(HTTP 403)", "s3:GetObject"),
    "a manifest": ("standin", "loader", Spoiler("put", "403"), 3, "may not be written", "s3:PutObject"),
    "COPY's HEAD": ("standin", "copy", Spoiler("head", "403", key=LATER), 5, "Status 403", "the role of COPY"),
    "COPY's GET": ("standin", "copy", Spoiler("get", "403", key=LATER), 5, "Error AccessDenied", "the role of COPY"),
}


@pytest.mark.parametrize("case", FORBIDDEN)
def test_what_is_forbidden_is_not_tried_again(case: str, faulty: FaultyLab) -> None:
    target, side, spoiler, code, words, step = FORBIDDEN[case]
    spoiler = replace(spoiler)
    outcome = faulty.load_with(target, **{side: [spoiler]})
    assert outcome.code == code
    failure = outcome.document["failures"][0] if "failures" in outcome.document else outcome.document
    assert words in failure["message"]
    assert step in failure["next"]
    assert (spoiler.key or faulty.lab.prefix) in failure["message"]
    if spoiler.request != "range":  # DuckDB itself repeats each GET
        assert spoiler.spoilt == 1
    if spoiler.key:
        neighbours = [f"{DAYS[1]}/a.csv.gz"] if case == "an object" else []
        assert faulty.loaded(target) == [f"{DAYS[0]}/a.csv.gz", f"{DAYS[0]}/b.csv", *neighbours]


@pytest.mark.parametrize(
    ("target", "moment", "code"),
    [("duckdb", "get", 4), ("duckdb", "head", 5), ("standin", "put", 5)],
)
def test_an_object_that_is_removed_between_listing_and_reading(
    target: str, moment: Request, code: int, faulty: FaultyLab
) -> None:
    """Before it is inspected the others go in without it; after that the load ends, and the next one goes on."""
    key = f"{faulty.lab.prefix}/landing/ehr/visits/ingest_date={LATER}"
    removed: list[str] = []

    def remove(kind: Request, asked: str) -> None:
        if kind == moment and not removed and (LATER in asked or (kind == "put" and later_is_inspected())):
            removed.append(asked)
            faulty.lab.s3.delete_object(Bucket="lake", Key=key)

    def later_is_inspected() -> bool:
        return any(kind == "get" and LATER in asked for kind, asked in faulty.loader.seen)

    faulty.loader.on_request = remove
    try:
        outcome = faulty.load(target)
    finally:
        faulty.loader.on_request = lambda kind, asked: None
    assert outcome.code == code
    (failure,) = outcome.document["failures"]
    assert LATER in failure["message"]
    assert "was removed while the load ran" in failure["message"] or "key does not exist" in failure["message"]
    assert faulty.load(target).code == 0
    assert faulty.loaded(target) == [f"{DAYS[0]}/a.csv.gz", f"{DAYS[0]}/b.csv", f"{DAYS[1]}/a.csv.gz"]


@pytest.mark.parametrize("wrong", ["0", "1.5", "-1", "soon"])
def test_how_long_to_wait_is_a_whole_number_of_seconds(wrong: str) -> None:
    assert (s3.s3_timeout({}), s3.s3_timeout({"BIOSTAR_S3_TIMEOUT": "7"})) == (60, 7)
    with pytest.raises(ConfigurationError, match="BIOSTAR_S3_TIMEOUT"):
        s3.s3_timeout({"BIOSTAR_S3_TIMEOUT": wrong})
