"""Functions of a stack as processes of this computer, for LocalStack, which would want Docker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from localstack.aws.api.lambda_ import State
from localstack.services.lambda_.invocation.lambda_models import InvocationResult, VersionState
from localstack.services.lambda_.invocation.version_manager import LambdaVersionManager

WORKER = Path(__file__).with_name("worker.py")


class Workers:
    """The processes of one version of a function, each of which answers one call after another."""

    def __init__(self, version: Any) -> None:
        self._version = version
        self._idle: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def call(self, payload: bytes) -> dict[str, Any]:
        """Have a process answer a call: ``result``, or ``error`` as Lambda has it."""
        with self._lock:
            worker = self._idle.pop() if self._idle else None
        worker = worker or self._start()
        limit = threading.Timer(self._version.config.timeout, worker.kill)
        limit.start()
        try:
            worker.stdin.write(payload.replace(b"\n", b" ") + b"\n")  # type: ignore[union-attr]
            worker.stdin.flush()  # type: ignore[union-attr]
            answer = worker.stdout.readline()  # type: ignore[union-attr]
        except BrokenPipeError:
            answer = b""
        finally:
            limit.cancel()
        if not answer:
            message = f"the process ended with {worker.wait()}"
            return {"error": {"errorType": "Runtime.ExitError", "errorMessage": message}}
        with self._lock:
            self._idle.append(worker)
        found: dict[str, Any] = json.loads(answer)
        return found

    def _start(self) -> subprocess.Popen[bytes]:
        config, name = self._version.config, self._version.id
        places = [self._version.config.code, *(layer.code for layer in config.layers)]
        for place in places:
            place.prepare_for_execution()
        environment = {
            "PATH": os.environ["PATH"],
            "no_proxy": "*",
            "AWS_ACCESS_KEY_ID": name.account,
            "AWS_SECRET_ACCESS_KEY": "conform",
            "AWS_REGION": name.region,
            "AWS_DEFAULT_REGION": name.region,
            "AWS_ENDPOINT_URL": f"http://{os.environ['GATEWAY_LISTEN']}",
            "AWS_LAMBDA_FUNCTION_NAME": name.function_name,
            **(config.environment or {}),
        }
        folders = [str(place.get_unzipped_code_location()) for place in places]
        return subprocess.Popen(
            [sys.executable, str(WORKER), config.handler, *folders],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def stop(self) -> None:
        """End the processes that wait."""
        with self._lock:
            for worker in self._idle:
                worker.kill()
                worker.wait()
            self._idle.clear()


def install() -> None:
    """Have LocalStack run every function as processes."""
    LambdaVersionManager.start = _start
    LambdaVersionManager.invoke = _invoke
    LambdaVersionManager.stop = _stop


def _start(self: Any) -> Any:
    self.workers = Workers(self.function_version)
    self.state = VersionState(state=State.Active)
    return self.state


def _invoke(self: Any, *, invocation: Any) -> Any:
    answer = self.workers.call(invocation.payload or b"{}")
    failed = "error" in answer
    return InvocationResult(
        request_id=invocation.request_id,
        payload=json.dumps(answer["error"] if failed else answer["result"]).encode(),
        is_error=failed,
        logs="",
        executed_version=self.function_version.id.qualifier,
    )


def _stop(self: Any) -> None:
    self.state = VersionState(state=State.Inactive)
    self.shutdown_event.set()
    self.workers.stop()
