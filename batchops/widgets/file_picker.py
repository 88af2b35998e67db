"""A button that hands a file over from the browser, in pieces, so that no file is too large."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets
from batchcore.texts import number_of

# Jupyter's server takes messages of 10 MiB (the default of Tornado 6's
# websocket_max_message_size), and one that is larger ends the connection.
PIECE_BYTES = 4 * 1024 * 1024

_SCRIPT = """
export default {
  render({ model, el }) {
    const button = document.createElement("button");
    button.className = "lm-Widget jupyter-widgets jupyter-button widget-button";
    button.style.width = "auto";
    const input = document.createElement("input");
    input.type = "file";
    input.tabIndex = -1;
    input.style.display = "none";
    const show = () => {
      button.textContent = model.get("description");
      button.title = model.get("tooltip");
      button.disabled = model.get("disabled");
      input.accept = model.get("accept");
    };
    show();
    for (const name of ["description", "tooltip", "disabled", "accept"])
      model.on("change:" + name, show);
    button.onclick = () => input.click();
    let file = null, turn = "", at = 0;
    const send = async () => {
      const mine = turn;
      const piece = file.slice(at, at + model.get("piece_bytes"));
      let content;
      try {
        content = await piece.arrayBuffer();
      } catch (error) {  // it was moved or changed meanwhile
        if (mine === turn) model.send({ kind: "unreadable", turn, name: file.name });
        return;
      }
      if (mine !== turn) return;
      at += content.byteLength;
      model.send({ kind: "piece", turn, last: at >= file.size }, undefined, [content]);
    };
    input.onchange = () => {
      if (!input.files.length) return;
      file = input.files[0];
      input.value = "";  // so that the same file can be picked again
      const about = { name: file.name, size: file.size };
      if (file.size > model.get("max_bytes")) {
        turn = "";
        model.send({ kind: "refused", ...about });
        return;
      }
      turn = crypto.getRandomValues(new Uint32Array(2)).join("-");
      at = 0;
      model.send({ kind: "begin", turn, ...about });
      send();
    };
    const more = (message) => {
      if (message.more === turn && at < file.size) send();
    };
    model.on("msg:custom", more);
    el.append(button, input);
    return () => model.off("msg:custom", more);
  },
};
"""


@dataclass(frozen=True, eq=False)
class PickedFile:
    """A file that came from the browser; its copy is there as long as this object is.

    Attributes
    ----------
    name : str
        Its name on the computer that it came from.
    path : Path
        Where its copy is.
    """

    name: str
    path: Path

    @classmethod
    def empty(cls, name: str) -> PickedFile:
        """Make an empty file that only this user can read."""
        handle, path = tempfile.mkstemp(prefix="batchops-upload-")
        os.close(handle)
        made = cls(name, Path(path))
        weakref.finalize(made, made.path.unlink, missing_ok=True)
        return made


class FilePicker(anywidget.AnyWidget):
    """The button. A file that is too large is refused in the browser, before anything is sent.

    Parameters
    ----------
    description, tooltip, accept
        Its text, what it does, and the kinds of files that the browser offers.
    max_bytes
        The largest file that it takes.
    on_file
        Called with the file, when all of it has come.
    on_refused
        Called with what is wrong with a file that was not taken.
    """

    _esm = _SCRIPT
    description = traitlets.Unicode().tag(sync=True)
    tooltip = traitlets.Unicode().tag(sync=True)
    accept = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(default_value=False).tag(sync=True)
    max_bytes = traitlets.Int().tag(sync=True)
    piece_bytes = traitlets.Int(PIECE_BYTES).tag(sync=True)

    def __init__(
        self,
        *,
        description: str,
        tooltip: str,
        accept: str,
        max_bytes: int,
        on_file: Callable[[PickedFile], None],
        on_refused: Callable[[str], None],
    ) -> None:
        super().__init__(
            description=description, tooltip=tooltip, accept=accept, max_bytes=max_bytes
        )
        self._on_file, self._on_refused = on_file, on_refused
        self._turn, self._expected = "", 0
        self._file: PickedFile | None = None
        self.on_msg(self._take)

    def focus(self) -> None:
        """Leave the keyboard where it is: the browser closes its own dialog."""

    def _take(self, _widget: Any, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        """Take a message of the browser's; pieces of a file before the last one are passed over."""
        kind = content.get("kind")
        if kind == "refused":
            self._drop()
            self._on_refused(
                f"{content['name']} has {number_of(int(content['size']), 'byte')}, and the browser "
                f"hands over {self.max_bytes:,} at most: nothing was sent"
            )
        elif kind == "begin":
            self._turn, self._expected = str(content["turn"]), int(content["size"])
            self._file = PickedFile.empty(str(content["name"]))
        elif self._file is None or content.get("turn") != self._turn:
            return
        elif kind == "unreadable":
            self._drop()
            self._on_refused(f"the browser cannot read {content['name']} any more: pick it again")
        elif kind == "piece":
            self._add(self._file, bytes(buffers[0]), last=bool(content["last"]))

    def _add(self, file: PickedFile, piece: bytes, *, last: bool) -> None:
        with file.path.open("ab") as stored:
            stored.write(piece)
            size = stored.tell()
        if size > min(self._expected, self.max_bytes) or (last and size != self._expected):
            self._drop()
            self._on_refused(f"{file.name} did not come as it was announced: pick it again")
        elif last:
            self._drop()
            self._on_file(file)
        else:
            self.send({"more": self._turn})

    def _drop(self) -> None:
        self._turn, self._file = "", None
