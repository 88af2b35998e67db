"""A link says where it works, and what to do where it does not."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
import support

from batchops.core.job_ref import JobRef
from batchops.inspection.links import EMBEDDED_BYTES, Link, embedded
from batchops.inspection.result_files import ResultFile

ADDRESS = "https://example.com/a?b=1&c=2"


@pytest.mark.parametrize("here_only", [False, True])
def test_link_is_its_address_and_says_where_it_opens(here_only: bool) -> None:
    link = Link.of(ADDRESS, here_only=here_only)
    assert link == ADDRESS
    html = link._repr_html_()
    assert '<a href="https://example.com/a?b=1&amp;c=2"' in html
    assert ("on this computer only" in html) is here_only
    assert ("job.download()" in html) is here_only


def test_file_is_handed_to_the_browser_up_to_a_size(account: support.Account) -> None:
    account.put("jobs/a/completed/a.csv", b"a,b\n1,2\n")
    outputs = {"SourceBucketName": support.BUCKET}
    job = JobRef(support.stack_ref(outputs=outputs, s3=account.s3), "a")
    file = ResultFile(support.BUCKET, "jobs/a/completed/a.csv", 8, datetime.now(UTC))
    html = embedded(job, file, 'a"b.csv')
    assert html == (
        '<a download="a&quot;b.csv" href="data:text/csv;base64,YSxiCjEsMgo=">save it</a>'
    )
    too_large = dataclasses.replace(file, size_bytes=EMBEDDED_BYTES + 1)
    assert embedded(job, too_large, "a.csv") == ""
