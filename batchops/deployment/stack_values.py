"""What deploying and deleting a stack came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchops.show import markup

if TYPE_CHECKING:
    from batchops.deployment.change_sets import Change
    from batchops.deployment.resources import Holdings


@dataclass(frozen=True)
class Deployment:
    """What a deployment did.

    Attributes
    ----------
    changes : tuple of Change
        What changed, a resource each; empty if the stack was as the template says already.
    outputs : mapping of str to str
        The stack's outputs.
    uploaded, reused : int
        Artefacts that were uploaded, and those that were there.
    seconds : float
        How long it took, packaging included.
    """

    changes: tuple[Change, ...]
    outputs: Mapping[str, str]
    uploaded: int
    reused: int
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything changed."""
        return bool(self.changes)

    def __str__(self) -> str:
        """Say it in a line."""
        what = f"{len(self.changes)} resources changed" if self.changed else "unchanged"
        return (
            f"{what}, {self.uploaded} artefacts uploaded, {self.reused} reused, "
            f"{self.seconds:.1f} s"
        )

    def _repr_html_(self) -> str:
        rows = sorted(self.outputs.items())
        table = markup.table(("output", "value"), rows)
        return markup.paragraph(self) + markup.folded(f"{len(rows):,} outputs", table)


@dataclass(frozen=True)
class Destruction:
    """What deleting a stack takes away.

    Attributes
    ----------
    stack_name : str
        The stack.
    deleted : bool
        Whether it is deleted; False after a dry run.
    holdings : Holdings
        What it held.
    stopped : tuple of str
        Ids of the jobs that ran and were stopped first.
    """

    stack_name: str
    deleted: bool
    holdings: Holdings
    stopped: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in a few lines."""
        verb = "is deleted" if self.deleted else "would be deleted (dry_run=False deletes it)"
        text = f"stack {self.stack_name} {verb}, with all that it held\n{self.holdings}"
        return f"{text}\nstopped first: {', '.join(self.stopped)}" if self.stopped else text

    def _repr_html_(self) -> str:
        first, *holdings = str(self).splitlines()
        return markup.paragraph(first) + markup.bullets(holdings)
