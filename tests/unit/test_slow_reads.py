"""A read that takes long says how far it is: on a terminal, and nowhere else."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from batchops.show.slow_reads import SlowRead


def shown(*, terminal: bool, after_s: float = 0.0, in_thread: bool = False) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=80)
    with SlowRead("errors", after_s=after_s, console=console) as read:
        if in_thread:
            thread = threading.Thread(target=read, args=(1_000,))
            thread.start()
            thread.join()
        else:
            read(1_000)
    return file.getvalue()


def test_slow_read_is_shown_on_a_terminal_and_taken_away() -> None:
    text = shown(terminal=True)
    assert "errors: 1,000 so far" in text
    assert text.endswith("\x1b[2K")  # the line is erased


@pytest.mark.parametrize(
    ("terminal", "after_s", "in_thread"),
    [(False, 0.0, False), (True, 60.0, False), (True, 0.0, True)],
    ids=["pipe", "quick", "other thread"],
)
def test_nothing_is_shown_elsewhere(terminal: bool, after_s: float, in_thread: bool) -> None:
    assert shown(terminal=terminal, after_s=after_s, in_thread=in_thread) == ""
