"""Addresses that open a result file in a browser, and where they do."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from batchops.core.errors import translated
from batchops.inspection.result_check import require_result
from batchops.inspection.result_files import ResultFile, fetch, result_key
from batchops.show import markup

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef

# What a page takes along without becoming slow; browsers take much more.
EMBEDDED_BYTES = 5_000_000

HERE_ONLY = (
    "The local engine answers on this computer only, so the address opens nothing in a browser on "
    "another one, such as that of a remote Jupyter."
)


class Link(str):
    """An address that opens a result file without credentials.

    Attributes
    ----------
    here_only : bool
        Whether it opens the file on this computer only.
    """

    __slots__ = ("here_only",)

    here_only: bool

    @classmethod
    def of(cls, address: str, *, here_only: bool) -> Link:
        """Return an address as a link that knows where it works."""
        link = cls(address)
        link.here_only = here_only
        return link

    def _repr_html_(self) -> str:
        address = markup.one_line(self)
        opens = f'<a href="{address}" target="_blank" rel="noopener noreferrer">open it</a>'
        if not self.here_only:
            return opens
        return f"{opens}<br>{HERE_ONLY} There, job.download() puts the file beside the notebook."


def make_link(job: JobRef, *, expires_s: int, rejected: bool) -> Link:
    """Return an address that opens a result file without credentials; see `Job.link`."""
    key = result_key(job, rejected=rejected)
    require_result(job, rejected=rejected)
    params = {
        "Bucket": job.stack.outputs["SourceBucketName"],
        "Key": key,
    }
    with translated("making a link"):
        s3 = job.stack.client("s3")
        address = s3.generate_presigned_url("get_object", Params=params, ExpiresIn=expires_s)
    return Link.of(address, here_only=job.stack.target.local)


def embedded(job: JobRef, file: ResultFile, name: str) -> str:
    """Return HTML that hands a file to the browser wherever that runs; "" for one too large.

    Parameters
    ----------
    name
        What the browser stores it as.

    Raises
    ------
    AwsError
    """
    if file.size_bytes > EMBEDDED_BYTES:
        return ""
    content = io.BytesIO()
    fetch(job, file.key, content)
    data = base64.b64encode(content.getvalue()).decode()
    return f'<a download="{markup.one_line(name)}" href="data:text/csv;base64,{data}">save it</a>'
