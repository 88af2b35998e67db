"""The picker of a target and a stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from batchops.deployment.listing import list_stacks
from batchops.stack import Stack
from batchops.widgets.theme import make_row

if TYPE_CHECKING:
    from batchops.widgets.background import Background


class StackPicker:
    """Target, region and name of a stack; existing stacks are offered, others can be typed.

    Parameters
    ----------
    stack
        The first stack; its profile and local engine are used for others, too.
    background
        Lists the stacks.
    on_pick
        Called with the chosen stack, or with None if the choice is not valid.
    """

    def __init__(
        self, stack: Stack, background: Background, *, on_pick: Callable[[Stack | None], None]
    ) -> None:
        self._background, self._on_pick = background, on_pick
        self._profile, self._engine = stack.target.profile, stack.target.engine
        self.target = widgets.Dropdown(
            options=["local", "aws"],
            value=stack.target.name,
            description="Target",
            tooltip="The local engine, or an account on AWS",
            layout=widgets.Layout(width="140px"),
        )
        self.region = widgets.Text(
            stack.target.given_region or "",
            description="Region",
            placeholder="the profile's",
            tooltip="The region, on AWS only",
            continuous_update=False,
            disabled=stack.target.local,
            layout=widgets.Layout(width="160px"),
        )
        self.name = widgets.Combobox(
            value=stack.name,
            description="Stack",
            tooltip="The stack; pick one of those that are there, or type a name",
            continuous_update=False,
            layout=widgets.Layout(width="200px"),
        )
        self.root = make_row(self.target, self.region, self.name)
        for each in (self.target, self.region, self.name):
            each.observe(lambda _: self._choose(), "value")

    def list(self, stack: Stack) -> None:
        """Offer the stacks in the same target as a stack."""
        target = stack.target

        def take(found: Any) -> None:
            self.name.options = tuple(found["stack"])

        self._background.run(
            lambda: list_stacks(
                target.name,
                region=target.given_region,
                profile=target.profile,
                engine=target.engine,
            ),
            take,
            doing="listing the stacks",
            key="stacks",
        )

    def _choose(self) -> None:
        local, name = self.target.value == "local", self.name.value.strip()
        region = self.region.value.strip() or None
        self.region.disabled = local
        self._background.run(
            lambda: Stack(
                name,
                target=self.target.value,
                region=None if local else region,
                profile=None if local else self._profile,
                engine=self._engine if local else None,
            ),
            self._on_pick,
            doing="switching to the stack",
            key="stack",
            on_error=lambda: self._on_pick(None),
        )
