"""What the chunks of a job came to, as the ledger has it: whether it is whole, and its pieces."""

from collections.abc import Callable, Iterable
from typing import Any

from batchcore import items, workflow
from batchcore.errors import BalanceError, ChunksFailedError
from batchcore.pieces import Piece

LISTED_CHUNKS = 100

# Totals of a job in the ledger, and what of the chunks each is the sum of.
TOTALS = {"rowsIn": "rows", "rowsOut": "valid", "rowsRejected": "rejected", "errors": "errors"}


def match_chunks(
    manifest: list[dict[str, Any]],
    entries: Iterable[dict[str, Any]],
    *,
    rerun: set[int],
    attempt: int,
) -> list[dict[str, Any]]:
    """Return the ledger's entry of each chunk in the manifest, in order.

    Parameters
    ----------
    rerun
        The chunks that this attempt was to run: only its own result counts for them.

    Raises
    ------
    ChunksFailedError
        If a chunk has not succeeded.
    BalanceError
        If a chunk's rows in are not its rows out plus its rows rejected.
    """
    by_entry = {entry["entry"]: entry for entry in entries}
    found = [by_entry.get(items.chunk_entry(chunk["number"]), {}) for chunk in manifest]
    failed = [
        chunk["number"]
        for chunk, entry in zip(manifest, found, strict=True)
        if entry.get("status") != workflow.SUCCEEDED
        or (chunk["number"] in rerun and entry["attempt"] != attempt)
    ]
    if failed:
        more = f" and {len(failed) - LISTED_CHUNKS} more" if len(failed) > LISTED_CHUNKS else ""
        numbers = ", ".join(map(str, failed[:LISTED_CHUNKS]))
        raise ChunksFailedError(
            f"{len(failed)} of {len(manifest)} chunks have no result: {numbers}{more}"
        )
    for chunk, entry in zip(manifest, found, strict=True):
        if not chunk["rows"] == entry["rows"] == entry["valid"] + entry["rejected"]:
            raise BalanceError(
                f"chunk {chunk['number']}: {chunk['rows']} rows in, {entry['valid']} out and "
                f"{entry['rejected']} rejected"
            )
    return found


def list_pieces(
    job: str,
    chunks: Iterable[dict[str, Any]],
    kind: str,
    key_of: Callable[[str, int], str],
    *,
    header: Piece,
) -> list[Piece]:
    """Return the pieces that hold something, in order, the header's first.

    Each is the version that its chunk's result names, whatever was written over it since.

    Parameters
    ----------
    kind
        ``"output"`` or ``"rejects"``.
    """
    found = [header]
    for chunk in chunks:
        size = chunk["sizeBytes"][kind]
        if size:
            number = int(chunk["entry"].removeprefix(items.CHUNK_PREFIX))
            found.append(Piece(key_of(job, number), chunk["versions"][kind], size))
    return found


def count_rows(chunks: list[dict[str, Any]]) -> dict[str, int]:
    """Return what the chunks, each of them matched, come to together."""
    return {total: sum(chunk[name] for chunk in chunks) for total, name in TOTALS.items()}
