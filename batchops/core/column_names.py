"""Name the columns of result files and errors, also where the upload repeats a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from batchcore import csvtext, keys
from batchcore.records import REJECT_COLUMNS

from batchops.core.ledger import ERROR_COLUMNS
from batchops.core.manifest import read_piece

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry
    from batchops.core.stack_ref import StackRef

# What the ledger calls a row's key, whatever its column is called.
LEDGER_KEY = "uuid"

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


def key_name(stack: StackRef) -> str:
    """Return how the errors' column with the rows' key is called: as in the deployed schema.

    It is ``key`` where the schema has none, and ``NAME (uploaded)`` where the errors have a column
    of its name. Stacks of earlier versions do not say the name, so it is ``uuid``.
    """
    outputs = stack.outputs
    name = (outputs.json_text("KeyColumn") or "key") if "KeyColumn" in outputs else LEDGER_KEY
    return f"{name}{_UPLOADED}" if name in ERROR_COLUMNS.keys() - {LEDGER_KEY} else name


def with_key_name(errors: pd.DataFrame, stack: StackRef) -> pd.DataFrame:
    """Return errors with the key's column under its own name."""
    return errors.rename(columns={LEDGER_KEY: key_name(stack)})


def key_column(errors: pd.DataFrame) -> str | None:
    """Return how the key's column is called in errors that `with_key_name` returned, if at all."""
    own = ERROR_COLUMNS.keys() - {LEDGER_KEY}
    # What somebody has added stands behind it.
    return next((str(name) for name in errors.columns if name not in own), None)


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
