"""Preview a deployment: what it would change, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore.texts import number_of

from batchops.deployment import change_sets, delivery
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from batchops.core.project import Project
    from batchops.core.stack_ref import StackRef
    from batchops.deployment.change_sets import Change, ChangeSet

_COLUMNS = ("action", "logical_id", "type", "replacement", "properties")
# A new stack's changes fill several screens.
_UNFOLDED = 12


@dataclass(frozen=True)
class Preview(Shown):
    """What a deployment would change. Nothing has been changed.

    Attributes
    ----------
    stack_name : str
        The stack.
    creates : bool
        Whether the stack would be created.
    changes : tuple of Change
        One a resource; empty if the stack is up to date, or if only its outputs
        would change.
    unchanged : bool
        Whether there is nothing to deploy.
    """

    stack_name: str
    creates: bool
    changes: tuple[Change, ...]
    unchanged: bool

    @property
    def replaced(self) -> tuple[Change, ...]:
        """The changes that put a new resource in the place of the old, or may do so."""
        return tuple(c for c in self.changes if c.replacement in ("True", "Conditional"))

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(self._summary())
        folded = "each of them" if len(self.changes) > _UNFOLDED else ""
        yield Block.table(_COLUMNS, self._rows(), folded=folded)

    def to_frame(self) -> pd.DataFrame:
        """Return the changes.

        Returns
        -------
        DataFrame
            One line a resource, all ``str``: ``action`` (Add, Modify, Remove, Import, Dynamic),
            ``logical_id``, ``type``, ``replacement`` (True, False, Conditional; empty where a
            resource is added or removed), ``properties`` (those that change, with commas between;
            empty where CloudFormation names none).
        """
        import pandas as pd

        return pd.DataFrame(self._rows(), columns=list(_COLUMNS), dtype="str")

    def _summary(self) -> str:
        if self.unchanged:
            return f"stack {self.stack_name}: unchanged"
        if self.creates:
            return (
                f"stack {self.stack_name} would be created, with "
                f"{number_of(len(self.changes), 'resource')}"
            )
        changed = number_of(len(self.changes), "resource") if self.changes else "only outputs"
        replaced = f", {len(self.replaced)} of them may be replaced" if self.replaced else ""
        return f"stack {self.stack_name}: {changed} would change{replaced}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (c.action, c.logical_id, c.resource_type, c.replacement, ", ".join(c.properties))
            for c in self.changes
        ]


def preview_stack(stack: StackRef, project: Project, order: delivery.Order) -> Preview:
    """Return what a deployment would change, and change nothing.

    Raises
    ------
    InputError, StackError, PackagingError, AwsError, EngineError
    """
    change_set = delivery.prepare(stack, project, order).change_set
    change_sets.discard_change_set(stack.client("cloudformation"), change_set)
    return preview_of(change_set)


def preview_of(change_set: ChangeSet) -> Preview:
    """Return what a change set would do."""
    return Preview(
        stack_name=change_set.stack_name,
        creates=change_set.creates,
        changes=change_set.changes,
        unchanged=change_set.unchanged,
    )
