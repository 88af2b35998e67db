"""The console's keys: JupyterLab takes none of them, and Enter picks a row as a click does."""

from __future__ import annotations

import anywidget

from batchops.widgets.theme import CLASS

# JupyterLab takes arrows, letters and Escape wherever nothing is typed, and moves from cell to
# cell. Lumino leaves an element alone that has this attribute itself and the keyboard's focus
# (CommandRegistry, @lumino/commands); its listener comes before all others.
_SCRIPT = """
export default {
  render({ el }) {
    el.style.display = "none";
    let tries = 100;
    // DataTables' own Enter picks a row beside the others, as Space does.
    const pick = (event) => {
      const plain = !(event.ctrlKey || event.metaKey || event.shiftKey);
      const row = event.target.matches(".batchops-grid tbody tr");
      if (event.key !== "Enter" || !plain || !row) return;
      event.preventDefault();
      event.stopPropagation();
      event.target.cells[0].click();
    };
    const mark = () => {
      const console = el.closest(".@class");
      if (console) {
        console.addEventListener("focusin", (event) =>
          event.target.setAttribute("data-lm-suppress-shortcuts", "true")
        );
        console.addEventListener("keydown", pick, true);
      } else if (tries--) requestAnimationFrame(mark);
    };
    mark();
  },
};
""".replace("@class", CLASS)


class KeyboardGuard(anywidget.AnyWidget):
    """A widget that is not seen, anywhere in the console."""

    _esm = _SCRIPT
