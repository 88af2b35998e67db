"""Check a file that somebody hands over before it is submitted: its size, columns and plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchcore.texts import number_of, printable

from batchops.planning.conversion import AS_IT_IS, Reading
from batchops.planning.planner import plan_for
from batchops.show import markup
from batchops.show.marks import MARKS
from batchops.show.shown import Block, Shown
from batchops.show.terminal import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchops.core.stack_ref import StackRef
    from batchops.planning.plan import Plan

# A browser sends a file in one message, and Jupyter's server accepts messages of 10 MiB (the
# default of Tornado 6's websocket_max_message_size). The rest of the message takes less than 1 MiB.
MAX_UPLOAD_BYTES = 9 * 1024 * 1024


@dataclass(frozen=True)
class UploadCheck(Shown):
    """The result of checking a file before anything is uploaded.

    Attributes
    ----------
    name : str
        The name that it would be uploaded under.
    size_bytes : int
        Its size.
    problems : tuple of str
        Why it cannot be submitted, one line each; empty if it can.
    warnings : tuple of str
        What to look at before it is submitted.
    plan : Plan or None
        The plan of the file, for `Stack.submit`; None for a file that is too large to be read.
    """

    _also_in_json = ("acceptable",)

    name: str
    size_bytes: int
    problems: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    plan: Plan | None = None

    @property
    def acceptable(self) -> bool:
        """Whether it may be submitted."""
        return not self.problems

    def _title(self) -> str:
        verdict = "can be submitted" if self.acceptable else "cannot be submitted"
        return f"{self.name} ({number_of(self.size_bytes, 'byte')}) {verdict}"

    def _columns(self) -> Iterator[str]:
        """Yield the columns that were found, are missing and are extra, one line each."""
        if self.plan is None:
            return
        found = [name for name in self.plan.columns if name not in self.plan.extra]
        kinds = {"found": found, "missing": self.plan.missing, "extra": self.plan.extra}
        for kind, names in kinds.items():
            if names:
                yield f"columns {kind}: {', '.join(map(shorten, names))}"

    def _blocks(self) -> Iterator[Block]:
        mark = MARKS["done" if self.acceptable else "failed"]
        title = printable(self._title())
        yield Block(title, f"<p><b>{mark} {markup.one_line(title)}</b></p>")
        yield Block.facts(f"problem: {text}" for text in self.problems)
        # In HTML the plan below has them.
        yield Block("\n".join(printable(f"  note: {text}") for text in self.warnings))
        yield Block.facts(self._columns())
        if self.plan and self.acceptable:
            yield Block(html=self.plan._repr_html_())


def check_upload(
    stack: StackRef,
    source: bytes | str | Path,
    *,
    name: str | None = None,
    reading: Reading = AS_IT_IS,
    check_keys: bool = False,
    max_bytes: int = MAX_UPLOAD_BYTES,
) -> UploadCheck:
    """Check a file against the stack's schema, delimiter and limits, and upload nothing.

    Parameters
    ----------
    source
        The file's bytes, or its path on this computer.
    name
        The name to upload it under.
    reading
        How to read it.
    check_keys
        Look every key up in the reference data too; on AWS that costs half a read unit a key.
    max_bytes
        The most bytes that are read of a file from a browser; a path has no limit.

    Raises
    ------
    InputError
        If the path or the name is not usable.
    StackNotFoundError, AwsError
    """
    if isinstance(source, bytes) and len(source) > max_bytes:
        problem = (
            f"it is larger than the {number_of(max_bytes, 'byte')} that a browser can hand over: "
            "give its path instead"
        )
        return UploadCheck(name or "upload.csv", len(source), (problem,))
    plan = plan_for(stack, source, name=name, reading=reading, check_keys=check_keys)
    return UploadCheck(plan.name, plan.size_bytes, plan.obstacles, plan.warnings, plan)
