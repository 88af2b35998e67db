"""Check the results of a job's chunks in the ledger, and list the pieces to merge."""

from collections.abc import Callable, Iterable
from typing import Any

from batchcore import items, keys, workflow
from batchcore.error_files import CauseCounts
from batchcore.errors import BalanceError, ChunksFailedError, TooManyRejectsError
from batchcore.pieces import Piece
from batchcore.texts import number_of

LISTED_CHUNKS = 100

# Total in a job's ledger entry -> the attribute of its chunks' entries that is summed up.
TOTALS = {"rowsIn": "rows", "rowsOut": "valid", "rowsRejected": "rejected", "errors": "errors"}


def match_chunks(
    manifest: list[dict[str, Any]],
    entries: Iterable[dict[str, Any]],
    *,
    rerun: set[int],
    attempt: int,
) -> list[dict[str, Any]]:
    """Return the ledger entry of each chunk in the manifest, in order, after checking them.

    Parameters
    ----------
    rerun
        The chunks that this attempt had to run. Only a result of this attempt counts for them.

    Raises
    ------
    ChunksFailedError
        If a chunk has not succeeded.
    BalanceError
        If a chunk's rows in differ from its rows out plus its rows rejected.
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
        have = "has" if len(failed) == 1 else "have"
        raise ChunksFailedError(
            f"{len(failed)} of {number_of(len(manifest), 'chunk')} {have} no result: "
            f"{numbers}{more}"
        )
    for chunk, entry in zip(manifest, found, strict=True):
        if not chunk["rows"] == entry["rows"] == entry["valid"] + entry["rejected"]:
            raise BalanceError(
                f"chunk {chunk['number']}: {number_of(chunk['rows'], 'row')} in, {entry['valid']} "
                f"out and {entry['rejected']} rejected"
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
    """Return the pieces that are not empty, in order, after the header's piece.

    Each is the object version that the chunk's result names, whatever was written later.

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


def list_error_pieces(job: str, chunks: Iterable[dict[str, Any]]) -> list[Piece] | None:
    """Return the pieces of errors that are not empty, in order.

    None if a chunk ran in a stack of ledger format 1, which wrote none.
    """
    found = []
    for chunk in chunks:
        piece = chunk.get("errorPiece")
        if piece is None:
            return None
        if piece["sizeBytes"]:
            number = int(chunk["entry"].removeprefix(items.CHUNK_PREFIX))
            key = keys.error_piece(job, number)
            found.append(Piece(key, piece["versionId"], piece["sizeBytes"]))
    return found


def sum_up_errors(chunks: Iterable[dict[str, Any]]) -> dict[str, str | int]:
    """Return what the ledger keeps of a job's file of errors, but its place."""
    counts, rows, size = CauseCounts(), 0, 0
    for chunk in chunks:
        piece = chunk["errorPiece"]
        counts.add_text(piece["causes"])
        rows += piece["rows"]
        size += piece["sizeBytes"]
    return {"rows": rows, "sizeBytes": size, "causes": counts.dump()}


def count_rows(chunks: list[dict[str, Any]]) -> dict[str, int]:
    """Return the totals of all chunks, given the entries that `match_chunks` returned."""
    return {total: sum(chunk[name] for chunk in chunks) for total, name in TOTALS.items()}


def check_rejects(*, rows: int, rejected: int, allowed_percent: int) -> None:
    """Check that a job has rejected neither all of its rows nor more than the stack allows.

    Raises
    ------
    TooManyRejectsError
    """
    if rejected and rejected == rows:
        count = f"all {number_of(rows, 'row')} were" if rows > 1 else "the only row was"
        raise TooManyRejectsError(f"{count} rejected: see why they were, then repair the rejects")
    if rejected * 100 > rows * allowed_percent:
        were = "was" if rejected == 1 else "were"
        raise TooManyRejectsError(
            f"{rejected:,} of {number_of(rows, 'row')} {were} rejected, more than the "
            f"{allowed_percent} % that the stack allows (MaxRejectedPercent): see why they were, "
            "then repair the rejects"
        )
