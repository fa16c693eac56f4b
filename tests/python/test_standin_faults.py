"""What goes wrong around the stand-in while dbt builds: a clear error, no process left behind, nothing corrupted."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redshift_connector
from dbt.cli.main import dbtRunner, dbtRunnerResult

from biostar.standin import Settings, StandIn, start, status, stop
from biostar.standin.postgres import places_of

MEBIBYTE = 1024 * 1024
FILES = {
    "dbt_project.yml": """
name: faults
version: "1.0"
profile: faults
flags: {send_anonymous_usage_stats: false}
vars: {digits: 10}
""",
    "seeds/digits.csv": "digit\n" + "\n".join(str(digit) for digit in range(100)) + "\n",
    "models/first.sql": "{{ config(materialized='table') }} select digit from {{ ref('digits') }}",
    "models/large.sql": """{{ config(materialized='table') }}
select a.digit * 10000 + b.digit * 100 + c.digit as id, md5(cast(a.digit * b.digit as varchar(8))) as code
from {{ ref('first') }} as a
cross join {{ ref('digits') }} as b
cross join {{ ref('digits') }} as c
where a.digit < {{ var('digits') }}""",
    "models/grown.sql": """
{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert') }}
select id, code from {{ ref('large') }} where id < 500""",
    "models/shown.sql": "{{ config(materialized='view') }} select count(*) as row_count from {{ ref('grown') }}",
    "snapshots/history.sql": """{% snapshot history %}
{{ config(strategy='check', unique_key='digit', check_cols='all', schema='faults') }}
select digit from {{ ref('first') }}
{% endsnapshot %}""",
}
NODES = 6


class Project:
    """A small project, the home of a stand-in, and dbt in this process or in one of its own."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.home = home
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    def use(self, port: int) -> None:
        """Let the profile name the stand-in's port."""
        target = {"type": "redshift", "method": "database", "host": "127.0.0.1", "port": port, "dbname": "dev"}
        target |= {"user": "biostar", "password": "standin", "schema": "faults", "threads": 2, "sslmode": "disable"}
        outputs = {"faults": {"target": "it", "outputs": {"it": target}}}
        (self.folder / "profiles.yml").write_text(json.dumps(outputs))

    def command(self, run: str, *extra: str) -> list[str]:
        """Arguments of a build whose artifacts and logs are its own."""
        place = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        place += ["--target-path", str(self.folder / run), "--log-path", str(self.folder / run)]
        return ["build", *extra, *place, "--no-use-colors"]

    def build(self, *extra: str) -> dict[str, str]:
        """Build in this process; the message of each node that failed or was skipped."""
        result: dbtRunnerResult = dbtRunner().invoke([*self.command("here", *extra), "--quiet"])
        assert result.result is not None, result.exception
        assert len(result.result.results) == NODES
        return {one.node.name: one.message or "" for one in result.result if one.status not in ("success", "pass")}

    def started(self, run: str) -> subprocess.Popen[str]:
        """A build in a process of its own."""
        command = [str(Path(sys.executable).with_name("dbt")), *self.command(run)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def failures(self, run: str) -> dict[str, str]:
        """The message of each node that ended in an error, as dbt recorded it."""
        results = json.loads((self.folder / run / "run_results.json").read_text())["results"]
        return {one["unique_id"].rpartition(".")[2]: one["message"] for one in results if one["status"] == "error"}

    def session(self) -> Any:
        """A connection that commits each statement."""
        made = redshift_connector.connect(
            host="127.0.0.1",
            port=status(self.home)["port"],
            database="dev",
            user="biostar",
            password="standin",
            ssl=False,
        )
        made.autocommit = True
        return made

    def rows(self, sql: str) -> list[list[Any]]:
        """What a query returns."""
        with closing(self.session()) as session:
            cursor = session.cursor()
            cursor.execute(sql)
            return [list(row) for row in cursor.fetchall()]

    def check_whole(self) -> None:
        """Every table holds what the models say, once, and dbt left no table of its own."""
        assert self.rows("select count(*), count(distinct id), min(id), max(id) from faults.large") == [
            [100_000, 100_000, 0, 99_999]
        ]
        assert self.rows("select count(*), count(distinct id) from faults.grown") == [[500, 500]]
        assert self.rows("select row_count from faults.shown") == [[500]]
        assert self.rows("select count(*), count(dbt_valid_to) from faults_faults.history") == [[100, 0]]
        assert self.rows("select relname from pg_class where relname like '%!_!_dbt!_%' escape '!'") == []


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, what
        time.sleep(0.02)
    return found


def processes_of(home: Path, base: Path) -> list[tuple[int, str]]:
    """Living processes that name the stand-in's directories or hold a file in them."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is another user's
            if (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                continue
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            held = [str(link.readlink()) for link in (entry / "fd").iterdir()]
            if str(base) in command or any(name.startswith((f"{home}/", f"{base}/")) for name in held):
                found.append((int(entry.name), command))
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("faults")
    made = Project(folder / "project", folder / "home")
    made.use(start(Settings(home=made.home, port=0))["port"])
    try:
        assert made.build() == {}
        made.check_whole()
        yield made
    finally:
        places = [place for place in places_of(made.home) if place != made.home]
        stop(made.home, remove=True)
    assert processes_of(made.home, places[0]) == []
    assert [place for place in places if place.exists()] == []


def hold(project: Project, table: str) -> Any:
    """A connection whose open transaction locks a table."""
    holder = project.session()
    holder.autocommit = False
    holder.cursor().execute(f"lock {table}")
    return holder


WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"


def test_of_two_builds_at_once_each_ends_with_a_clear_outcome_and_the_next_one_is_green(project: Project) -> None:
    """Both meet at one table: a lock lets go of it when both want it, so that they surely overlap."""
    with closing(hold(project, "faults.large")) as holder:
        builds = {run: project.started(run) for run in ("one", "two")}
        try:
            wait_for(
                lambda: project.rows(WAITING)[0][0] + sum(build.poll() is not None for build in builds.values()) >= 2,
                "two builds neither wait nor have ended",
            )
            holder.rollback()
            said = {run: build.communicate(timeout=60)[0] for run, build in builds.items()}
        finally:
            for build in builds.values():
                build.kill()
    codes = {run: build.returncode for run, build in builds.items()}
    assert 0 in codes.values(), "one of them comes through: " + str(said)
    for run, code in codes.items():
        assert code in (0, 1)
        failures = project.failures(run)
        assert bool(failures) == bool(code)
        for message in failures.values():
            assert re.search(r"already exists|does not exist|concurrent|deadlock|could not serialize", message), message
    assert project.rows("select count(*), count(distinct id) from faults.large") == [[100_000, 100_000]]
    assert project.build() == {}
    project.check_whole()


def test_a_stand_in_killed_in_mid_build_ends_the_build_with_an_error_and_leaves_no_process(project: Project) -> None:
    running = status(project.home)
    with closing(hold(project, "faults.large")):
        build = project.started("killed")
        try:
            wait_for(lambda: project.rows(WAITING) == [[1]], "the build does not wait for the lock")
            os.kill(running["pid"], signal.SIGKILL)
            said, _ = build.communicate(timeout=60)
        finally:
            build.kill()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(running["pid"], 0)
    assert build.returncode in (1, 2), said  # 2 when dbt finds nobody to ask at its end
    failures = project.failures("killed")
    assert "large" in failures, said
    assert re.search(r"(?i)connection|communication|BrokenPipe|server closed|socket", failures["large"]), failures
    base = Path(running["base"])
    wait_for(lambda: processes_of(project.home, base) == [], "a process is left", 10)
    project.use(start(Settings(home=project.home, port=0))["port"])
    project.rows("select count(*) from faults.large")
    assert project.build() == {}
    project.check_whole()


def test_stale_process_ids_are_not_believed_and_their_new_owner_is_left_alone(project: Project) -> None:
    """Both processes are killed at once, and what they noted is somebody else's process by now."""
    running = status(project.home)
    for pid in (running["pid"], running["postgres_pid"]):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(running["pid"], 0)
    base = Path(running["base"])
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        noted = base / "pgdata" / "postmaster.pid"
        noted.write_text(noted.read_text().replace(str(running["postgres_pid"]), str(stranger.pid)))
        state = project.home / "state.json"
        state.write_text(json.dumps({**json.loads(state.read_text()), "pid": stranger.pid}))
        assert status(project.home)["running"] is False
        assert stop(project.home) is False
        project.use(start(Settings(home=project.home, port=0))["port"])
        assert stranger.poll() is None
    finally:
        stranger.communicate(b"\n")
    project.check_whole()
    assert project.build() == {}


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let processes that are started now write no file beyond `size`; this one is not meant to write any meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def check_that_a_large_table_fails_and_nothing_else(project: Project, words: str) -> None:
    failed = project.build("--vars", "{digits: 100}")
    assert re.search(f"could not (extend|write).*({words}|wrote only)", failed["large"]), failed
    assert set(failed) == {"large", "grown", "shown"}, "what needs it is skipped"
    project.check_whole()
    assert status(project.home)["running"], "one statement failed, not the server"
    assert project.build() == {}
    project.check_whole()


def test_a_file_that_cannot_grow_fails_one_statement_and_the_old_table_stays(project: Project) -> None:
    """The system's own EFBIG, by a limit on the size of a file: 1,000,000 rows take 65 MB."""
    assert stop(project.home)
    with files_no_larger_than(32 * MEBIBYTE):
        state = start(Settings(home=project.home, port=0))
    project.use(state["port"])
    check_that_a_large_table_fails_and_nothing_else(project, "File too large")


def test_a_full_disk_fails_one_statement_and_the_old_table_stays(tmp_path: Path) -> None:
    """The system's own ENOSPC, on a small file system in memory; only root may mount one."""
    with tempfile.TemporaryDirectory(prefix="standin-test-") as name:
        disk = Path(name) / "disk"
        Path(name).chmod(0o755)
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256m,mode=755", "tmpfs", str(disk)], capture_output=True, text=True
        )
        if mounted.returncode != 0:
            pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
        try:
            home = disk / "home"
            made = Project(tmp_path / "project", home)
            with StandIn(Settings(home=home, port=0)) as standin:
                assert Path(standin.state["base"]) == home
                made.use(standin.settings.port)
                assert made.build() == {}
                free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
                (disk / "filler").write_bytes(bytes(free - 40 * MEBIBYTE))
                check_that_a_large_table_fails_and_nothing_else(made, "No space left on device")
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_removing_a_killed_stand_in_leaves_nothing_of_it(tmp_path: Path) -> None:
    state = start(Settings(home=tmp_path / "home", port=0))
    os.kill(state["pid"], signal.SIGKILL)
    os.waitpid(state["pid"], 0)
    base = Path(state["base"])
    assert base.exists()
    assert stop(tmp_path / "home", remove=True) is False
    assert not Path(state["data"]).exists()
    assert base == tmp_path / "home" or not base.exists()
    assert processes_of(tmp_path / "home", base) == []
