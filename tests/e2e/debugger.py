"""A client of the Debug Adapter Protocol, which editors speak with debugpy."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from e2e.jobs import TIMEOUT_S


class Debugger:
    """Attaches to a process that debugpy listens in; says as little as is needed."""

    def __init__(self, port: int) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        self._file = self._socket.makefile("rb")
        self._sent = 0
        self._unread: list[dict[str, Any]] = []

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        self._sent += 1
        message = {
            "seq": self._sent,
            "type": "request",
            "command": command,
            "arguments": arguments,
        }
        body = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self._sent

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        sent = self.send(command, **arguments)
        answer = self._await(lambda m: m["type"] == "response" and m["request_seq"] == sent)
        assert answer["success"], answer
        body: dict[str, Any] = answer.get("body", {})
        return body

    def event(self, name: str) -> dict[str, Any]:
        found = self._await(lambda m: m["type"] == "event" and m["event"] == name)
        body: dict[str, Any] = found.get("body", {})
        return body

    def _await(self, wanted: Any) -> dict[str, Any]:
        for message in self._unread:
            if wanted(message):
                self._unread.remove(message)
                return message
        while True:
            message = self._read()
            if wanted(message):
                return message
            self._unread.append(message)

    def _read(self) -> dict[str, Any]:
        length = 0
        while (line := self._file.readline().strip()) or not length:
            assert line, "the debugger hung up"
            length = int(line.removeprefix(b"Content-Length: "))
        message: dict[str, Any] = json.loads(self._file.read(length))
        return message
