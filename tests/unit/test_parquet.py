"""Output and errors as Parquet: what a frame has comes back, digit for digit."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from merged_job import FILES, put_job

from batchops.core.errors import InputError
from batchops.inspection.frames import errors_frame
from batchops.inspection.parquet import write_parquet
from batchops.inspection.typed_columns import numbers
from batchops.job import Job

if TYPE_CHECKING:
    from pathlib import Path

    from support import Account


def error(row: int) -> Any:
    from batchops.core.ledger import ErrorItem

    strings = dict.fromkeys(("column", "rule", "value", "message", "limit", "stage", "uuid"), "x")
    numbers = {"sourceRow": row, "chunk": 1, "attempt": 1, "time": "2026-11-23T06:00:00.000Z"}
    return ErrorItem({**strings, **numbers, "raw": "a,b\n"})


def test_parts_become_one_file_with_their_dtypes(tmp_path: Path) -> None:
    parts = [errors_frame(map(error, range(n, n + 3))) for n in (2, 5)]
    path = write_parquet(iter(parts), tmp_path / "errors.parquet")
    found = pd.read_parquet(path)
    pd.testing.assert_frame_equal(found, pd.concat(parts, ignore_index=True))
    assert [each.name for each in tmp_path.iterdir()] == ["errors.parquet"]


def test_file_without_errors_has_its_columns(tmp_path: Path) -> None:
    path = write_parquet([errors_frame([])], tmp_path / "errors.parquet")
    pd.testing.assert_series_equal(pd.read_parquet(path).dtypes, errors_frame([]).dtypes)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["1.5", "1.50", ""], "object"),
        (["12345678901234567890123456789", "1"], "object"),
        (["0." + "1" * 60, "2" * 10], "object"),
        (["1" * 77], "str"),
        (["1" * 40, "0." + "1" * 40], "str"),
        (["1", ""], "Int64"),
        (["1.25", ""], "Float64"),
    ],
    ids=str,
)
def test_no_digit_is_lost(tmp_path: Path, values: list[str], dtype: str) -> None:
    typed = numbers(pd.Series(values, dtype="str", name="n")).to_frame()
    found = pd.read_parquet(write_parquet([typed], tmp_path / "n.parquet"))["n"]
    assert str(found.dtype) == dtype
    for text, value in zip(values, found, strict=True):
        if text:
            assert Decimal(str(value)) == Decimal(text)
        else:
            assert pd.isna(value)


def test_output_is_stored_with_its_rows(account: Account, tmp_path: Path) -> None:
    ref = put_job(account, FILES["blank lines"])
    job = Job(ref.stack, ref.id)
    path = job.to_parquet(tmp_path / "output.parquet", source_row=True)
    pd.testing.assert_frame_equal(pd.read_parquet(path), job.output(source_row=True))


@pytest.mark.parametrize("name", [".", "missing/output.parquet"])
def test_path_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="give the path of a file in a folder"):
        write_parquet([errors_frame([])], tmp_path / name)


def test_file_that_is_there_is_kept_if_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "errors.parquet"
    path.write_bytes(b"old")

    def parts() -> Any:
        yield errors_frame([error(2)])
        raise InputError("the reading ended")

    with pytest.raises(InputError, match="the reading ended"):
        write_parquet(parts(), path)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["errors.parquet"]


def test_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'batchops\[parquet\]'"):
        write_parquet([errors_frame([])], tmp_path / "a.parquet")


def test_only_output_and_errors_can_be_stored(account: Account, tmp_path: Path) -> None:
    ref = put_job(account, FILES["plain"])
    with pytest.raises(InputError, match="give 'output' or 'errors'"):
        Job(ref.stack, ref.id).to_parquet(tmp_path / "a", of="rejects")  # type: ignore[arg-type]
