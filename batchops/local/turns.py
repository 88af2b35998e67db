"""Let events wait their turn in the local engine, as they wait in Lambda's queue on AWS.

It runs in the engine's environment, where batchops is not installed: it imports nothing of it.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any


def take_turns(functions: Any, most: int) -> None:
    """Limit how many functions called by events MiniStack runs at a time; other events wait.

    On AWS such events wait in Lambda's queue, too. MiniStack has a process for each of them at
    once: 60 uploads were 60 processes.

    Parameters
    ----------
    functions
        MiniStack's module ``lambda_svc``.
    """
    called_by_event = ContextVar("called_by_event", default=False)
    turns = threading.Semaphore(most)
    invoke, execute = functions.invoke_async_with_retry, functions._execute_function

    def invoke_in_turn(function: Any, event: Any) -> None:
        flag = called_by_event.set(True)
        try:
            invoke(function, event)  # starts a thread with a copy of this context
        finally:
            called_by_event.reset(flag)

    def execute_in_turn(function: Any, event: Any) -> Any:
        if not called_by_event.get():
            return execute(function, event)
        flag = called_by_event.set(False)  # it calls itself for the function's own region
        try:
            with turns:
                return execute(function, event)
        finally:
            called_by_event.reset(flag)

    functions.invoke_async_with_retry = invoke_in_turn
    functions._execute_function = execute_in_turn
