"""The options in front of the verb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from batchops.stack import Stack


@dataclass
class Options:
    """The options in front of the verb, and whether the verb was asked for JSON."""

    stack_name: str = "batchops"
    target: str = "local"
    region: str | None = None
    profile: str | None = None
    project: Path | None = None
    environment: str | None = None
    as_json: bool = False
    form: str | None = None  # of tables

    def stack(self) -> Stack:
        """Return the stack that they name; made late, so that --help is quick."""
        from batchops.stack import Stack

        if self.environment is not None:
            return Stack.from_config(self.environment, project=self.project)
        target: Any = self.target
        return Stack(
            self.stack_name,
            target=target,
            region=self.region,
            profile=self.profile,
            project=self.project,
        )
