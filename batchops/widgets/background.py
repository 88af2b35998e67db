"""What takes long runs in threads, so that neither the kernel nor the widgets wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from batchops.core.errors import BatchOpsError

T = TypeVar("T")

# A download need not keep the errors of another job from being read.
_WORKERS = 4
THREAD_PREFIX = "batchops-console"


@dataclass(frozen=True)
class _Call(Generic[T]):
    """One call, and the turn that it has among those of its key."""

    work: Callable[[], T]
    then: Callable[[T], None]
    doing: str
    key: str
    turn: int
    busy: Sequence[Any]
    on_error: Callable[[], None] | None


class Background:
    """Runs calls in threads and hands on what they return, or what they raise.

    Parameters
    ----------
    on_begin
        Called with what is being done, when it begins.
    on_end
        Called with the same when it ends, and with what went wrong, for people; empty if nothing.
    """

    def __init__(
        self, *, on_begin: Callable[[str], None], on_end: Callable[[str, str], None]
    ) -> None:
        self._on_begin, self._on_end = on_begin, on_end
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix=THREAD_PREFIX)
        self._lock = threading.Lock()
        self._pending: set[Future[None]] = set()
        self._latest: dict[str, int] = {}
        self._busy: dict[Any, int] = {}
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
            What it is, to be said while it lasts: ``"planning the rerun"``.
        key
            Of several calls with one key only the last one's result is handed on.
        busy
            Widgets that are disabled meanwhile.
        on_error
            Called where `work` raised something, which has then been said.
        """
        with self._lock:
            if self._closed:
                return
            self._disable(busy)
            turn = self._latest[key] = self._latest.get(key, 0) + 1
            # Submitted under the lock, so that no call comes after the pool's shutdown.
            call = _Call(work, then, doing, key, turn, busy, on_error)
            future = self._pool.submit(self._carry_out, call)
            self._pending.add(future)
        future.add_done_callback(self._forget)

    def forget(self, key: str) -> None:
        """Drop the result of what still runs under a key."""
        with self._lock:
            self._latest[key] = self._latest.get(key, 0) + 1

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is under way, not even what that started; False if it still is."""
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
        """Begin nothing more, and drop the results of what is under way."""
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
        except Exception as error:  # whatever it is, people are to see it, and not a log alone
            if self._is_latest(call):
                trouble = describe_error(error, call.doing)
                if call.on_error is not None:
                    call.on_error()
        finally:
            self._enable(call.busy)
            self._on_end(call.doing, trouble)

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
                        widget.disabled = False

    def _forget(self, future: Future[None]) -> None:
        with self._lock:
            self._pending.discard(future)


def describe_error(error: Exception, doing: str) -> str:
    """Return an error as a text: ours says what to do next, of any other its name is told too."""
    if isinstance(error, BatchOpsError):
        return str(error)
    return f"unexpected {type(error).__name__} while {doing}: {error}"
