"""The actions on a job: rerun, repair, stop, link, download; each is previewed first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from batchcore.aws import LINK_EXPIRES_S

from batchops.inspection import result_files
from batchops.inspection.links import HERE_ONLY, embedded
from batchops.inspection.result_files import local_name
from batchops.recovery.repair import execute_repair
from batchops.recovery.rerun import execute_rerun
from batchops.show import markup
from batchops.widgets.confirmation import Confirmation, Proposal
from batchops.widgets.theme import make_button, make_row

if TYPE_CHECKING:
    from batchops.job import Job
    from batchops.widgets.background import Background
    from batchops.widgets.root_folder import RootFolder


_KEY = "action"


@dataclass(frozen=True)
class ActionResult:
    """The result of an action: a text, safe HTML after it, and whether the job runs again."""

    text: str
    markup: str = ""
    started: bool = False


def propose_rerun(job: Job) -> Proposal:
    """Propose a rerun; it starts exactly as planned, or not at all if the job has run since."""
    plan = job.rerun()

    def execute() -> ActionResult:
        done = execute_rerun(job, plan)
        return ActionResult(f"attempt {done.attempt} of job {job.id} has started", started=True)

    confirm = f"Start attempt {plan.attempt}" if plan.needed else ""
    return Proposal(f"Rerun of {job.id}", plan._repr_html_(), confirm, execute, "starting a rerun")


def propose_repair(job: Job, rows: bytes) -> Proposal:
    """Propose a repair with an edited rejects file; it starts exactly as planned.

    Parameters
    ----------
    rows
        The file's content.
    """
    plan = job.repair(rows)

    def execute() -> ActionResult:
        done = execute_repair(job, plan)
        text = f"{len(done.mended):,} rows of job {job.id} are put in; attempt {done.rerun.attempt}"
        return ActionResult(f"{text} has started", started=True)

    confirm = f"Put {len(plan.mended):,} rows in" if plan.needed else ""
    html = plan._repr_html_()
    return Proposal(f"Repair of {job.id}", html, confirm, execute, "starting a repair")


def propose_stop(job: Job) -> Proposal:
    """Propose stopping a job."""
    would = job.stop(dry_run=True)
    html = would._repr_html_()

    def execute() -> ActionResult:
        return ActionResult(str(job.stop()))

    return Proposal(f"Stop of {job.id}", html, "Stop it", execute, "stopping the job")


def propose_link(job: Job, *, rejected: bool = False) -> Proposal:
    """Propose making a link to a result file."""
    file = job.result_file(rejected=rejected)

    def execute() -> ActionResult:
        address = escape(job.link(rejected=rejected))
        link = f'<a href="{address}" target="_blank" rel="noopener noreferrer">open it</a>'
        copy = f'<input readonly aria-label="address" style="width:60%" value="{address}">'
        # The browser may be on another computer, where the engine's address is nobody's.
        save = embedded(job, file, local_name(file.key, rejected=rejected)) if here_only else ""
        return ActionResult(f"a link to {file.name} is made:", f"{link} {save} {copy}")

    here_only = job.stack.target.local
    html = markup.paragraph(file) + markup.paragraph(
        f"Whoever has the link can read the file, for {LINK_EXPIRES_S // 60} minutes at most."
    )
    if here_only:
        html += markup.paragraph(
            f"{HERE_ONLY} There, save the file, or download it into the folder."
        )
    return Proposal(f"Link for {job.id}", html, "Make the link", execute, "making a link")


def propose_download(
    job: Job, root: RootFolder, folder: str, *, rejected: bool = False
) -> Proposal:
    """Propose storing a result file in a folder.

    Parameters
    ----------
    root
        The folder that the console may store files in.
    folder
        A folder in it.

    Raises
    ------
    InputError
        If the file cannot be stored there, see `RootFolder.find_place`.
    """
    file = job.result_file(rejected=rejected)
    name = local_name(file.key, rejected=rejected)
    path = root.find_place(folder, name)

    def execute() -> ActionResult:
        place = root.find_place(folder, name)  # again: it may have changed meanwhile
        stored = result_files.download(
            job, place, rejected=rejected, replace=root.holds_stored(place)
        )
        root.note_stored(stored)
        return ActionResult(f"{stored.stat().st_size:,} bytes are stored as {stored}")

    what = "replaces the file that is there" if path.exists() else "a new file"
    html = markup.paragraph(file) + markup.paragraph(f"It is stored as {path}: {what}.")
    return Proposal(f"Download of {job.id}", html, "Download", execute, "downloading")


class Actions:
    """The buttons, and the place for their proposals.

    Parameters
    ----------
    background
        Runs the work.
    root
        The folder that downloads go to.
    on_done
        Called with the result of an action.
    """

    def __init__(
        self,
        background: Background,
        *,
        root: RootFolder,
        on_done: Callable[[ActionResult], None],
    ) -> None:
        self._background, self._root_folder = background, root
        self._job: Job | None = None
        self.confirmation = Confirmation(background, key=_KEY, on_done=on_done)
        self.rerun = make_button("Rerun", "Run again what failed; previews it first", "repeat")
        self.repair = widgets.FileUpload(
            description="Repair from CSV",
            tooltip="Pick the edited rejects file; previews the changes first",
            accept=".csv,.txt,text/csv",
            icon="wrench",
            layout=widgets.Layout(width="190px"),
        )
        self.stop = make_button("Stop", "Stop what runs; previews it first", "stop")
        self.link = make_button("Link", "Make an address that opens the file", "link")
        self.download = make_button("Download", "Store the file in the folder", "download")
        self.file = widgets.Dropdown(
            options=[("completed file", False), ("rejected rows", True)],
            description="Result",
            tooltip="The file that Link and Download take",
            layout=widgets.Layout(width="230px"),
        )
        self.folder = widgets.Text(
            ".",
            description="Folder",
            tooltip=f"Where Download stores the file: a folder in {root.path}",
            continuous_update=False,
            layout=widgets.Layout(width="260px"),
        )
        self.buttons = (self.rerun, self.repair, self.stop, self.link, self.download)
        self.root = widgets.VBox(
            [
                make_row(self.rerun, self.repair, self.stop),
                make_row(self.file, self.folder, self.link, self.download),
                self.confirmation.root,
            ]
        )
        self.rerun.on_click(lambda b: self._propose(b, propose_rerun, "planning a rerun"))
        self.stop.on_click(lambda b: self._propose(b, propose_stop, "looking what runs"))
        self.link.on_click(self._propose_link)
        self.download.on_click(self._propose_download)
        self.repair.observe(self._propose_repair, "value")
        self.show(None)

    def show(self, job: Job | None) -> None:
        """Switch to another job; a proposal for the previous one is dropped."""
        self._job = job
        self.confirmation.drop()
        for button in self.buttons:
            button.disabled = job is None

    def _propose_link(self, button: Any) -> None:
        rejected = self.file.value
        self._propose(button, lambda job: propose_link(job, rejected=rejected), "looking it up")

    def _propose_download(self, button: Any) -> None:
        rejected, folder, root = self.file.value, self.folder.value, self._root_folder
        self._propose(
            button,
            lambda job: propose_download(job, root, folder, rejected=rejected),
            "looking it up",
        )

    def _propose_repair(self, change: Any) -> None:
        if change["new"]:
            rows = bytes(change["new"][0]["content"])
            self.repair.value = ()  # so that the same file can be picked again
            self._propose(self.repair, lambda job: propose_repair(job, rows), "planning a repair")

    def _propose(self, button: Any, make: Callable[[Job], Proposal], doing: str) -> None:
        job = self._job
        if job is None:
            return
        self._background.run(
            lambda: make(job),
            lambda proposal: self._take(job, proposal, button),
            doing=doing,
            key=_KEY,
            busy=self.buttons,
        )

    def _take(self, job: Job, proposal: Proposal, button: Any) -> None:
        if job is self._job:
            self.confirmation.propose(proposal, opener=button)
