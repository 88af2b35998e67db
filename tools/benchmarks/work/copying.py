"""The lower bound of every tool: read each step's bytes once, and write the bytes of its result."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from batchcore import keys

from tools.benchmarks.bucket import INPUT_KEY, JOB, read_manifest
from tools.benchmarks.work import Work

_BLOCK_BYTES = 4 * 1024 * 1024


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:  # noqa: ARG001
    """Return the work of copying what a step reads, or (``reading``) of reading the input once."""
    target = folder / "copy"
    sources = [folder / INPUT_KEY]
    if step not in ("split", "reading"):
        of = {"read": keys.chunk, "validate": keys.records, "write": keys.enriched}
        key_of = of.get(step, keys.output)
        sources = [folder / key_of(JOB, c["number"]) for c in read_manifest(folder)]

    def work() -> None:
        if step == "reading":
            for _ in _blocks(sources):
                pass
            return
        with target.open("wb") as file:
            for block in _blocks(sources):
                file.write(block)

    return work, lambda: target.unlink(missing_ok=True)


def _blocks(sources: Iterable[Path]) -> Iterable[bytes]:
    for source in sources:
        with source.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                yield block
