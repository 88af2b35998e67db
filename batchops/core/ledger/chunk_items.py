"""A chunk's entry in JobTable."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from batchcore import items, keys, workflow

from batchops.core.ledger.entries import Entry, ErrorsPlace


class ChunkEntry(Entry):
    """A chunk's entry."""

    @property
    def name(self) -> str:
        """The chunk's sort key in the ledger."""
        return str(self.item["entry"])

    @property
    def number(self) -> int:
        """The chunk's number, from 1."""
        return int(self.name.removeprefix(items.CHUNK_PREFIX))

    @property
    def rows(self) -> int | None:
        """Rows of the chunk; None in its first attempt until it has ended."""
        return self.item.get("rows")

    @property
    def valid(self) -> int | None:
        """Rows in the output; None until the chunk has ended."""
        return self.item.get("valid")

    @property
    def rejected(self) -> int | None:
        """Rows that were rejected; None until the chunk has ended."""
        return self.item.get("rejected")

    @property
    def errors(self) -> int | None:
        """Errors of the rejected rows; None until the chunk has ended."""
        return self.item.get("errors")

    @property
    def execution_arn(self) -> str:
        """The execution of the chunk workflow that ran it last; empty if none has."""
        return str(self.item.get("executionArn", ""))

    @property
    def balances(self) -> bool:
        """Whether the chunk succeeded with each of its rows accepted or rejected."""
        return self.status == workflow.SUCCEEDED and self.rows == (self.valid or 0) + (
            self.rejected or 0
        )

    @property
    def error_piece(self) -> ErrorsPlace | None:
        """The chunk's errors, as the last attempt left them that has ended; None if it left none.

        An attempt in a stack of ledger format 1 did not.
        """
        found = self.item.get("errorPiece")
        if found is None:
            return None
        return ErrorsPlace.of(found, keys.error_piece(str(self.item["jobId"]), self.number))

    @property
    def rows_with_errors(self) -> int | None:
        """Rows that have errors in the chunk's piece; None if it has none, see `error_piece`."""
        found = self.item.get("errorPiece")
        return None if found is None else int(found["rows"])

    @property
    def piece_bytes(self) -> Mapping[str, int]:
        """Bytes of the pieces that the chunk wrote, by ``output`` and ``rejects``."""
        return dict(self.item.get("sizeBytes", {}))

    @property
    def piece_versions(self) -> Mapping[str, str]:
        """Versions of the pieces that the chunk wrote, by ``output`` and ``rejects``."""
        return dict(self.item.get("versions", {}))

    @property
    def step_ms(self) -> Mapping[str, int]:
        """Milliseconds that each step's function took."""
        return dict(self.item.get("stepMs", {}))

    @property
    def step_starts(self) -> Mapping[str, datetime]:
        """When each step's function began; empty if the stack's version does not note it."""
        starts: Mapping[str, str] = self.item.get("stepStarts", {})
        return {name: datetime.fromisoformat(text) for name, text in starts.items()}

    @property
    def cold_steps(self) -> tuple[str, ...]:
        """The steps whose function had to be started first."""
        return tuple(str(self.item.get("coldSteps", "")).split())

    @property
    def failed_step(self) -> str:
        """The state that failed; empty if none did."""
        return str(self.item.get("failedStep", ""))

    @property
    def failed_at(self) -> str:
        """The state that failed, with the function that it calls; empty if none did."""
        state = self.failed_step
        called = [step.function for step in workflow.CHUNK_STEPS if step.state == state]
        return f"{state} ({called[0]})" if called else state

    @property
    def cause(self) -> str:
        """The cause of the error as Step Functions has it; empty if there is none."""
        return str(self.item.get("cause", ""))
