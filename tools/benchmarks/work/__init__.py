"""The same five steps with different tools: each module's ``prepare`` returns a step's work.

``prepare(step, folder, chunk_rows)`` returns what is to be measured, and what is to be done when
that is over. ``folder`` is the bucket's: ``input/orders.csv``, and what the steps before have left.
"""

from collections.abc import Callable

Work = tuple[Callable[[], object], Callable[[], object]]


def nothing() -> None:
    """Do nothing when the work is over."""
