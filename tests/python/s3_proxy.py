"""A way to S3 that fails on demand: an HTTP proxy that lets all through but what it is told to spoil."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

Request = Literal["list", "head", "get", "range", "put", "delete"]
"""Kinds of request: a listing, HEAD, GET of a whole object, GET of a part of one, PUT, DELETE."""
Fault = Literal["500", "503", "403", "404", "reset", "cut", "hang"]
"""What becomes of one: an answer with that status, a connection that is reset or just ends in the middle of the body
of the answer (before it where it has none), or no answer until the client gives up."""

_CODES = {"500": "InternalError", "503": "SlowDown", "403": "AccessDenied", "404": "NoSuchKey"}
_OF_ONE_HOP = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length"))


@dataclass
class Spoiler:
    """Spoils the next `times` requests of a kind, of keys that contain some text."""

    request: Request
    fault: Fault
    times: float = float("inf")
    key: str = ""
    spoilt: int = 0

    def takes(self, request: Request, key: str) -> bool:
        """Whether this request is one; if so, it is counted."""
        if request != self.request or self.key not in key or self.spoilt >= self.times:
            return False
        self.spoilt += 1
        return True


@dataclass
class S3Proxy:
    """The proxy while it runs.

    Attributes:
        endpoint: its address.
        spoilers: what is to fail.
        on_request: called with kind and key of each request before it goes on.
        seen: kind and key of every request so far.
    """

    endpoint: str
    spoilers: list[Spoiler] = field(default_factory=list)
    on_request: Callable[[Request, str], None] = lambda request, key: None
    seen: list[tuple[Request, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def fault_of(self, request: Request, key: str) -> Fault | None:
        """What is to become of a request."""
        self.on_request(request, key)
        with self.lock:
            self.seen.append((request, key))
            return next((one.fault for one in self.spoilers if one.takes(request, key)), None)

    @contextmanager
    def spoilt(self, *spoilers: Spoiler) -> Iterator[None]:
        """Faults for the length of a block, each of which has to come about."""
        self.spoilers = list(spoilers)
        try:
            yield
        finally:
            self.spoilers = []
        for one in spoilers:
            assert one.spoilt, f"no request met {one}"


@contextmanager
def s3_proxy(endpoint: str) -> Iterator[S3Proxy]:
    """A proxy in front of an endpoint."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.target = urlsplit(endpoint).netloc
    server.proxy = S3Proxy(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.proxy
    finally:
        server.proxy.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    target: str
    proxy: S3Proxy

    def shutdown_request(self, request: Any) -> None:
        """Close, without the orderly FIN before it that would keep a reset from being one."""
        self.close_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.proxy.fault_of(self._kind(), unquote(urlsplit(self.path).path).lstrip("/"))
        if fault == "hang":
            self.server.proxy.ended.wait()
            self.close_connection = True
        elif fault in _CODES:
            said = f"<Error><Code>{_CODES[fault]}</Code><Message>{fault}</Message></Error>".encode()
            self._answer(int(fault), [("Content-Type", "application/xml")], said, len(said))
        else:
            with closing(http.client.HTTPConnection(self.server.target)) as target:
                target.request(self.command, self.path, body, {**self.headers, "Connection": "close"})
                response = target.getresponse()
                content = response.read()
            headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _OF_ONE_HOP]
            if fault is None:
                self._answer(response.status, headers, content, int(response.headers.get("Content-Length", 0)))
            else:
                if content:
                    self._answer(response.status, headers, content[: len(content) // 2], len(content))
                self.close_connection = True
                if fault == "reset":  # to close without lingering is to send RST in place of FIN
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _kind(self) -> Request:
        if self.command == "GET":
            if "list-type=2" in self.path:
                return "list"
            return "range" if self.headers.get("Range") else "get"
        kinds: dict[str, Request] = {"HEAD": "head", "PUT": "put", "DELETE": "delete"}
        return kinds[self.command]

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, length: int) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_DELETE = _pass_on
