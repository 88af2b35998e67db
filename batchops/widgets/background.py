"""Run long calls in threads, so that neither the kernel nor the widgets wait for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from batchops.core.errors import BatchOpsError
from batchops.show.wording import for_console

T = TypeVar("T")

# So that a download does not keep the errors of another job waiting.
_WORKERS = 4
THREAD_PREFIX = "batchops-console"


@dataclass(frozen=True)
class _Call(Generic[T]):
    """One call, with its number among the calls of its key."""

    work: Callable[[], T]
    then: Callable[[T], None]
    doing: str
    key: str
    turn: int
    busy: Sequence[Any]
    on_error: Callable[[], None] | None


class Background:
    """Runs calls in threads, and passes on their results and errors.

    Parameters
    ----------
    on_begin
        Called with what a call does when it begins.
    on_end
        Called with the same when it ends, with a message if it failed, otherwise empty, and with
        the call's key, or else what it does.
    """

    def __init__(
        self, *, on_begin: Callable[[str], None], on_end: Callable[[str, str, str], None]
    ) -> None:
        self._on_begin, self._on_end = on_begin, on_end
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix=THREAD_PREFIX)
        self._lock = threading.Lock()
        self._pending: set[Future[None]] = set()
        self._latest: dict[str, int] = {}
        self._busy: dict[Any, int] = {}
        self._off: set[Any] = set()
        self._closed = False

    def run(
        self,
        work: Callable[[], T],
        then: Callable[[T], None],
        *,
        doing: str,
        key: str = "",
        busy: Sequence[Any] = (),
        on_error: Callable[[], None] | None = None,
    ) -> None:
        """Call `work` in a thread and `then` with its result; return at once.

        Parameters
        ----------
        doing
            What the call does, to display meanwhile: ``"planning the rerun"``.
        key
            Of several calls with the same key only the last one's result is passed on.
        busy
            Widgets to disable meanwhile.
        on_error
            Called if `work` failed; its error is displayed in any case.
        """
        with self._lock:
            if self._closed:
                return
            self._disable(busy)
            turn = self._latest[key] = self._latest.get(key, 0) + 1
            # Under the lock, so that no call is submitted after the pool's shutdown.
            call = _Call(work, then, doing, key, turn, busy, on_error)
            future = self._pool.submit(self._carry_out, call)
            self._pending.add(future)
        future.add_done_callback(self._forget)

    def allow(self, widget: Any, allowed: bool) -> None:
        """Enable or disable a widget; one that is busy is enabled when it no longer is."""
        with self._lock:
            if allowed:
                self._off.discard(widget)
            else:
                self._off.add(widget)
            widget.disabled = not allowed or widget in self._busy

    def forget(self, key: str) -> None:
        """Drop the result of a call that still runs under a key."""
        with self._lock:
            self._latest[key] = self._latest.get(key, 0) + 1

    def wait(self, timeout_s: float) -> bool:
        """Wait until no call runs, nor one that another started; return False if one still does."""
        deadline = time.monotonic() + timeout_s
        while True:
            with self._lock:
                pending = set(self._pending)
            if not pending:
                return True
            left = deadline - time.monotonic()
            if left <= 0 or wait(pending, left).not_done:
                return False

    def close(self) -> None:
        """Start no more calls, and drop the results of those that run."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _carry_out(self, call: _Call[Any]) -> None:
        trouble = ""
        try:
            self._on_begin(call.doing)
            result = call.work()
            if self._is_latest(call):
                call.then(result)
        except Exception as error:  # whatever it is, people must see it
            if self._is_latest(call):
                trouble = describe_error(error, call.doing)
                if call.on_error is not None:
                    call.on_error()
        finally:
            self._enable(call.busy)
            # What was superseded says nothing about its key any more.
            about = (call.key or call.doing) if self._is_latest(call) else call.doing
            self._on_end(call.doing, trouble, about)

    def _is_latest(self, call: _Call[Any]) -> bool:
        with self._lock:
            return not self._closed and (not call.key or self._latest[call.key] == call.turn)

    def _disable(self, widgets: Sequence[Any]) -> None:
        for widget in widgets:
            self._busy[widget] = self._busy.get(widget, 0) + 1
            widget.disabled = True

    def _enable(self, widgets: Sequence[Any]) -> None:
        with self._lock:
            for widget in widgets:
                self._busy[widget] -= 1
                if not self._busy[widget]:
                    del self._busy[widget]
                    if not self._closed:
                        widget.disabled = widget in self._off

    def _forget(self, future: Future[None]) -> None:
        with self._lock:
            self._pending.discard(future)


def describe_error(error: Exception, doing: str) -> str:
    """Return an error's message; for an error that is not batchops' own, with its type."""
    if isinstance(error, BatchOpsError):
        return for_console(str(error))
    return f"unexpected {type(error).__name__} while {doing}: {error}"
