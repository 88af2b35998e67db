"""Job ids name one object version for ever, and every object has its place."""

from __future__ import annotations

import re
import string

import pytest
from batchcore import jobs, keys
from batchcore.errors import NameTooLongError
from hypothesis import given
from hypothesis import strategies as st

INPUT_KEYS = st.text(min_size=1, max_size=80).map(lambda name: f"input/{name}")
JOB = "orders-000000000001"


@given(INPUT_KEYS, st.text(min_size=1))
def test_job_id_is_short_and_plain_whatever_the_file_is_called(key: str, version: str) -> None:
    job = jobs.job_id("bucket", key, version)
    assert jobs.JOB_ID.fullmatch(job)
    assert len(job) <= 53
    # AWS Step Functions, StartExecution: a name has 1 to 80 characters.
    assert len(jobs.execution_name(job, 10_000)) <= 80


@given(INPUT_KEYS, st.text(min_size=1), INPUT_KEYS, st.text(min_size=1))
def test_job_ids_are_the_same_only_for_the_same_object_version(
    key: str, version: str, other_key: str, other_version: str
) -> None:
    one = jobs.job_id("bucket", key, version)
    assert one == jobs.job_id("bucket", key, version)
    same = (key, version) == (other_key, other_version)
    assert (one == jobs.job_id("bucket", other_key, other_version)) == same


def test_job_id_is_what_it_always_was() -> None:
    # The ledger, the keys in S3 and the executions' names of earlier jobs hang on it.
    assert jobs.job_id("bucket", "input/Q1 Orders.csv", "v1") == "q1-orders-78be95e749d2"


def test_parts_of_the_identity_do_not_run_together() -> None:
    assert jobs.job_id("b", "input/a", "1v") != jobs.job_id("b", "input/a1", "v")
    assert jobs.job_id("a", "input/x", "v") != jobs.job_id("b", "input/x", "v")


@pytest.mark.parametrize(
    ("key", "slug"),
    [
        ("input/orders.csv", "orders"),
        ("input/2026/Q1 Orders+final.v2.csv", "q1-orders-final-v2"),
        ("input/Bestellungen März.csv", "bestellungen-marz"),
        ("input/注文.csv", "file"),
        ("input/___.csv", "file"),
        ("input/.csv", "file"),
        ("input/no-extension", "no-extension"),
        ("input/a\nb\t'c\".csv", "a-b-c"),
        ("input/" + "x" * 39 + "-y.csv", "x" * 39),
    ],
)
def test_slug_is_the_name_in_lower_case_letters_digits_and_dashes(key: str, slug: str) -> None:
    assert jobs.slug(key) == slug


def test_first_attempt_has_the_jobs_name_and_later_ones_a_suffix() -> None:
    assert jobs.execution_name(JOB, 1) == JOB
    assert jobs.execution_name(JOB, 2) == f"{JOB}-a2"


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        *((char, char) for char in ",;|:~^ \\'\t"),
        ("tab", "\t"),
        ("TAB", "\t"),
        ("\\t", "\t"),
        ("comma", ","),
        ("Semicolon", ";"),
        ("pipe", "|"),
    ],
)
def test_delimiter_is_a_character_or_its_name(text: str, delimiter: str) -> None:
    assert jobs.parse_delimiter(text) == delimiter


@pytest.mark.parametrize("text", ["", '"', ",,", "\n", "\r", "\0", "\x7f", "é", "§", "colon"])
def test_what_cannot_delimit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot delimit fields"):
        jobs.parse_delimiter(text)


def test_objects_of_a_job_lie_under_its_folder() -> None:
    assert keys.manifest(JOB, 1) == f"jobs/{JOB}/manifest-0001.json"
    assert keys.resume_manifest(JOB, 2) == f"jobs/{JOB}/manifest-0002-resumed.json"
    assert keys.cuts(JOB, 1) == f"jobs/{JOB}/ranges/0001/cuts.json"
    assert keys.chunk(JOB, 1) == f"jobs/{JOB}/chunks/000001.csv"
    assert keys.output(JOB, 1) == f"jobs/{JOB}/output/000001.csv"
    assert keys.rejected_piece(JOB, keys.HEADER_PIECE) == f"jobs/{JOB}/rejects/000000.csv"
    assert keys.records(JOB, 999_999) == f"jobs/{JOB}/records/999999.json"
    assert keys.valid(JOB, 1) == f"jobs/{JOB}/valid/000001.json"
    assert keys.enriched(JOB, 1) == f"jobs/{JOB}/enriched/000001.json"


def test_results_keep_the_files_name() -> None:
    key = "input/2026/Q1 Orders+ü.csv"
    assert keys.completed(JOB, key) == f"jobs/{JOB}/completed/Q1 Orders+ü.csv"
    assert keys.rejected(JOB, key) == f"jobs/{JOB}/rejected/Q1 Orders+ü.csv"
    # Results are not packed.
    assert keys.completed(JOB, f"{key}.gz") == keys.completed(JOB, key)
    assert keys.rejected(JOB, f"{key}.GZ") == keys.rejected(JOB, key)


@pytest.mark.parametrize("folder", ["archive", "archive/", "/archive", "a/b"])
def test_archive_keeps_the_path_under_input(folder: str) -> None:
    assert keys.archive(folder, "input/2026/a.csv") == f"{folder.strip('/')}/2026/a.csv"


PATHS = st.text(string.ascii_lowercase + "/. ", min_size=1).map(lambda path: f"input/{path}")


@given(PATHS, PATHS)
def test_files_in_two_folders_are_archived_at_two_places(one: str, other: str) -> None:
    assert (keys.archive("done", one) == keys.archive("done", other)) == (one == other)


@given(st.integers(0, 999_998))
def test_pieces_sort_by_number(number: int) -> None:
    for place in (keys.chunk, keys.output, keys.rejected_piece, keys.records):
        assert place(JOB, number) < place(JOB, number + 1)
    assert re.search(r"/\d{6}\.", keys.output(JOB, number))


@pytest.mark.parametrize(
    ("name", "surplus"),
    [
        ("x" * 955, 0),  # behind the 69 bytes of jobs/<job id>/completed/
        ("é" * 477, 0),
        ("a/" * 502 + "b.csv", 0),  # behind the 14 of input_archive/
        ("x" * 956, 1),
        ("é" * 478, 1),
        ("a/" * 503 + "b.csv", 1),
        ("x" * 1_018, 63),  # the longest that can be uploaded
    ],
)
def test_name_whose_keys_s3_would_refuse_is_refused_first(name: str, surplus: int) -> None:
    key = f"input/{name}"
    job = jobs.job_id("bucket", key, "v")
    if not surplus:
        keys.check_name(job, key, "input_archive")
        return
    with pytest.raises(NameTooLongError, match=f"is {surplus} bytes? shorter"):
        keys.check_name(job, key, "input_archive")
