"""What went wrong in the published sample that this stack goes back to, and which test holds it.

Each failure was tried on the sample itself. A line here names tests that would fail if it came
back; what no other test held is in ``tests/e2e/test_original_failures.py``.
"""

from __future__ import annotations

import ast
import re

import pytest
from support import ROOT

BAD_INPUT = (
    "e2e/test_bad_input.py::test_acceptable_file_keeps_its_bytes_and_loses_only_its_bad_rows"
)
REFUSED = "e2e/test_bad_input.py::test_unacceptable_file_ends_the_job_with_a_named_error_and_stays"
NAMES = "e2e/test_uploads.py::test_file_of_any_name_is_processed_and_archived_under_its_path"
OWN = "e2e/test_original_failures.py::"

HELD_BY = {
    "the reasons of errors are lost": (
        f"{BAD_INPUT}[all rules of a row]",
        "e2e/test_sample.py::test_every_row_and_every_violation_is_where_the_sample_says",
    ),
    "two bad rows with one uuid are stored once": (
        f"{BAD_INPUT}[duplicate rows and keys]",
        f"{OWN}test_bad_rows_with_one_key_or_none_are_each_kept",
    ),
    "two bad rows without a uuid fail the job": (
        f"{OWN}test_bad_rows_with_one_key_or_none_are_each_kept",
    ),
    "an unknown uuid fails the job": (f"{BAD_INPUT}[unknown key]",),
    "a file name with spaces fails": (f"{NAMES}[with spaces.csv]",),
    "a file name with plus signs fails": (f"{NAMES}[plus+sign & ampersand=1.csv]",),
    "a file name of other alphabets fails": (f"{NAMES}[ünïcode 文件 🐘.csv]",),
    "a file name with brackets fails": (f"{NAMES}[brackets [1] (2) {{3}}.csv]",),
    "another delimiter fails": (
        "e2e/test_other_data.py::test_completed_file_is_the_input_and_the_enrichment_to_the_byte",
        f"{REFUSED}[wrong delimiter]",
    ),
    "a missing column fails the job with the input gone": (f"{REFUSED}[missing columns]",),
    "a short row fails the job with the input gone": (f"{BAD_INPUT}[too few and too many fields]",),
    "a blank last line fails the job with the input gone": (f"{BAD_INPUT}[blank lines]",),
    "swapped columns succeed under wrong headers": (f"{BAD_INPUT}[columns in another order]",),
    "without a header the first row is lost": (f"{REFUSED}[no header row]",),
    "extra columns are dropped": (f"{BAD_INPUT}[extra columns]",),
    "CRLF inside a field becomes LF": (f"{BAD_INPUT}[quotes, commas, newlines in fields]",),
    "chunks are merged as 10, 11, 1": (
        "e2e/test_uploads.py::test_file_of_many_small_chunks_keeps_its_order",
    ),
    "1,100 chunks merge to 999": (
        "unit/test_function_merge_s3_files.py::test_order_holds_beyond_one_page_of_a_listing",
    ),
    "a second merge doubles the rows": (
        "unit/test_function_merge_s3_files.py::test_repeated_call_after_success_gives_the_same",
    ),
    "of two uploads of one name one is never processed": (
        "e2e/test_uploads.py::test_same_name_uploaded_again_while_the_first_runs_makes_two_jobs",
        "e2e/test_concurrency.py::test_files_at_once_are_jobs_that_do_not_mix",
    ),
    "the same event twice makes an execution that fails": (
        "e2e/test_uploads.py::test_event_delivered_twice_starts_one_job",
        "e2e/test_concurrency.py::test_event_delivered_five_times_at_once_starts_one_job",
    ),
    "a chunk that cannot be stored is swallowed and the input deleted": (
        f"{OWN}test_chunk_that_cannot_be_stored_fails_the_job_and_the_input_stays",
    ),
    "the same base name in two folders overwrites the archive": (
        f"{NAMES}[a/name.csv]",
        f"{NAMES}[b/name.csv]",
    ),
    "a failed job tells nobody": (
        f"{REFUSED}[empty file]",
        "e2e/test_workflow.py::test_failed_chunks_fail_the_job_and_a_rerun_completes_it",
    ),
}


@pytest.mark.parametrize("failure", HELD_BY)
def test_failure_of_the_published_sample_is_held_by_tests_that_exist(failure: str) -> None:
    for test in HELD_BY[failure]:
        found = re.fullmatch(r"(\S+\.py)::(\w+)(?:\[(.*)\])?", test)
        assert found, test
        text = (ROOT / "tests" / found[1]).read_text(encoding="utf-8")
        tree = ast.parse(text)
        assert found[2] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if found[3] is not None:
            constants = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            assert found[3] in constants, test
