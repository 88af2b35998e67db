"""A deployment's events as they come."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import nbclient
import nbformat
from rich.console import Console

from batchops.deployment.stack_events import StackEvent, StackEvents

AT = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


def event(name: str, status: str = "CREATE_COMPLETE", reason: str = "") -> StackEvent:
    return StackEvent(f"{name}{status}", AT, name, "AWS::S3::Bucket", status, reason, "")


def printed(*events: StackEvent) -> tuple[StackEvents, str]:
    text = io.StringIO()
    shown = StackEvents(Console(file=text, width=40))
    for each in events:
        shown(each)
    return shown, text.getvalue()


def test_each_event_is_a_line_where_there_is_no_notebook() -> None:
    _, text = printed(
        event("Bucket", "CREATE_IN_PROGRESS"), event("[red]Table", "CREATE_FAILED", "name taken")
    )
    assert text == (
        "  06:00:00 CREATE_IN_PROGRESS   Bucket\n"
        "  06:00:00 CREATE_FAILED        [red]Table  name taken\n"
    )


def test_resources_are_counted_by_the_state_that_they_are_in_now() -> None:
    shown, _ = printed(
        event("A", "CREATE_IN_PROGRESS"), event("B", "CREATE_IN_PROGRESS"), event("A"), event("C")
    )
    assert str(shown) == "2 CREATE_COMPLETE, 1 CREATE_IN_PROGRESS"
    assert str(StackEvents(Console(file=io.StringIO()))) == "no events yet"


def test_failures_stay_in_sight_when_other_events_follow() -> None:
    shown, _ = printed(
        event("Bad", "CREATE_FAILED", "no such role"), *(event(f"N{n}") for n in range(40))
    )
    document = shown._repr_html_()
    assert "no such role" in document
    assert "N39" in document
    assert "N10" not in document


def test_notebook_has_one_display_that_is_updated_in_place() -> None:
    code = (
        "from datetime import datetime\n"
        "from batchops.deployment.stack_events import StackEvent, StackEvents\n"
        "show = StackEvents()\n"
        "for n in range(3):\n"
        "    show(StackEvent(str(n), datetime(2026, 11, 23), f'N{n}', 'T', 'DONE', '', ''))\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    assert output.data["text/plain"] == "3 DONE"
    assert "N2" in output.data["text/html"]
