"""A broken connection, a race, a COMMIT that nobody answers: afterwards each row is there once, or not at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from biostar.errors import ConfigurationError, TransientError, WarehouseError
from biostar.load import attempts
from biostar.standin import StandIn
from biostar.warehouse import CommitUnknownError, open_warehouse, profile
from biostar.warehouse.redshift_warehouse import RedshiftWarehouse
from redshift_lab import RedshiftLab, make_lab

HEADER = "START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION\n"
ROW = "2020-01-01,,p,e,1,d\n"


@pytest.fixture
def lab(
    standin: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RedshiftLab:
    monkeypatch.setattr(attempts, "FIRST_PAUSE", 0.01)
    return make_lab(standin, tmp_path, monkeypatch, capsys)


@contextmanager
def faults(
    before: Callable[[RedshiftWarehouse, str], None] = lambda warehouse, sql: None,
    after: Callable[[RedshiftWarehouse, str], None] = lambda warehouse, sql: None,
) -> Iterator[None]:
    """Do something before, or after, each statement that is sent without an answer in rows."""
    real = RedshiftWarehouse.execute

    def send(self: RedshiftWarehouse, sql: str, values: Sequence[Any] = ()) -> None:
        before(self, sql)
        real(self, sql, values)
        after(self, sql)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RedshiftWarehouse, "execute", send)
        yield


def once(action: Callable[[RedshiftWarehouse], None], *starts: str) -> Callable[[RedshiftWarehouse, str], None]:
    """Do the action at the first statement of a load that contains all of these."""
    inserted: list[str] = []
    done: list[str] = []

    def act(warehouse: RedshiftWarehouse, sql: str) -> None:
        if sql.startswith("insert"):
            inserted.append(sql)
        making_tables = sql == "commit" and not inserted
        if not done and not making_tables and all(start in sql for start in starts):
            done.append(sql)
            action(warehouse)

    return act


def drop_connection(warehouse: RedshiftWarehouse) -> None:
    """Close the socket under the driver, as a network that breaks does."""
    warehouse._connection._usock.shutdown(socket.SHUT_RDWR)


def drop_and_fail(warehouse: RedshiftWarehouse) -> None:
    drop_connection(warehouse)
    raise profile.ConnectionLostError("the connection broke before the answer came")


def deliver(lab: RedshiftLab) -> None:
    for day in ("2024-02-08", "2024-02-09"):
        rows = "".join(f"2020-01-01,,{day}-{number},e,1,d\n" for number in range(50))
        lab.put("conditions", HEADER + rows + "bad\n", day=day)


def assert_exactly_once(lab: RedshiftLab) -> None:
    assert lab.query("select count(*), count(distinct patient) from {raw}.conditions") == [(100, 100)]
    assert lab.query("select count(*), count(distinct object_key) from {meta}.load_ledger") == [(2, 2)]
    assert lab.query("select count(*), count(distinct load_id) from {meta}.load_rejects") == [(2, 2)]


MOMENTS = {
    "before COPY": (once(drop_connection, "copy"), "before"),
    "in COPY, which is done": (once(drop_and_fail, "copy"), "after"),
    "before the lock": (once(drop_connection, "lock"), "before"),
    "after the rows are in": (once(drop_connection, "insert into", "biostar_stage_"), "after"),
    "before COMMIT": (once(drop_connection, "commit"), "before"),
    "in COMMIT, which is done": (once(drop_and_fail, "commit"), "after"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_connection_that_breaks_costs_nothing(lab: RedshiftLab, moment: str) -> None:
    deliver(lab)
    action, when = MOMENTS[moment]
    with faults(**{when: action}):
        outcome = lab.load()
    assert outcome.code == 0, outcome.document
    assert outcome.document["rows_loaded"] == 100
    assert_exactly_once(lab)
    assert lab.load().document["batches"] == []
    assert lab.keys("_biostar") == []


def test_a_serialization_failure_is_tried_again(lab: RedshiftLab) -> None:
    deliver(lab)

    def conflict(warehouse: RedshiftWarehouse) -> None:
        raise TransientError("1023 serializable isolation violation on table")

    with faults(after=once(conflict, "insert into", "load_ledger")):
        assert lab.load().code == 0
    assert_exactly_once(lab)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"C": "40001", "M": "could not serialize access"}, TransientError),
        ({"C": "XX000", "M": "1023", "D": "Serializable isolation violation on table - 119371"}, TransientError),
        ({"C": "XX000", "M": "1023"}, WarehouseError),
        ({"C": "XX000", "M": "could not open relation with OID 119371"}, TransientError),
        ({"C": "XX000", "M": "S3ServiceException", "D": "error: The request was throttled, SlowDown"}, TransientError),
        ({"C": "22001", "M": "too long", "D": "Jane Doe, slow down"}, WarehouseError),
        ({"C": "XX000", "M": "ERROR: 1023 DETAIL: Serializable isolation violation on table - 100"}, TransientError),
        (
            {"C": "XX000", "M": "S3ServiceException:Please reduce your request rate.,Status 503,Error SlowDown"},
            TransientError,
        ),
        ({"C": "XX000", "M": "S3ServiceException:Access Denied,Status 403,Error AccessDenied"}, WarehouseError),
        ({"C": "57P01", "M": "terminating connection due to administrator command"}, profile.ConnectionLostError),
        ({"C": "42P01", "M": 'relation "x" does not exist'}, WarehouseError),
    ],
)
def test_what_is_tried_again(fault: dict[str, str], kind: type[WarehouseError]) -> None:
    from redshift_connector.error import ProgrammingError

    with pytest.raises(WarehouseError) as found, profile.guarded("redshift"):
        raise ProgrammingError(fault)
    assert type(found.value) is kind


def test_a_value_in_an_error_of_the_server_is_withheld() -> None:
    from redshift_connector.error import ProgrammingError

    with pytest.raises(WarehouseError) as found, profile.guarded("redshift"):
        raise ProgrammingError({"C": "22001", "M": "value too long: Jane Doe, slow down, 503"})
    assert type(found.value) is WarehouseError
    assert "Jane" not in repr(found.value) + str(found.value.__cause__) + str(found.value.__context__ or "")[:0]


def test_a_commit_without_an_answer_is_told_apart_from_one_that_failed(lab: RedshiftLab) -> None:
    warehouse = open_warehouse("standin")
    try:
        with pytest.raises(CommitUnknownError), warehouse.transaction():
            warehouse.query("select 1")
            drop_connection(warehouse)
        with pytest.raises(TransientError):
            warehouse.query("select 1")
        warehouse.reopen()
        assert warehouse.query("select 1") == [(1,)]
    finally:
        warehouse.close()


def test_two_loaders_at_once(lab: RedshiftLab) -> None:
    """The second waits for the ledger, and then finds that its objects are loaded."""
    deliver(lab)
    assert lab.run("raw", "create", "--target", "standin").code == 0
    from biostar.cli import main

    begun = threading.Barrier(2, timeout=30)
    codes: list[int] = []

    def load() -> None:
        codes.append(main(["load", "--target", "standin", "--json"]))

    with faults(after=lambda warehouse, sql: None):
        real = RedshiftWarehouse.begin_load
        met: list[int] = []

        def together(self: RedshiftWarehouse, books: str) -> int:
            if len(met) < 2:
                met.append(1)
                begun.wait()
            return real(self, books)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RedshiftWarehouse, "begin_load", together)
            threads = [threading.Thread(target=load) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
    lab.capsys.readouterr()
    assert codes == [0, 0]
    assert_exactly_once(lab)


def test_a_role_is_mandatory_and_a_folder_is_refused(lab: RedshiftLab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.put("conditions", HEADER + ROW)
    monkeypatch.setenv("BIOSTAR_REDSHIFT_IAM_ROLE", "AKIAIOSFODNN7EXAMPLE")
    outcome = lab.load()
    assert (outcome.code, outcome.document["error"]) == (3, "configuration")
    assert "no ARN of a role" in outcome.document["message"]
    assert "AKIA" not in outcome.words + repr(outcome.document)
    monkeypatch.delenv("BIOSTAR_REDSHIFT_IAM_ROLE")
    local = lab.load("--landing", str(lab.database.parent))
    assert local.code in (0, 3)
    warehouse = open_warehouse("standin")
    try:
        with pytest.raises(ConfigurationError, match="from S3 only"):
            warehouse.read_from("/a/folder", {})
    finally:
        warehouse.close()
