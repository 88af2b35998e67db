"""Pass the functions' calls on to the local engine, and spoil those that the injector chooses.

Each function has a port of its own, so that the proxy knows who calls. Requests and answers pass
unchanged: signatures cover the ``Host`` header as it was sent.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psutil

from tools.drill.calls import Call, error_body, read_call, unprocessed_body
from tools.drill.faults import Kind
from tools.drill.injector import Injector

HOST = "127.0.0.1"
# Longer than any function may run in a drill.
_HELD_AT_MOST_S = 120.0
_UPSTREAM_TIMEOUT_S = 120.0
_SLOW_S = 0.5
# Headers for one hop only (RFC 9110, section 7.6.1), and the length, which is computed again.
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})


class FaultProxy:
    """Proxy for some functions; a context manager, because it holds ports.

    Parameters
    ----------
    functions
        The functions that get a port.
    injector
        Decides which calls are spoilt.
    upstream
        Returns the engine's port, which may change when it restarts.
    engine_pid
        Returns the engine's process id; the callers are its descendants.
    chunk_of_key
        See `read_call`.
    """

    def __init__(
        self,
        functions: Iterable[str],
        injector: Injector,
        *,
        upstream: Callable[[], int],
        engine_pid: Callable[[], int],
        chunk_of_key: Mapping[bytes, int],
    ) -> None:
        self.injector = injector
        self.upstream = upstream
        self.engine_pid = engine_pid
        self.chunk_of_key = chunk_of_key
        self._servers = {name: _Server(name, self) for name in functions}

    def __enter__(self) -> FaultProxy:
        """Answer on every port."""
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Release every held call, and close the ports."""
        self.injector.lift()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def url(self, function: str) -> str:
        """Return the address that a function calls instead of the engine's."""
        return f"http://{HOST}:{self._servers[function].server_address[1]}"

    def kill_caller(self, port: int) -> None:
        """Kill the function's process that holds the other end of a connection."""
        for process in psutil.Process(self.engine_pid()).children(recursive=True):
            try:
                ports = {c.laddr.port for c in process.net_connections("tcp4") if c.laddr}
            except psutil.Error:  # it has ended in the meantime
                continue
            if port in ports:
                process.kill()
                return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, function: str, proxy: FaultProxy) -> None:
        super().__init__((HOST, 0), _Handler)
        self.function = function
        self.proxy = proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore callers that were killed in the middle of a request."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_any(self) -> None:
        """Pass one request on, or spoil it."""
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = read_call(
            self.server.function,
            self.command,
            self.path,
            headers,
            body,
            chunk_of_key=proxy.chunk_of_key,
        )
        kind = proxy.injector.decide(call)
        if kind is None:
            self._answer(*self._forward(body))
        else:
            with proxy.injector.spoiling():
                self._spoil(kind, call, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

    def _spoil(self, kind: Kind, call: Call, body: bytes) -> None:
        proxy = self.server.proxy
        if kind.action == "refuse":
            self._answer(kind.status, *error_body(call.service, kind.code))
        elif kind.action == "leave":
            headers = {"Content-Type": "application/x-amz-json-1.0"}
            self._answer(200, headers, unprocessed_body(call.operation, body))
        elif kind.action == "slow":
            proxy.injector.lifted.wait(_SLOW_S)
            self._answer(*self._forward(body))
        elif kind.action == "lose":
            self._forward(body)
            self.close_connection = True
        elif kind.action in ("kill", "cut"):
            if kind.action == "cut":
                self._forward(body)
            self.close_connection = True
            proxy.kill_caller(self.client_address[1])
        else:
            proxy.injector.lifted.wait(_HELD_AT_MOST_S)
            if kind.action == "late":
                self._forward(body)
            if kind.action == "stop":  # a call that runs when its job is stopped is finished
                self._answer(*self._forward(body))
            self.close_connection = True

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection(
            HOST, self.server.proxy.upstream(), timeout=_UPSTREAM_TIMEOUT_S
        )
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP:
                    upstream.putheader(name, value)
            upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            answer = upstream.getresponse()
            content = answer.read()
            headers = {n: v for n, v in answer.getheaders() if n.lower() not in _HOP}
            if self.command == "HEAD":
                headers["Content-Length"] = answer.getheader("Content-Length") or "0"
            return answer.status, headers, content
        finally:
            upstream.close()

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
