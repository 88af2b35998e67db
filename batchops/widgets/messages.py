"""The console's messages, in a region that screen readers follow."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from html import escape

import ipywidgets as widgets
from batchcore.texts import visible

from batchops.show.marks import MARKS

_MAX_ERRORS = 3


class Messages:
    """The line of running calls, the current errors, and the last result."""

    def __init__(self) -> None:
        self.root = widgets.HTML()
        self._lock = threading.RLock()
        self._doing: Counter[str] = Counter()
        self._errors: dict[str, str] = {}
        self._outcome = self._markup = ""
        self._show()

    @property
    def text(self) -> str:
        """The current errors and the last result, one line each."""
        with self._lock:
            return "\n".join(filter(None, (*dict.fromkeys(self._errors.values()), self._outcome)))

    def begin(self, doing: str) -> None:
        """Show that a call runs."""
        with self._lock:
            self._doing[doing] += 1
            self._show()

    def end(self, doing: str, trouble: str, about: str) -> None:
        """Show that a call has ended; its error stays until a call about the same succeeds."""
        with self._lock:
            self._doing[doing] -= 1
            self._doing += Counter()  # drops counts of 0
            self._errors.pop(about, None)
            if trouble:
                self._errors[about] = trouble
            self._show()

    def complain(self, about: str, text: str) -> None:
        """Show an error, until `settle` or the next error about the same thing."""
        with self._lock:
            self._errors[about] = text
            self._show()

    def settle(self, *about: str) -> None:
        """Remove the errors about things."""
        with self._lock:
            if [self._errors.pop(each) for each in about if each in self._errors]:
                self._show()

    def tell(self, text: str, *, markup: str = "") -> None:
        """Show the result of an action, and no error of before; `markup` is safe HTML after it."""
        with self._lock:
            self._errors.clear()
            self._outcome, self._markup = text, markup
            self._show()

    def _show(self) -> None:
        now = f"{datetime.now(UTC):%H:%M:%S} UTC"
        errors = list(dict.fromkeys(self._errors.values()))[-_MAX_ERRORS:]
        parts = [
            f'<div class="batchops-error">{MARKS["failed"]} error: {_lines(text)}</div>'
            for text in errors
        ]
        if self._outcome:
            done = f"{MARKS['done']} {_lines(self._outcome)}"
            parts.append(f'<div class="batchops-done">{done} {self._markup}</div>')
        doing = ", ".join(sorted(self._doing))
        text = f"{escape(visible(doing))} ..." if doing else f"ready ({now})"
        parts.append(f'<div class="batchops-quiet">{text}</div>')
        self.root.value = f'<div role="status" aria-live="polite">{"".join(parts)}</div>'


def _lines(text: str) -> str:
    return escape(visible(text)).replace("\n", "<br>")
