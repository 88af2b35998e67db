"""A merge that several functions share: who uploads which pieces, stored in S3 under a plan's name.

The workflow's state has the plan's key alone, and each item of the plan the place of its pieces, so
neither grows with the job. Every call that plans makes a plan and uploads of its own: two of them,
one being repeated because the other was given up, never mix.
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
) -> dict[str, Any]:
    """Begin the uploads of some files and store who uploads what; return the plan's key.

    Uploads of these files that were begun before are aborted: nobody will complete them.

    Parameters
    ----------
    files
        The pieces of each file, in order, by its key.
    group_bytes
        See `batchcore.pieces.plan_groups`; the files are grouped each for itself.

    Raises
    ------
    ResultTooLargeError
        If a file would be larger than can be joined; nothing is begun then.
    """
    begun = datetime.now(UTC)
    grouped = {k: plan_groups(pieces, group_bytes=group_bytes) for k, pieces in files.items()}
    name = f"{attempt:04d}-{uuid4().hex[:12]}"
    plan: list[PlanItem] = []
    for key, groups in grouped.items():
        joining.abort_uploads(s3, bucket, key, before=begun)
        upload = joining.begin_upload(s3, bucket, key, plan=name)
        for number, group in enumerate(groups, len(plan) + 1):
            plan.append({"plan": name, "number": number, "key": key, "upload": upload})
            place = keys.merge_group(job, name, number)
            aws.put_intermediate(s3, bucket, place, orjson.dumps(group))
    stored = keys.merge_plan(job, name)
    aws.put_intermediate(s3, bucket, stored, orjson.dumps(plan))
    return {"key": stored, "groups": len(plan)}


def upload_item(s3: "S3Client", bucket: str, job: str, item: PlanItem) -> int:
    """Upload the parts of one item of a plan and note their entity tags; return how many.

    Raises
    ------
    BalanceError
        If a piece has another size than it must have. It is noted in their place, for the Map that
        calls this hands on no results.
    """
    place = (job, item["plan"], item["number"])
    noted = partial(aws.put_intermediate, s3, bucket, keys.merge_parts(*place))
    group = Group.from_plain(orjson.loads(aws.read_object(s3, bucket, keys.merge_group(*place))))
    try:
        etags = joining.upload_group(s3, bucket, group, key=item["key"], upload=item["upload"])
    except BalanceError as error:
        noted(orjson.dumps({"fault": str(error)}))
        raise
    noted(orjson.dumps({"etags": etags}))
    return len(etags)


class MergePlan:
    """A stored plan whose items are uploaded, read back to be completed.

    Raises
    ------
    BalanceError
        If an item has no result, or a fault in its place.
    """

    def __init__(self, s3: "S3Client", bucket: str, job: str, key: str) -> None:
        self._s3, self._bucket = s3, bucket
        self._items: list[PlanItem] = orjson.loads(aws.read_object(s3, bucket, key))
        with ThreadPoolExecutor(joining.FETCHES_IN_FLIGHT) as pool:
            self._etags = list(pool.map(lambda item: self._parts(job, item), self._items))

    def _parts(self, job: str, item: PlanItem) -> list[str]:
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
        etags: list[str] = found["etags"]
        return etags

    def complete(self) -> None:
        """Make each file of its parts; doing it twice changes nothing."""
        uploads: dict[str, tuple[PlanItem, list[str]]] = {}
        for item, etags in zip(self._items, self._etags, strict=True):
            uploads.setdefault(item["key"], (item, []))[1].extend(etags)
        for key, (item, etags) in uploads.items():
            joining.complete_upload(
                self._s3,
                self._bucket,
                key,
                upload=item["upload"],
                etags=etags,
                plan=item["plan"],
            )
