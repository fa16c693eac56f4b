"""The serving process: it owns the embedded Postgres, listens on loopback and gives each client a thread."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import select
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module, resources
from pathlib import Path
from types import FrameType
from typing import IO, Any

from biostar.standin.certificates import make_context
from biostar.standin.daemon import hold_lock, write_state
from biostar.standin.errors import StandInError
from biostar.standin.postgres import Postgres, find_programs, remove_places
from biostar.standin.settings import Settings
from biostar.standin.wire import BackendError, ConnectionLost, identifier, literal

Gate = Callable[[str], "str | None"]


class Server:
    """What all sessions share."""

    def __init__(self, settings: Settings, postgres: Postgres, tls: ssl.SSLContext | None) -> None:
        self.settings = settings
        self.postgres = postgres
        self.tls = tls
        self.gate: Gate | None = load_gate(settings.gate)
        self.sessions = 0
        self.last_seen = time.monotonic()
        self._lock = threading.Lock()

    def serve_client(self, sock: socket.socket) -> None:
        """Serve one client until it leaves; runs in a thread of its own."""
        from biostar.standin.session import Session

        with self._lock:
            self.sessions += 1
        try:
            with contextlib.suppress(ConnectionLost):
                Session(self, sock).run()
        finally:
            sock.close()
            with self._lock:
                self.sessions -= 1
                self.last_seen = time.monotonic()


def load_gate(name: str) -> Gate | None:
    """The function that `module:function` names, or None for an empty name; it is asked once for each text."""
    if not name:
        return None
    module, _, function = name.partition(":")
    try:
        gate: Gate = getattr(import_module(module), function)
    except (ImportError, AttributeError) as missing:
        raise StandInError(f"the gate '{name}' can't be loaded: {missing}") from missing
    return lru_cache(maxsize=4096)(gate)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; a port in use is an error that says so."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(64)
    except OSError as busy:
        sock.close()
        if busy.errno == errno.EADDRINUSE:
            raise StandInError(
                f"port {port} on {host} is in use by another process",
                next_step="choose another with --port, or 0 for any free one",
                retryable=True,
            ) from busy
        raise StandInError(f"can't listen on {host}:{port}: {busy.strerror}") from busy
    return sock


def catalog_scripts() -> list[tuple[str, str]]:
    """Name and text of the scripts that give Postgres Redshift's functions and views, in order."""
    folder = resources.files(__package__ or "standin") / "catalog"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(name, (folder / name).read_text()) for name in names]


def prepare(postgres: Postgres, settings: Settings, made: bool) -> None:
    """Give a new cluster its functions, views, administrator and database; check an old one for its version."""
    scripts = catalog_scripts()
    stamp = hashlib.sha256("".join(text for _, text in scripts).encode()).hexdigest()[:16]
    if made:
        with contextlib.closing(postgres.connect("template1")) as template:
            for name, script in scripts:
                try:
                    template.script(script)
                except BackendError as error:
                    raise StandInError(f"catalog script '{name}': {error}") from error
            template.script(f"create table standin.stamp as select {literal(stamp)}::varchar as stamp")
    with contextlib.closing(postgres.connect("postgres")) as service:
        role = identifier(settings.user)
        if not service.query("select 1 from pg_roles where rolname = $1", [settings.user]).rows:
            service.query(f"create role {role} superuser login")
        service.query(f"alter role {role} superuser login password {literal(settings.password)}")
        if not service.query("select 1 from pg_database where datname = $1", [settings.database]).rows:
            service.query(f"create database {identifier(settings.database)} owner {role} template template1")
    with contextlib.closing(postgres.connect(settings.database)) as service:
        found = service.query("select to_regclass('standin.stamp')::varchar").rows[0][0]
        stamped = service.query("select stamp from standin.stamp").rows[0][0] if found else None
        if stamped != stamp:
            raise StandInError(
                f"the data in '{postgres.data}' were made by another version of the stand-in",
                next_step="start with --fresh to begin with an empty database",
            )


def serve(settings: Settings, ready: IO[str], fresh: bool, owner: int | None = None, *, discard: bool = False) -> int:
    """Run until SIGTERM or SIGINT, or until the pipe `owner` closes; `ready` is told, as JSON, when it answers.

    With `discard`, the data are deleted when the owner has gone: nobody else will do it.
    """
    stop = threading.Event()
    abandoned = False

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    began = time.monotonic()
    postgres: Postgres | None = None
    try:
        with hold_lock(settings.home):
            (settings.home / "state.json").unlink(missing_ok=True)
            try:
                with listen(settings.host, settings.port) as listener:
                    postgres = Postgres(settings.home, find_programs(settings.postgres_bin), settings.database)
                    if fresh:
                        postgres.remove()
                    made = postgres.make()
                    postgres.start()
                    try:
                        prepare(postgres, settings, made)
                    except BaseException:
                        if made:  # half a cluster must not look like a whole one
                            postgres.stop()
                            postgres.remove()
                        raise
                    tls = make_context(settings.home) if settings.tls else None
                    server = Server(settings, postgres, tls)
                    state = _state(settings, postgres, listener.getsockname()[1], time.monotonic() - began)
                    write_state(settings.home, state)
                    with ready:
                        json.dump({"running": True, **state}, ready)
                    abandoned = _accept(server, listener, stop, owner)
            finally:
                if postgres is not None:
                    postgres.stop()
                if abandoned and discard:
                    remove_places(settings.home)
                (settings.home / "state.json").unlink(missing_ok=True)
    except StandInError as error:
        if not ready.closed:
            with ready:
                json.dump({"error": error.message, "next": error.next_step, "retryable": error.retryable}, ready)
        else:
            os.write(2, f"{error.message}\n".encode())
        return 5 if error.retryable else 3
    return 0


def _state(settings: Settings, postgres: Postgres, port: int, seconds: float) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": settings.host,
        "port": port,
        "database": settings.database,
        "user": settings.user,
        "tls": settings.tls,
        "certificate": str(settings.home / "server.crt") if settings.tls else "",
        "s3_endpoint": settings.s3_endpoint,
        "postgres_pid": postgres.pid,
        "postgres_version": postgres.programs.version,
        "postgres_bin": str(postgres.programs.directory),
        "data": str(postgres.data),
        "base": str(postgres.base),
        "home": str(Path(settings.home)),
        "seconds_to_start": round(seconds, 2),
    }


def _accept(server: Server, listener: socket.socket, stop: threading.Event, owner: int | None) -> bool:
    """Give each client a thread until told to stop; returns whether the owner has gone."""
    listener.settimeout(0.2)
    while not stop.is_set():
        if not server.postgres.alive():
            raise StandInError(f"postgres ended; see '{server.postgres.log}'", retryable=True)
        idle = server.settings.idle_exit_seconds
        if idle and not server.sessions and time.monotonic() - server.last_seen > idle:
            return False
        if owner is not None and select.select([owner], [], [], 0)[0]:
            return True
        try:
            sock, _ = listener.accept()
        except TimeoutError:
            continue
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=server.serve_client, args=(sock,), daemon=True).start()
    return False
