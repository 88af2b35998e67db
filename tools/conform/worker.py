"""Run a function of a stack: a line of standard input is an event, a line of output its answer.

Layers come last, so that what has compiled parts is the environment's own: those in the layer are
for AWS's processors.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from types import SimpleNamespace


def main(handler: str, code: str, *layers: str) -> None:
    """Import the handler from its folders, and call it for each line."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a function prints is its log
    sys.path[:0] = [code]
    sys.path += [place for layer in layers for place in (f"{layer}/python", layer)]
    module, _, name = handler.partition(".")
    call = getattr(importlib.import_module(module), name)
    for line in sys.stdin.buffer:
        until = time.monotonic() + 900
        context = SimpleNamespace(
            aws_request_id="conform",
            get_remaining_time_in_millis=lambda until=until: int((until - time.monotonic()) * 1000),
        )
        try:
            answer = {"result": call(json.loads(line), context)}
        except Exception as error:
            answer = {"error": {"errorType": type(error).__name__, "errorMessage": str(error)}}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
