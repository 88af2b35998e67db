"""The actions on a job: rerun, repair, stop, link, download, report; each is previewed first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
from batchcore.aws import LINK_EXPIRES_S
from batchcore.texts import number_of

from batchops.core.errors import BatchOpsError, InputError
from batchops.inspection import result_files
from batchops.inspection.links import HERE_ONLY, embedded
from batchops.inspection.result_files import local_name
from batchops.recovery.damage import KINDS
from batchops.recovery.repair import execute_repair
from batchops.recovery.rerun import execute_rerun
from batchops.show import markup
from batchops.widgets import possible
from batchops.widgets.confirmation import Confirmation, Proposal
from batchops.widgets.file_picker import FilePicker, PickedFile
from batchops.widgets.row_edits import Edits, edited_rejects
from batchops.widgets.theme import make_button, make_row

if TYPE_CHECKING:
    import pandas as pd

    from batchops.inspection.result_files import ResultFile
    from batchops.job import Job
    from batchops.widgets.background import Background
    from batchops.widgets.root_folder import RootFolder


_KEY = "action"
# Rejected rows are few; a plan of the repair holds all of them in memory.
_REPAIR_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class ActionResult:
    """The result of an action: a text, safe HTML after it, and whether it changed the job."""

    text: str
    markup: str = ""
    started: bool = False


@dataclass(frozen=True)
class ResultKind:
    """A form of a result file, with a note to read before opening it."""

    rejected: bool
    spreadsheet: bool = False
    workbook: bool = False

    @property
    def note(self) -> str:
        """What a spreadsheet makes of the file."""
        if self.workbook:
            return "Every cell is text, so nothing is changed or run when it is opened."
        if self.spreadsheet:
            return (
                "For spreadsheets: an apostrophe stands in front of each value that one would run "
                "as a formula, or write in another way."
            )
        return AS_IT_CAME


COMPLETED, REJECTED = ResultKind(rejected=False), ResultKind(rejected=True)
_RESULTS = {
    "completed file": COMPLETED,
    "completed file, for spreadsheets": ResultKind(rejected=False, spreadsheet=True),
    "rejected rows": REJECTED,
    "rejected rows, workbook": ResultKind(rejected=True, workbook=True),
}
AS_IT_CAME = (
    "The values are as they came: a spreadsheet runs those that begin with = + - @ as formulas, "
    "and takes others for numbers or dates. For a spreadsheet pick that form."
)


def propose_rerun(job: Job) -> Proposal:
    """Propose a rerun; it starts exactly as planned, or not at all if the job has run since."""
    plan = job.rerun()

    def execute() -> ActionResult:
        done = execute_rerun(job, plan)
        return ActionResult(f"attempt {done.attempt} of job {job.id} has started", started=True)

    confirm = f"Start attempt {plan.attempt}" if plan.needed else ""
    return Proposal(f"Rerun of {job.id}", plan._repr_html_(), confirm, execute, "starting a rerun")


def propose_edited(job: Job, edits: Edits, accept: frozenset[str] = frozenset()) -> Proposal:
    """Propose a repair with values that were typed, see `propose_repair`."""
    return propose_repair(job, edited_rejects(job, edits), accept)


def propose_repair(
    job: Job, rows: bytes | pd.DataFrame, accept: frozenset[str] = frozenset()
) -> Proposal:
    """Propose a repair with edited rejects; it starts exactly as planned.

    Parameters
    ----------
    rows
        The content of the workbook or CSV file, or the rows.
    accept
        The kinds of damage to let through. The proposal lists all that there are as choices.
    """
    plan = job.repair(rows, accept=accept)

    def execute() -> ActionResult:
        done = execute_repair(job, plan)
        text = (
            f"put {number_of(len(done.fixed), 'row')} in; attempt {done.rerun.attempt} of job "
            f"{job.id}"
        )
        return ActionResult(f"{text} has started", started=True)

    return Proposal(
        f"Repair of {job.id}",
        plan._repr_html_(),
        f"Put {number_of(len(plan.fixed), 'row')} in" if plan.needed else "",
        execute,
        "starting a repair",
        choices={
            kind: (f"Accept {kind} (fields: {count:,}): {KINDS[kind]}", kind in accept)
            for kind, count in plan.damage.items()
        },
        again=lambda accepted: propose_repair(job, rows, accepted),
    )


def propose_stop(job: Job) -> Proposal:
    """Propose stopping a job."""
    would = job.stop(dry_run=True)
    html = would._repr_html_()

    def execute() -> ActionResult:
        return ActionResult(str(job.stop()), started=True)

    return Proposal(f"Stop of {job.id}", html, "Stop it", execute, "stopping the job")


def propose_link(job: Job, *, rejected: bool = False) -> Proposal:
    """Propose making a link to a result file."""
    file = job.result_file(rejected=rejected)

    def execute() -> ActionResult:
        address = markup.one_line(job.link(rejected=rejected))
        link = f'<a href="{address}" target="_blank" rel="noopener noreferrer">open it</a>'
        copy = f'<input readonly aria-label="address" style="width:60%" value="{address}">'
        # The browser may be on another computer, where the engine's address is nobody's.
        save = _embedded(job, file, rejected=rejected) if here_only else ""
        return ActionResult(f"a link to {file.name} is made:", f"{link} {save} {copy}")

    here_only = job.stack.target.local
    html = markup.paragraph(file) + markup.paragraph(
        f"Whoever has the link can read the file, for {LINK_EXPIRES_S // 60} minutes at most."
    )
    if here_only:
        html += markup.paragraph(
            f"{HERE_ONLY} There, save the file, or download it into the folder."
        )
    html += markup.paragraph(AS_IT_CAME)
    return Proposal(f"Link for {job.id}", html, "Make the link", execute, "making a link")


def _embedded(job: Job, file: ResultFile, *, rejected: bool) -> str:
    try:
        name = local_name(file.key, rejected=rejected)
    except InputError:  # a name that no browser should store it under; the link still opens it
        return ""
    return embedded(job, file, name)


def propose_download(
    job: Job, root: RootFolder, folder: str, kind: ResultKind = COMPLETED
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
    file = job.result_file(rejected=kind.rejected)
    name = local_name(file.key, rejected=kind.rejected)
    if kind.workbook:
        name = f"{name.rpartition('.')[0] or name}.xlsx"
    made = ".xlsx" if kind.workbook else ""
    path = root.find_place(folder, name, made=made)

    def execute() -> ActionResult:
        # Again: it may have changed meanwhile.
        place = root.find_place(folder, name, made=made)
        replace = root.holds_stored(place)
        if kind.workbook:
            book = job.rejects_workbook(place, replace=replace)
            root.note_stored(book.path)
            return ActionResult(str(book))
        stored = result_files.download(
            job, place, rejected=kind.rejected, spreadsheet=kind.spreadsheet, replace=replace
        )
        root.note_stored(stored)
        return ActionResult(f"stored as {stored}: {number_of(stored.stat().st_size, 'byte')}")

    what = "replaces the file that is there" if path.exists() else "a new file"
    html = markup.paragraph(file) + markup.paragraph(f"It is stored as {path}: {what}.")
    html += markup.paragraph(kind.note)
    return Proposal(f"Download of {job.id}", html, "Download", execute, "downloading")


def propose_report(job: Job, root: RootFolder, folder: str) -> Proposal:
    """Propose storing a job's report in a folder.

    Raises
    ------
    InputError
        If it cannot be stored there, see `RootFolder.find_place`.
    """
    name = f"{job.id}-report.html"
    path = root.find_place(folder, name, made=".html")

    def execute() -> ActionResult:
        # Again: it may have changed meanwhile.
        place = root.find_place(folder, name, made=".html")
        stored = job.report(place, replace=root.holds_stored(place))
        root.note_stored(stored.path)
        return ActionResult(str(stored))

    what = "replaces the report that is there" if path.exists() else "a new file"
    html = markup.paragraph(f"It is stored as {path}: {what}.") + markup.paragraph(
        "It opens in any browser, and shows values of rejected rows: hand it to people who may "
        "see them."
    )
    return Proposal(f"Report of {job.id}", html, "Store it", execute, "making the report")


def propose_each(
    jobs: Sequence[Job], make: Callable[[Job], Proposal], what: str, doing: str
) -> Proposal:
    """Propose an action on each of several jobs; those that it does not fit are left out.

    Parameters
    ----------
    make
        Proposes it for one job.
    what
        Its name, such as ``"Rerun"``.
    doing
        What to display meanwhile.
    """
    found: dict[str, Proposal] = {}
    html = ""
    for job in jobs:
        try:
            proposal = make(job)
        except BatchOpsError as error:
            html += markup.paragraph(f"{job.id} is left out: {error}")
            continue
        html += proposal.html
        if proposal.confirm:
            found[job.id] = proposal

    def execute() -> ActionResult:
        texts, started = [], False
        for job_id, proposal in found.items():
            try:
                done = proposal.execute()
            except BatchOpsError as error:  # the others are acted on all the same
                texts.append(f"job {job_id}: {error}")
            else:
                texts.append(done.text)
                started = started or done.started
        return ActionResult("\n".join(texts), started=started)

    confirm = f"{what} {number_of(len(found), 'job')}" if found else ""
    return Proposal(f"{what} of {number_of(len(jobs), 'job')}", html, confirm, execute, doing)


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
        self._others: tuple[Job, ...] = ()
        self.confirmation = Confirmation(background, key=_KEY, on_done=on_done)
        self.rerun = make_button("Rerun", "Run again what failed; previews it first", "repeat")
        self.repair = FilePicker(
            description="Repair from file",
            tooltip="Pick the edited rejects, a workbook or a CSV; previews the changes first",
            accept=".xlsx,.csv,.txt,text/csv",
            max_bytes=_REPAIR_BYTES,
            on_file=self._propose_repair,
            on_refused=self._refuse_file,
        )
        self.stop = make_button("Stop", "Stop what runs; previews it first", "stop")
        self.link = make_button("Link", "Make an address that opens the file", "link")
        self.download = make_button("Download", "Store the file in the folder", "download")
        self.report = make_button(
            "Report", "Store a report to hand on in the folder", "file-text-o"
        )
        self.file = widgets.Dropdown(
            options=_RESULTS,
            description="Result",
            tooltip="The file that Download takes; Link opens it as it came",
            layout=widgets.Layout(width="300px"),
        )
        self.folder = widgets.Text(
            ".",
            description="Folder",
            tooltip=f"Where Download stores the file: a folder in {root.path}",
            continuous_update=False,
            layout=widgets.Layout(width="260px"),
        )
        self.buttons = (
            *(self.rerun, self.repair, self.stop),
            *(self.link, self.download, self.report),
        )
        self.note = widgets.HTML()
        self.note.add_class("batchops-quiet")
        self.root = widgets.VBox(
            [
                make_row(self.rerun, self.repair, self.stop),
                make_row(self.file, self.folder, self.link, self.download, self.report),
                self.note,
                self.confirmation.root,
            ]
        )
        self.rerun.on_click(
            lambda b: self._propose_all(b, propose_rerun, "Rerun", "planning a rerun")
        )
        self.stop.on_click(
            lambda b: self._propose_all(b, propose_stop, "Stop", "looking what runs")
        )
        self.link.on_click(self._propose_link)
        self.download.on_click(self._propose_download)
        self.report.on_click(self._propose_report)
        self.show(None)

    def show(self, job: Job | None) -> None:
        """Switch to another job; a proposal for the previous one is dropped."""
        self._job, self._others = job, ()
        self.confirmation.drop()
        self.allow({} if job is not None else possible.reasons_against(()))

    def show_others(self, jobs: Sequence[Job]) -> None:
        """Switch to other jobs, which Rerun and Stop take beside the one that is shown."""
        if tuple(job.id for job in jobs) != tuple(job.id for job in self._others):
            self._others = tuple(jobs)
            self.confirmation.drop()

    def allow(self, against: Mapping[str, str]) -> None:
        """Enable the buttons, but for the actions that make no sense, and say why those do not."""
        for action, buttons in {
            possible.RERUN: (self.rerun,),
            possible.REPAIR: (self.repair,),
            possible.STOP: (self.stop,),
            possible.RESULT: (self.link, self.download),
            possible.REPORT: (self.report,),
        }.items():
            for button in buttons:
                self._background.allow(button, action not in against)
        causes: dict[str, list[str]] = {}
        for action, reason in against.items():
            causes.setdefault(reason, []).append(action)
        texts = [f"{', '.join(actions)}: {reason}" for reason, actions in causes.items()]
        self.note.value = f"Not now: {'; '.join(texts)}." if texts and self._job else ""

    def _propose_link(self, button: Any) -> None:
        rejected = self.file.value.rejected
        self._propose(button, lambda job: propose_link(job, rejected=rejected), "looking it up")

    def _propose_download(self, button: Any) -> None:
        kind, folder, root = self.file.value, self.folder.value, self._root_folder
        self._propose(
            button, lambda job: propose_download(job, root, folder, kind), "looking it up"
        )

    def _propose_report(self, button: Any) -> None:
        folder, root = self.folder.value, self._root_folder
        self._propose(button, lambda job: propose_report(job, root, folder), "looking it up")

    def repair_edited(self, edits: Edits, button: Any) -> None:
        """Propose a repair with values that were typed."""
        self._propose(button, lambda job: propose_edited(job, edits), "planning a repair")

    def _propose_repair(self, file: PickedFile) -> None:
        rows = file.path.read_bytes()
        self._propose(self.repair, lambda job: propose_repair(job, rows), "planning a repair")

    def _refuse_file(self, problem: str) -> None:
        html = markup.paragraph(problem)
        self.confirmation.propose(Proposal("Not repaired", html, "", lambda: None, ""))

    def _propose_all(
        self, button: Any, make: Callable[[Job], Proposal], what: str, doing: str
    ) -> None:
        others = self._others

        def make_all(job: Job) -> Proposal:
            return propose_each((job, *others), make, what, doing) if others else make(job)

        self._propose(button, make_all, doing)

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
