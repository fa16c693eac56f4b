"""The wire: start-up, authentication, TLS, statements, errors, cancelling; with the real driver and with libpq."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
import redshift_connector

from biostar.standin import Settings, StandIn

Connection = Any


@pytest.fixture
def session(standin: StandIn) -> Iterator[Connection]:
    made = redshift_connector.connect(**standin.connection)
    made.autocommit = True
    yield made
    made.close()


def libpq(standin: StandIn, **options: Any) -> Any:
    settings = standin.settings
    made = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=settings.user,
        password=settings.password,
        **{"sslmode": "disable", **options},
    )
    made.autocommit = True
    return made


def rows(session: Connection, sql: str, *values: Any) -> list[list[Any]]:
    cursor = session.cursor()
    cursor.execute(sql, values or None)
    return [list(row) for row in cursor.fetchall()] if cursor.description else []


def refusal(session: Connection, sql: str) -> tuple[str, str]:
    with pytest.raises(redshift_connector.Error) as said:
        rows(session, sql)
    return said.value.args[0]["C"], said.value.args[0]["M"]


def test_the_drivers_own_tls_check_passes_with_our_certificate(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", standin.state["certificate"])
    for mode in ("verify-ca", "verify-full"):
        with redshift_connector.connect(**{**standin.connection, "ssl": True, "sslmode": mode}) as connection:
            assert connection.cursor().execute("select 1").fetchone() == [1]


def test_a_client_that_does_not_know_the_certificate_does_not_connect(standin: StandIn) -> None:
    with pytest.raises(redshift_connector.InterfaceError, match="communication error"):
        redshift_connector.connect(**{**standin.connection, "ssl": True, "sslmode": "verify-ca"})
    with libpq(standin, sslmode="require") as connection:
        assert connection.info.ssl_in_use


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "wrong"}, 'password authentication failed for user "biostar"'),
        ({"user": "nobody"}, 'password authentication failed for user "nobody"'),
        ({"user": "standin_service"}, 'password authentication failed for user "standin_service"'),
        ({"database": "none"}, 'database "none" does not exist'),
    ],
)
def test_who_does_not_get_in(standin: StandIn, change: dict[str, str], words: str) -> None:
    with pytest.raises(redshift_connector.Error, match=words):
        redshift_connector.connect(**{**standin.connection, **change})


def test_a_user_made_by_a_statement_has_a_password_and_only_granted_rights(
    standin: StandIn, session: Connection
) -> None:
    rows(session, "create user wire_reader password 'Abcd1234' nocreatedb nocreateuser syslog access restricted")
    rows(session, "create group wire_readers with user wire_reader")
    rows(session, "create table public.wire_secret as select 1 as a")
    with redshift_connector.connect(**{**standin.connection, "user": "wire_reader", "password": "Abcd1234"}) as other:
        other.autocommit = True
        assert refusal(other, "select a from public.wire_secret")[0] == "42501"
        rows(session, "grant select on public.wire_secret to group wire_readers")
        assert rows(other, "select a from public.wire_secret") == [[1]]


def test_what_a_client_learns_at_start_up_is_redshifts(standin: StandIn, session: Connection) -> None:
    assert str(session._server_version) == "8.0.2"
    with libpq(standin) as connection:
        assert connection.server_version == 80002
        assert connection.get_parameter_status("server_encoding") == "UTF8"


def test_values_come_back_with_redshifts_types(session: Connection) -> None:
    cursor = session.cursor()
    cursor.execute(
        "select 'a' as s, 'x' || 'y' as t, json_parse('{\"a\": 1}') as j, 'ab'::varbyte as b, 1::smallint as n,"
        " 1.5::numeric(5, 2) as d, sum(2.50::numeric(12, 2)) as total, avg(3::int) as mean"
    )
    assert [column[1] for column in cursor.description] == [1043, 1043, 4000, 6551, 21, 1700, 1700, 20]
    assert list(cursor.fetchone()) == ["a", "xy", '{"a":1}', "ab", 1, Decimal("1.50"), Decimal("2.50"), 3]


def test_parameters_are_bound(session: Connection) -> None:
    rows(session, "create temp table bound (i integer, t varchar(20), d numeric(8, 2), b boolean)")
    values = [1, "it's \\ é", Decimal("2.50"), True]
    rows(session, "insert into bound values (%s, %s, %s, %s)", *values)
    assert rows(session, "select * from bound where t = %s", values[1]) == [values]


def test_a_statement_prepared_before_its_table_was_replaced_still_runs(session: Connection) -> None:
    rows(session, "create table public.wire_again as select 1 as a")
    assert rows(session, "select * from public.wire_again") == [[1]]
    rows(session, "drop table public.wire_again")
    rows(session, "create table public.wire_again as select 2 as a")
    assert rows(session, "select * from public.wire_again") == [[2]]


def test_an_error_fails_the_transaction_and_only_it(session: Connection) -> None:
    rows(session, "begin")
    assert refusal(session, "select distinct on (a) a from x") == ("0A000", "SELECT DISTINCT ON is not supported")
    assert refusal(session, "select 1")[0] == "25P02"
    rows(session, "rollback")
    assert rows(session, "select 1") == [[1]]


def test_an_error_of_the_embedded_server_in_redshifts_words(session: Connection) -> None:
    rows(session, "create temp table wire_words (v varchar(3), n numeric(4, 1), c integer not null)")
    assert refusal(session, "select 1 / 0") == ("22012", "Divide by zero error")
    assert refusal(session, "insert into wire_words values ('éé', 1, 1)") == (
        "22001",
        "Value too long for character type",
    )
    assert refusal(session, "insert into wire_words values ('a', 12345, 1)") == (
        "22003",
        "Numeric data overflow (result precision)",
    )
    assert refusal(session, "insert into wire_words values ('a', 1, null)") == (
        "23502",
        "Cannot insert a NULL value into column c",
    )
    assert refusal(session, "select 'x'::integer") == ("22P02", "Invalid digit, Value 'x', Pos 0, Type: Integer")


def test_truncate_commits(standin: StandIn, session: Connection) -> None:
    rows(session, "create table public.wire_t as select 1 as a")
    rows(session, "create table public.wire_u as select 1 as a")
    rows(session, "begin")
    rows(session, "insert into public.wire_t values (2)")
    rows(session, "truncate public.wire_u")
    rows(session, "rollback")
    with redshift_connector.connect(**standin.connection) as other:
        assert rows(other, "select count(*) from public.wire_t") == [[2]]
        assert rows(other, "select count(*) from public.wire_u") == [[0]]


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("vacuum", "VACUUM"),
        ("alter table public.a append from public.b", "ALTER TABLE APPEND"),
        ("alter table public.a alter column v type varchar(9)", "ALTER TABLE ALTER COLUMN"),
        ("create database other", "CREATE DATABASE"),
    ],
)
def test_what_does_not_run_inside_a_transaction_block(session: Connection, sql: str, name: str) -> None:
    rows(session, "begin")
    assert refusal(session, sql) == ("25001", f"{name} cannot run inside a transaction block")
    rows(session, "rollback")


def test_the_simple_protocol_runs_several_statements_as_one_transaction(standin: StandIn) -> None:
    connection = libpq(standin)
    cursor = connection.cursor()
    cursor.execute(
        "create temp table simple (a integer); insert into simple values (1), (2); select top 1 a from simple"
    )
    assert cursor.fetchall() == [(1,)]
    with pytest.raises(psycopg2.errors.lookup("22012")):
        cursor.execute("insert into simple values (3); select 1 / 0")
    cursor.execute("select count(*) from simple")
    assert cursor.fetchall() == [(2,)]
    with pytest.raises(psycopg2.ProgrammingError, match="empty query"):
        cursor.execute(" ; ")
    connection.close()


def test_a_running_statement_can_be_cancelled(standin: StandIn) -> None:
    connection = libpq(standin)
    failed: list[str | None] = []

    def run() -> None:
        try:
            connection.cursor().execute(
                "with n as (select a.attnum from pg_attribute a) select count(*) from n, n m, n o"
            )
        except psycopg2.Error as error:
            failed.append(error.pgcode)

    thread = threading.Thread(target=run)
    thread.start()
    limit = time.monotonic() + 20
    while thread.is_alive():
        assert time.monotonic() < limit
        connection.cancel()
        thread.join(0.05)
    assert failed == ["57014"]
    cursor = connection.cursor()
    cursor.execute("select 1")
    assert cursor.fetchone() == (1,)
    connection.close()


def test_a_client_that_vanishes_leaves_no_session(standin: StandIn, session: Connection) -> None:
    connection = libpq(standin)
    pid = connection.get_backend_pid()
    connection.cursor().execute("begin")
    socket.socket(fileno=socket.dup(connection.fileno())).shutdown(socket.SHUT_RDWR)
    limit = time.monotonic() + 10
    while rows(session, "select count(*) from stv_sessions where process = %s", pid) != [[0]]:
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", struct.pack("!ii", 8, 196610), b"\0\0\0\4", b""])
def test_junk_on_the_port_ends_that_connection_only(standin: StandIn, session: Connection, junk: bytes) -> None:
    with socket.create_connection((standin.settings.host, standin.settings.port), timeout=5) as sock:
        sock.sendall(junk)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(100)
    assert rows(session, "select 1") == [[1]]


def test_two_sessions_make_the_same_schema_at_once(standin: StandIn) -> None:
    failures: list[BaseException] = []
    barrier = threading.Barrier(4)

    def run() -> None:
        with redshift_connector.connect(**standin.connection) as connection:
            connection.autocommit = True
            barrier.wait()
            try:
                rows(connection, "create schema if not exists wire_race")
            except redshift_connector.Error as error:
                failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_gate_is_asked_before_a_statement_runs(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "my_gate.py").write_text(
        "def refuse(sql):\n    return 'no DELETE here' if sql.lower().startswith('delete') else None\n"
    )
    settings = Settings(home=tmp_path / "home", port=0, gate="my_gate:refuse")
    with StandIn(settings) as gated, redshift_connector.connect(**gated.connection) as session:
        session.autocommit = True
        rows(session, "create table t as select 1 as a")
        assert refusal(session, "delete from t") == ("0A000", "no DELETE here")
        assert rows(session, "select a from t") == [[1]]
