"""What somebody else named or wrote steers no terminal, leaves no folder and fetches nothing."""

from __future__ import annotations

import io
import json
import stat
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import pandas as pd
import pytest
from batchcore import items, keys, workflow
from batchcore.errors import SchemaError
from batchcore.runtime import logger
from batchcore.schema import RecordSchema
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from support import SCHEMA, Server, always

from batchops.cli import base
from batchops.cli.jobs import _jobs_table
from batchops.core.errors import InputError, PackagingError
from batchops.core.project import make_private
from batchops.deployment import packaging
from batchops.inspection.frames import explain, jobs_frame
from batchops.job import Job
from batchops.show.texts import visible
from batchops.widgets.actions import propose_download

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLEAR = "\x1b[2J\x1b]0;owned\x07"


# ---------------------------------------------------------------------------- terminals


@given(st.text())
def test_what_is_visible_holds_no_control_character_but_lines_and_tabs(text: str) -> None:
    controls = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u202e", "\u2066"}
    assert not set(visible(text)) & (controls - {"\n", "\t"})


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_letters_of_any_script_stay_as_they_are(text: str) -> None:
    assert visible(text) == text


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(value: Any, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a verb writes to standard output for a value."""
    monkeypatch.setattr(sys, "stdout", stream)
    with click.Context(base.main, obj=base.Options("s", "local", None, None)):
        base.show(value)
    return stream.getvalue()


@pytest.mark.parametrize("value", [f"a{CLEAR}b", pd.DataFrame({"file": [f"a{CLEAR}b"]})])
def test_terminal_is_not_steered_by_what_is_shown(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(value, Terminal(), monkeypatch)
    assert "a\\x1b[2J\\x1b]0;owned\\x07b" in text
    assert "\x1b" not in text


def test_pipe_gets_the_bytes_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"file": [f"a{CLEAR}b"]})
    assert shown(frame, io.StringIO(), monkeypatch) == f"file\na{CLEAR}b\n"
    assert shown(f"a{CLEAR}b", io.StringIO(), monkeypatch) == f"a{CLEAR}b\n"


def test_table_of_jobs_shows_what_a_files_name_would_do() -> None:
    job = {"jobId": "job-0", "status": "SUCCEEDED", "key": f"input/[bold]{CLEAR}.csv"}
    table = _jobs_table(jobs_frame([{**job, "startTime": "2026-11-23T06:00:00Z"}]))
    console = Console(file=Terminal(), width=200, color_system=None)
    console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[bold]\\x1b[2J\\x1b]0;owned\\x07.csv" in text
    assert "\x1b[2J" not in text


def test_reason_of_a_failure_cannot_steer_a_terminal() -> None:
    cause = json.dumps({"errorType": "InputGoneError", "errorMessage": f"input/{CLEAR}.csv"})
    assert explain("x", cause) == "InputGoneError: input/\\x1b[2J\\x1b]0;owned\\x07.csv"


def test_line_break_in_a_name_does_not_forge_a_log_line(
    log: Callable[[], list[dict[str, Any]]],
) -> None:
    forged = 'x\n{"level": "INFO", "message": "all is well"}'
    logger.info("already started", extra={"job": forged})
    (line,) = log()
    assert line["job"] == forged


# ------------------------------------------------------------------------ local files


class Bucket:
    """The calls that a download makes."""

    def head_object(self, **_: Any) -> Any:
        return {"ContentLength": 4, "LastModified": datetime(2026, 11, 23, tzinfo=UTC)}

    def download_fileobj(self, _bucket: str, _key: str, file: Any, **_: Any) -> None:
        file.write(b"rows")


def job_with(name: str) -> Job:
    """Return a job whose completed file is called so."""
    key = keys.completed("job-0", f"input/{name}")
    entry = {"jobId": "job-0", "entry": "JOB", "status": workflow.SUCCEEDED}
    entry |= {"completedKey": key, "rejectedKey": keys.rejected("job-0", f"input/{name}")}

    class Table:
        def get_item(self, **_: Any) -> Any:
            return {"Item": items.attributes(entry)}

    class Stack:
        name = "s"
        outputs = {"SourceBucketName": "b", "JobTableName": "t"}  # noqa: RUF012

        def client(self, service: str) -> Any:
            return Bucket() if service == "s3" else Table()

    stack: Any = Stack()
    return Job(stack, "job-0")


@pytest.mark.parametrize("name", ["..", ".bashrc", "a/..", "a\\..\\b", f"{CLEAR}.csv", "a\nb"])
def test_name_that_would_harm_is_not_given_to_a_file_in_a_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the path of a file"):
        job_with(name).download(tmp_path)
    assert not list(tmp_path.iterdir())
    assert job_with(name).download(tmp_path / "out.csv").read_bytes() == b"rows"


@pytest.mark.parametrize("name", ["orders.csv", "2026/Q1 orders (EMEA).csv", "données.v2.csv"])
def test_usual_name_is_kept_in_a_folder(name: str, tmp_path: Path) -> None:
    stored = job_with(name).download(tmp_path)
    assert stored == tmp_path / name.rsplit("/", maxsplit=1)[-1]
    assert stored.read_bytes() == b"rows"


@pytest.mark.parametrize("name", ["..", ".bashrc", f"{CLEAR}.csv"])
def test_console_gives_no_harmful_name_to_a_file_either(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the path of a file"):
        propose_download(job_with(name), str(tmp_path))


def test_rejects_go_beside_the_completed_file_and_not_over_it(tmp_path: Path) -> None:
    job = job_with("orders.v2.csv")
    stored = [job.download(tmp_path, rejected=rejected).name for rejected in (False, True)]
    assert stored == ["orders.v2.csv", "orders.v2-rejected.csv"]


def test_download_follows_no_link_that_lies_in_its_way(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep")
    (tmp_path / "out.csv.part").symlink_to(precious)
    (tmp_path / "out.csv").symlink_to(precious)
    stored = job_with("x.csv").download(tmp_path / "out.csv")
    assert stored.read_bytes() == b"rows"
    assert not stored.is_symlink()
    assert precious.read_text() == "keep"


def test_link_out_of_a_folder_is_not_packaged(tmp_path: Path) -> None:
    secret, folder = tmp_path / "credentials", tmp_path / "function"
    secret.write_text("secret")
    folder.mkdir()
    (folder / "app.py").write_text("")
    (folder / "data").symlink_to(secret)
    with pytest.raises(PackagingError, match="link out of its folder"):
        packaging.collect_files(folder)
    (folder / "data").unlink()
    (folder / "data").symlink_to(folder / "app.py")
    assert list(packaging.collect_files(folder)) == ["app.py", "data"]


def test_folders_for_state_are_the_users_own(tmp_path: Path) -> None:
    made = make_private(tmp_path / ".batchops" / "build" / "artifacts")
    for folder in (made, made.parent, made.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    tmp_path.chmod(0o755)
    make_private(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


# ------------------------------------------------------------------------------ schemas


def test_schema_reads_no_other_file_and_asks_no_server(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"type": "string"}')
    with Server(always(200)) as server:
        for place in (other.as_uri(), f"{server.url}/other.json"):
            document = json.loads(json.dumps(SCHEMA.document))
            column = document["required"][0]
            document["properties"][column] = {"$ref": place}
            with pytest.raises(SchemaError, match=r"move what it refers to into its own \$defs"):
                RecordSchema(document)
        assert server.received == []
