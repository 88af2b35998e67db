"""Read many items of a table by their keys, some hundreds at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from batchcore import aws, items
from batchcore.errors import TransientError

from batchops.core.errors import AwsError, translated

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

_WORKERS = 8


def look_up(
    stack: StackRef,
    table: str,
    keys: Sequence[Mapping[str, Any]],
    *,
    doing: str,
    options: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Yield the items that exist as plain values, in no order.

    Parameters
    ----------
    doing
        What for, for the message of an error.
    options
        What is asked of the table besides the keys, such as a projection.

    Raises
    ------
    AwsError
    """
    dynamodb = stack.client("dynamodb")

    def get(batch: Sequence[Mapping[str, Any]]) -> list[items.Item]:
        return aws.batch_get(dynamodb, table, batch, options=options)

    with translated(doing), ThreadPoolExecutor(_WORKERS) as pool:
        try:
            for found in pool.map(get, aws.batches(keys, aws.GET_BATCH)):
                yield from map(items.plain, found)
        except TransientError as error:
            raise AwsError(f"{doing}: throttled, try again: {error}") from error
