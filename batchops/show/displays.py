"""Displays: whether code runs in a notebook, and an output there that is updated in place."""

from __future__ import annotations

import sys
from typing import Any

from batchops.show import markup


class NotebookOutput:
    """An output of a notebook cell that is updated in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, html: str, text: str) -> None:
        """Replace the output with a value's HTML, and its text for front ends without HTML."""
        from IPython.display import display

        bundle = {"text/html": markup.without_formulas(html), "text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)


def in_notebook() -> bool:
    """Return whether this runs in a kernel, whose front end can show HTML."""
    ipython = sys.modules.get("IPython")  # it is imported in every kernel
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
