"""The panel of a job's results: its workflow, balance, mail and cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as widgets

from batchops.core.errors import BatchOpsError
from batchops.show import markup
from batchops.show.wording import for_console
from batchops.widgets.theme import make_button

if TYPE_CHECKING:
    from batchops.job import Job
    from batchops.widgets.background import Background


class SummaryPanel:
    """What came of the job, read on demand: the balance and the cost read each chunk's entry."""

    def __init__(self, background: Background) -> None:
        self._background = background
        self._job: Job | None = None
        self.read = make_button("Read again", "Read what came of the job again", "refresh")
        self.parts = widgets.HTML()
        self.parts.add_class("batchops-pictures")
        self.root = widgets.VBox([self.read, self.parts])
        self.read.on_click(lambda _: self.load())

    def show(self, job: Job | None) -> None:
        """Switch to another job; nothing is read yet."""
        self._background.forget("summary")
        self._job, self.parts.value = job, ""

    def load(self) -> None:
        """Read the job's workflow, balance, mail and cost."""
        job = self._job
        if job is None:
            self.parts.value = markup.paragraph("Pick a job first.")
            return
        self._background.run(
            lambda: summary_html(job),
            self._take,
            doing="reading what came of the job",
            key="summary",
            busy=[self.read],
        )

    def _take(self, content: str) -> None:
        self.parts.value = content


def summary_html(job: Job) -> str:
    """Return workflow, balance, mail and cost as HTML; what a job does not have says so."""
    parts: dict[str, Callable[[], str]] = {
        "Balance": lambda: job.balance()._repr_html_(),
        "Workflow": lambda: job.graph().to_page(),
        "Mail": lambda: job.email()._repr_html_(),
        "Cost on AWS": lambda: job.cost()._repr_html_(),
    }
    html = ""
    for title, read in parts.items():
        try:
            content = for_console(read())
        except BatchOpsError as error:
            content = markup.paragraph(for_console(str(error)))
        html += f"<p><b>{title}</b></p>{content}"
    return html
