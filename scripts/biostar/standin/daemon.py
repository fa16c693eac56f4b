"""Start, stop and look at a stand-in that runs in a process of its own.

The process holds a lock on `home/lock` as long as it lives. The lock, not the state file, says whether it runs: a
state file that a killed process left behind is recognised and cleared, whatever process has its id now.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from biostar.standin.errors import StandInError
from biostar.standin.postgres import remove_places
from biostar.standin.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def start(
    settings: Settings,
    *,
    fresh: bool = False,
    timeout: float = 60,
    owner: int | None = None,
    discard: bool = False,
) -> dict[str, Any]:
    """Start a stand-in in the background and return its state once it answers.

    Args:
        settings: where and how.
        fresh: delete the data of an earlier run first.
        timeout: seconds to wait.
        owner: reading end of a pipe whose writing end the owner alone holds; when that closes, the stand-in ends.
        discard: delete the data then.

    Raises:
        StandInError: it runs already, the port is in use, Postgres is missing or did not start.
    """
    if settings.host not in LOOPBACK:
        raise StandInError(
            f"host '{settings.host}' is not loopback; the stand-in has a test password and listens to {LOOPBACK} only"
        )
    running = status(settings.home)
    if running["running"]:
        raise StandInError(
            f"a stand-in runs already on '{settings.home}': process {running['pid']}, port {running['port']}",
            next_step="use it, or stop it first",
        )
    settings.home.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    with (settings.home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", __package__ or "standin", "serve", "--ready-fd", str(writer)]
            + (["--fresh"] if fresh else [])
            + (["--owner-fd", str(owner)] if owner is not None else [])
            + (["--discard"] if discard else []),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            pass_fds=[writer] if owner is None else [writer, owner],
            start_new_session=True,
        )
    os.close(writer)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(json.dumps(settings.as_dict()).encode())
    told = _read_until_closed(reader, timeout)
    if not told:
        process.kill()
        process.wait()
        raise StandInError(
            f"the stand-in on '{settings.home}' did not start within {timeout:g} s or died",
            next_step=f"see '{settings.home / 'server.log'}' and '{settings.home / 'postgres.log'}'",
            retryable=True,
        )
    answer: dict[str, Any] = json.loads(told)
    if "error" in answer:
        process.wait()
        raise StandInError(answer["error"], next_step=answer["next"], retryable=answer["retryable"])
    return answer


def _read_until_closed(reader: int, timeout: float) -> bytes:
    told, limit = b"", time.monotonic() + timeout
    try:
        while True:
            ready, _, _ = select.select([reader], [], [], max(0.0, limit - time.monotonic()))
            if not ready:
                return b""
            piece = os.read(reader, 65536)
            if not piece:
                return told
            told += piece
    finally:
        os.close(reader)


def status(home: Path) -> dict[str, Any]:
    """Whether a stand-in runs on `home`, and its state when it does; a stale state file is cleared."""
    state_file = home / "state.json"
    if not (home / "lock").exists():
        return {"running": False, "home": str(home)}
    with (home / "lock").open("r+") as lock:
        if _try_lock(lock):
            state_file.unlink(missing_ok=True)
            return {"running": False, "home": str(home)}
    try:
        state: dict[str, Any] = json.loads(state_file.read_text())
    except (OSError, ValueError):  # it holds the lock but is not ready yet, or is ending
        return {"running": False, "home": str(home), "starting": True}
    return {"running": True, **state}


def stop(home: Path, *, remove: bool = False, timeout: float = 20) -> bool:
    """End the stand-in on `home` and its Postgres; returns whether one ran.

    Args:
        home: its directory.
        remove: delete its data too, also when none runs any more.
        timeout: seconds to wait before it is killed.
    """
    state = status(home)
    if not state["running"]:
        if remove and "starting" not in state:
            remove_places(home)
        return False
    pid = int(state["pid"])
    limit = time.monotonic() + timeout
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    while status(home)["running"]:
        if time.monotonic() > limit:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)  # when this process started it, so that no zombie stays
    if remove:
        remove_places(home)
    return True


def _try_lock(lock: IO[Any]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def hold_lock(home: Path) -> Iterator[None]:
    """Hold the lock of `home` for the life of a serving process."""
    with (home / "lock").open("a+") as lock:
        if not _try_lock(lock):
            raise StandInError(f"another stand-in is starting or running on '{home}'", retryable=True)
        yield


def write_state(home: Path, state: dict[str, Any]) -> None:
    """Publish the state of the serving process at once, readable by its owner only."""
    new = home / "state.json.new"
    new.touch(mode=0o600)
    new.write_text(json.dumps(state, indent=2))
    new.replace(home / "state.json")


class StandIn:
    """A stand-in for the length of a `with` block: what a pytest fixture needs.

    Args:
        settings: where and how; port 0 lets the system choose one.
        fresh: begin with an empty database.
        keep: leave the data when the block ends.

    After entry, `connection` holds the keyword arguments of `redshift_connector.connect`. The stand-in ends with the
    process that made it, also when that is killed.
    """

    def __init__(self, settings: Settings, *, fresh: bool = True, keep: bool = False) -> None:
        self.settings = settings
        self.state: dict[str, Any] = {}
        self._fresh = fresh
        self._keep = keep
        self._hold: int | None = None

    def __enter__(self) -> StandIn:
        owner, self._hold = os.pipe()
        try:
            self.state = start(self.settings, fresh=self._fresh, owner=owner, discard=not self._keep)
        except BaseException:
            os.close(self._hold)
            raise
        finally:
            os.close(owner)
        self.settings = replace(self.settings, port=int(self.state["port"]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self.settings.home, remove=not self._keep)
        if self._hold is not None:
            os.close(self._hold)

    @property
    def connection(self) -> dict[str, Any]:
        """Arguments for `redshift_connector.connect`."""
        return {
            "host": self.settings.host,
            "port": self.settings.port,
            "database": self.settings.database,
            "user": self.settings.user,
            "password": self.settings.password,
            "ssl": False,
        }
