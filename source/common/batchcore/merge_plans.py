"""Share a large merge between several function calls, by a plan that is stored in S3.

The workflow's state has only the plan's key, and each item of the plan only the key of its pieces,
so neither grows with the job. Each call that plans makes its own plan with its own uploads. So if
the call is repeated because an earlier one was abandoned, the two never mix.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import orjson

from batchcore import aws, joining, keys
from batchcore.errors import BalanceError
from batchcore.pieces import Group, Piece, plan_groups

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PlanItem = dict[str, Any]


def store_plan(
    s3: "S3Client",
    bucket: str,
    job: str,
    files: Mapping[str, Sequence[Piece]],
    *,
    attempt: int,
    group_bytes: int,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Begin the uploads of some files and store the plan of who uploads what.

    Earlier uploads of these files are aborted, because nobody will complete them.

    Parameters
    ----------
    files
        The pieces of each file, in order, by the file's key.
    group_bytes
        See `batchcore.pieces.plan_groups`. Each file is divided into groups of its own.
    tags
        The tag of a file, by its key; by default none has one.

    Returns
    -------
    dict
        ``key``, where the plan is stored, and ``groups``, the number of its items.

    Raises
    ------
    ResultTooLargeError
        If a file would be too large to be joined. No upload is begun.
    """
    begun = datetime.now(UTC)
    grouped = {k: plan_groups(pieces, group_bytes=group_bytes) for k, pieces in files.items()}
    name = f"{attempt:04d}-{uuid4().hex[:12]}"
    plan: list[PlanItem] = []
    for key, groups in grouped.items():
        joining.abort_uploads(s3, bucket, key, before=begun)
        upload = joining.begin_upload(s3, bucket, key, plan=name, tag=(tags or {}).get(key, ""))
        for number, group in enumerate(groups, len(plan) + 1):
            plan.append({"plan": name, "number": number, "key": key, "upload": upload})
            place = keys.merge_group(job, name, number)
            aws.put_intermediate(s3, bucket, place, orjson.dumps(group))
    stored = keys.merge_plan(job, name)
    aws.put_intermediate(s3, bucket, stored, orjson.dumps(plan))
    return {"key": stored, "groups": len(plan)}


def upload_item(s3: "S3Client", bucket: str, job: str, item: PlanItem) -> int:
    """Upload the parts of one item of a plan, store their receipts, and return their number.

    Raises
    ------
    BalanceError
        If a piece does not have its recorded size. The fault is also stored instead, because the
        Map that calls this function passes on no results.
    """
    place = (job, item["plan"], item["number"])
    noted = partial(aws.put_intermediate, s3, bucket, keys.merge_parts(*place))
    group = Group.from_plain(orjson.loads(aws.read_object(s3, bucket, keys.merge_group(*place))))
    try:
        parts = joining.upload_group(s3, bucket, group, key=item["key"], upload=item["upload"])
    except BalanceError as error:
        noted(orjson.dumps({"fault": str(error)}))
        raise
    noted(orjson.dumps({"parts": parts}))
    return len(parts)


class MergePlan:
    """A stored plan, read back after its items were uploaded, to complete the uploads.

    Raises
    ------
    BalanceError
        If an item has no result, or has a fault.
    """

    def __init__(self, s3: "S3Client", bucket: str, job: str, key: str) -> None:
        self._s3, self._bucket = s3, bucket
        self._items: list[PlanItem] = orjson.loads(aws.read_object(s3, bucket, key))
        with ThreadPoolExecutor(joining.FETCHES_IN_FLIGHT) as pool:
            self._parts = list(pool.map(lambda item: self._read_parts(job, item), self._items))

    def _read_parts(self, job: str, item: PlanItem) -> list[joining.PartReceipt]:
        key = keys.merge_parts(job, item["plan"], item["number"])
        try:
            found = orjson.loads(aws.read_object(self._s3, self._bucket, key))
        except self._s3.exceptions.NoSuchKey as error:
            raise BalanceError(
                f"group {item['number']} of the merge has no result: the log of merge-s3-files "
                "says why; rerun the job"
            ) from error
        if "fault" in found:
            raise BalanceError(found["fault"])
        parts: list[joining.PartReceipt] = found["parts"]
        return parts

    def complete(self) -> dict[str, str]:
        """Create each file from its parts, and return its version, by its key.

        Repeating this changes nothing.
        """
        uploads: dict[str, tuple[PlanItem, list[joining.PartReceipt]]] = {}
        for item, parts in zip(self._items, self._parts, strict=True):
            uploads.setdefault(item["key"], (item, []))[1].extend(parts)
        return {
            key: joining.complete_upload(
                self._s3,
                self._bucket,
                key,
                upload=item["upload"],
                parts=parts,
                plan=item["plan"],
            )
            for key, (item, parts) in uploads.items()
        }
