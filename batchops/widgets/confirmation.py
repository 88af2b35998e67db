"""Preview an action, and carry it out after confirmation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from batchops.show import markup
from batchops.show.wording import for_console
from batchops.widgets.theme import make_row

if TYPE_CHECKING:
    from batchops.widgets.background import Background


@dataclass(frozen=True)
class Proposal:
    """A preview of an action, with the function that carries it out.

    Attributes
    ----------
    title : str
        What the action does and to what.
    html : str
        The result of the dry run, escaped.
    confirm : str
        The text of the confirming button; empty if there is nothing to do.
    execute : callable
        Carries the action out, and returns its result.
    doing : str
        What to display meanwhile.
    choices : mapping
        What can be accepted or not: name -> its text, and whether it is accepted now.
    again : callable
        Proposes the action again, with the names that are accepted by then.
    """

    title: str
    html: str
    confirm: str
    execute: Callable[[], Any]
    doing: str
    choices: Mapping[str, tuple[str, bool]] = field(default_factory=dict)
    again: Callable[[frozenset[str]], Proposal] | None = None


class Confirmation:
    """A proposal, with a button that carries it out and one that drops it.

    Parameters
    ----------
    background
        Runs the action.
    key
        The key of the calls that make its proposals.
    on_done
        Called with the result of `execute`.
    """

    def __init__(self, background: Background, *, key: str, on_done: Callable[[Any], None]) -> None:
        self._background, self._key, self._on_done = background, key, on_done
        self._proposal: Proposal | None = None
        self._opener: Any = None
        self.text = widgets.HTML()
        self.text.add_class("batchops-scroll")
        self.confirm = widgets.Button(
            description="Confirm",
            tooltip="Do it",
            button_style="primary",
            icon="check",
            layout=widgets.Layout(width="auto"),
        )
        self.cancel = widgets.Button(description="Cancel", tooltip="Do nothing", icon="times")
        self.choices = widgets.VBox()
        self.root = widgets.VBox([self.text, self.choices, make_row(self.confirm, self.cancel)])
        self.root.add_class("batchops-confirm")
        self.root.layout.display = "none"
        self.confirm.on_click(lambda _: self._execute())
        self.cancel.on_click(lambda _: self._cancel())

    @property
    def open(self) -> bool:
        """Whether there is a proposal."""
        return self._proposal is not None

    def propose(self, proposal: Proposal, *, opener: Any = None) -> None:
        """Show a proposal in place of any other.

        Parameters
        ----------
        opener
            The widget that asked for it; it gets the focus back in the end.
        """
        self._proposal, self._opener = proposal, opener
        self.text.value = (
            f"<p><b>{markup.one_line(proposal.title)}</b></p>{for_console(proposal.html)}"
        )
        self.confirm.description = proposal.confirm
        self.confirm.tooltip = f"{proposal.confirm}: {proposal.title}"
        self.confirm.layout.display = "" if proposal.confirm else "none"
        self.cancel.description = "Cancel" if proposal.confirm else "Close"
        self.choices.children = [
            self._checkbox(name, text, accepted)
            for name, (text, accepted) in proposal.choices.items()
        ]
        self.root.layout.display = ""
        self.cancel.focus()  # not the other: a key held too long must not confirm

    def drop(self) -> None:
        """Drop the proposal, or the one being prepared."""
        self._background.forget(self._key)
        self._hide()

    def _cancel(self) -> None:
        self.drop()
        self._close()

    def _close(self) -> None:
        """Hide it, and give the focus back: the button that has it is gone."""
        self._hide()
        if self._opener is not None:
            self._opener.focus()

    def _hide(self) -> None:
        self._proposal = None
        self.root.layout.display = "none"
        self.text.value = ""

    def _checkbox(self, name: str, text: str, accepted: bool) -> widgets.Checkbox:
        box = widgets.Checkbox(
            value=accepted,
            description=text,
            tooltip=name,
            indent=False,
            layout=widgets.Layout(width="auto"),
        )
        box.observe(lambda _: self._propose_again(), "value")
        return box

    def _propose_again(self) -> None:
        """Have the action proposed again with what is accepted now; until then none is open."""
        proposal, opener = self._proposal, self._opener
        if proposal is None or proposal.again is None:
            return
        again, boxes = proposal.again, self.choices.children
        accepted = frozenset(box.tooltip for box in boxes if box.value)
        self._proposal = None
        self._background.run(
            lambda: again(accepted),
            lambda found: self.propose(found, opener=opener),
            doing="planning it again",
            key=self._key,
            busy=[self.confirm, *boxes],
            on_error=self._close,
        )

    def _execute(self) -> None:
        proposal = self._proposal
        if proposal is None:
            return
        # Only once: the proposal is gone before another click can come.
        self._proposal = None
        self._background.run(
            proposal.execute,
            self._finish,
            doing=proposal.doing,
            busy=[self.confirm, self.cancel],
            on_error=self._close,
        )

    def _finish(self, outcome: Any) -> None:
        if self._proposal is None:
            self._close()
        self._on_done(outcome)
