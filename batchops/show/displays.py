"""Where values are shown: whether this is a notebook, and an output of it that is kept current."""

from __future__ import annotations

import sys
from typing import Any


class NotebookOutput:
    """One output of a notebook cell, updated in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, html: str, text: str) -> None:
        """Show a value over what was shown before: HTML, and text for where there is no HTML."""
        from IPython.display import display

        bundle = {"text/html": html, "text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)


def in_notebook() -> bool:
    """Tell whether this runs in a kernel, whose front end can show HTML."""
    ipython = sys.modules.get("IPython")  # where it is not imported, no kernel runs
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
