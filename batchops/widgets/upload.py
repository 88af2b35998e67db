"""The upload panel: a file is checked against schema, delimiter and limits before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as widgets

from batchops.planning.conversion import AS_IT_IS, Reading
from batchops.planning.upload_check import UploadCheck, check_upload
from batchops.show import markup
from batchops.widgets.confirmation import Confirmation, Proposal
from batchops.widgets.file_picker import FilePicker, PickedFile
from batchops.widgets.theme import make_row

if TYPE_CHECKING:
    from batchops.job import Job
    from batchops.stack import Stack
    from batchops.widgets.background import Background
    from batchops.widgets.root_folder import RootFolder

_KEY = "upload"
# It is stored beside the console until it is submitted.
MAX_BYTES = 1024**3
_HELP = (
    "Nothing is submitted before you have seen the plan for the file. The browser hands over files "
    "of up to 1 GiB; for a larger file give its path in {folder}, on the computer that this "
    "console runs on."
)


def propose_upload(stack: Stack, check: UploadCheck, picked: PickedFile | None = None) -> Proposal:
    """Propose submitting a file; only an acceptable one can be confirmed.

    Parameters
    ----------
    picked
        The file, if it came from the browser: its copy is kept as long as it can be submitted.
    """
    confirm = "Submit" if check.acceptable else ""
    kept = [picked]

    def execute() -> Job:
        assert check.plan is not None  # noqa: S101  (an acceptable file has a plan)
        job = stack.submit(check.plan)
        del kept[:]  # it may go now
        return job

    return Proposal(
        f"Submit {check.name}", check._repr_html_(), confirm, execute, "submitting the file"
    )


class UploadPanel:
    """A file from the browser or a path, its check, and the button that submits it.

    Parameters
    ----------
    background
        Checks and sends the file.
    root
        The folder that paths lead into.
    on_submitted
        Called with the job.
    """

    def __init__(
        self,
        background: Background,
        *,
        root: RootFolder,
        on_submitted: Callable[[Job], None],
    ) -> None:
        self._background, self._root_folder = background, root
        self._stack: Stack | None = None
        self.confirmation = Confirmation(background, key=_KEY, on_done=on_submitted)
        self.file = FilePicker(
            description="Choose CSV",
            tooltip="Pick a file; it is checked, and not submitted yet",
            accept=".csv,.txt,.tsv,.gz,.xlsx,.parquet,.jsonl,.zip,text/csv",
            max_bytes=MAX_BYTES,
            on_file=self._check_file,
            on_refused=self._refuse,
        )
        self.path = widgets.Text(
            description="or path",
            placeholder="data/orders.csv",
            tooltip=f"A file in {root.path}",
            layout=widgets.Layout(width="380px"),
        )
        self.check = widgets.Button(
            description="Check path",
            tooltip="Check the file at the path; it is not sent yet",
            icon="search",
            layout=widgets.Layout(width="120px"),
        )
        self.name = widgets.Text(
            description="Name",
            placeholder="the file's own",
            tooltip="The name to upload it under; folders may be given, as 2026/orders.csv",
            layout=widgets.Layout(width="300px"),
        )
        self.keys = widgets.Checkbox(
            description="look keys up in the reference data",
            indent=False,
            tooltip="Count rows whose key is unknown, too; on AWS half a read unit a key",
        )
        self.root = widgets.VBox(
            [
                widgets.HTML(markup.paragraph(_HELP.format(folder=root.path))),
                make_row(self.name, self.keys),
                make_row(self.file, self.path, self.check),
                self.confirmation.root,
            ]
        )
        self.check.on_click(lambda _: self._check_path())
        # The plan that is shown is that of another name, or without the look-up.
        for each in (self.name, self.keys):
            each.observe(lambda _: self.confirmation.drop(), "value")

    def show(self, stack: Stack | None) -> None:
        """Switch to another stack; a check for the previous one is dropped."""
        self._stack = stack
        self.confirmation.drop()
        self.file.disabled = self.check.disabled = stack is None

    def _check_file(self, file: PickedFile) -> None:
        name, reading = self.name.value or file.name, Reading(known_as=file.name)
        self._check("", name, reading, picked=file)

    def _refuse(self, problem: str) -> None:
        self.confirmation.drop()
        self.confirmation.propose(
            Proposal(
                "Not checked",
                markup.paragraph(f"{problem}; give its path instead."),
                "",
                lambda: None,
                "",
            )
        )

    def _check_path(self) -> None:
        if self.path.value.strip():
            self._check(self.path.value.strip(), self.name.value or None)

    def _check(
        self,
        path: str,
        name: str | None,
        reading: Reading = AS_IT_IS,
        *,
        picked: PickedFile | None = None,
    ) -> None:
        """Check the file at a path, or one from the browser."""
        stack, keys = self._stack, self.keys.value
        self.confirmation.drop()  # what another file came to
        if stack is None:
            return

        def check() -> UploadCheck:
            found = self._root_folder.find_file(path) if picked is None else picked.path
            return check_upload(stack, found, name=name, reading=reading, check_keys=keys)

        self._background.run(
            check,
            lambda check: self.confirmation.propose(
                propose_upload(stack, check, picked), opener=self.check
            ),
            doing="checking the file",
            key=_KEY,
            busy=[self.file, self.check],
        )
