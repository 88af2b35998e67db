"""How the columns of result files are called, where several have one name, or one has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from batchcore import csvtext, keys
from batchcore.records import REJECT_COLUMNS

from batchops.core.manifest import read_piece

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry

_UPLOADED = " (uploaded)"


def distinct(names: Sequence[str]) -> list[str]:
    """Return names as `pandas.read_csv` makes them distinct: ``a``, ``a.1``, ``Unnamed: 2``."""
    found = [name or f"Unnamed: {place}" for place, name in enumerate(names)]
    taken: Counter[str] = Counter()
    # Names that were given keep them rather than names that are made up.
    for place in sorted(range(len(found)), key=lambda place: not names[place]):
        base = name = found[place]
        count = taken[name]
        while count:
            taken[base] = count + 1
            name = f"{base}.{count}"
            count = count + 1 if name in found else taken[name]
        found[place] = name
        taken[name] = 1
    return found


def result_columns(uploaded: Sequence[str], added: Sequence[str]) -> list[str]:
    """Return distinct names for the columns of an upload and those that the job added to them.

    What the job added keeps its name. A column of the upload with the same name, from an earlier
    result for example, is called ``NAME (uploaded)``.
    """
    own = [f"{name}{_UPLOADED}" if name in added else name for name in uploaded]
    return distinct([*own, *added])


def input_columns(job: JobRef, entry: JobEntry) -> list[str]:
    r"""Return the upload's columns, from the header that the split wrote for the rejects.

    Bytes that are not UTF-8 show as ``\xA0``.

    Raises
    ------
    JobError
        If it is gone.
    AwsError
    """
    names = _header(job, entry, "rejects", keys.rejected_piece(job.id, keys.HEADER_PIECE))
    return names[: -len(REJECT_COLUMNS)]


def added_columns(job: JobRef, entry: JobEntry) -> list[str]:
    """Return the columns that the look-up adds, from the headers that the split wrote.

    Raises
    ------
    JobError
        If they are gone.
    AwsError
    """
    names = _header(job, entry, "output", keys.output(job.id, keys.HEADER_PIECE))
    return names[len(input_columns(job, entry)) :]


def _header(job: JobRef, entry: JobEntry, kind: str, key: str) -> list[str]:
    header = read_piece(job, entry.bucket, key, entry.header_versions[kind])
    text = header.removeprefix(csvtext.BOM).decode("utf-8", "backslashreplace")
    return csvtext.parse_row(text.rstrip("\r\n"), delimiter=entry.delimiter)
