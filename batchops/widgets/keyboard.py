"""Keep JupyterLab from taking the keys that are pressed in the console."""

from __future__ import annotations

import anywidget

from batchops.widgets.theme import CLASS

# JupyterLab takes arrows, letters and Escape wherever nothing is typed, and moves from cell to
# cell. Lumino leaves elements with this attribute alone (CommandRegistry, @lumino/commands).
_SCRIPT = """
export default {
  render({ el }) {
    el.style.display = "none";
    let tries = 100;
    const mark = () => {
      const console = el.closest(".@class");
      if (console) console.setAttribute("data-lm-suppress-shortcuts", "true");
      else if (tries--) requestAnimationFrame(mark);
    };
    mark();
  },
};
""".replace("@class", CLASS)


class KeyboardGuard(anywidget.AnyWidget):
    """A widget that is not seen, anywhere in the console."""

    _esm = _SCRIPT
