"""The console's style: JupyterLab's own colours, light or dark, and a few rules."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets

from batchops.show.marks import COLOURS

CLASS = "batchops-console"

# The fallbacks are for pages without JupyterLab's variables; Voila has the variables.
STYLE = """<style>
.batchops-console {
  color: var(--jp-ui-font-color1, #222); max-width: 1600px; font-size: 13px; padding: 2px 4px;
  --jp-widgets-inline-label-width: 58px;
}
.batchops-console .widget-html-content {
  color: var(--jp-ui-font-color1, #222); line-height: 1.45; overflow-wrap: break-word;
  min-width: 0;
}
.batchops-console .widget-html { height: auto; overflow-x: auto; }
.batchops-console .batchops-pictures svg, .batchops-console .batchops-pictures img {
  min-width: 640px;
}
.batchops-console .widget-html-content table {
  width: max-content; max-width: max(100%, 640px);
}
.batchops-console .batchops-log td:first-child { white-space: nowrap; }
.batchops-console .batchops-log td:last-child { max-width: 60em; }
.batchops-console p { margin: 2px 0; }
.batchops-console ul { margin: 2px 0 4px; padding-left: 1.4em; }
.batchops-console .batchops-scroll { max-height: 420px; overflow: auto; }
.batchops-console table {
  border-collapse: collapse; margin: 4px 0 8px; font-size: 12px;
  color: var(--jp-ui-font-color1, #222);
}
.batchops-console th, .batchops-console td {
  text-align: left; vertical-align: top; padding: 2px 10px 2px 4px;
  border-bottom: 1px solid var(--jp-border-color2, #ccc);
  max-width: 30em; overflow-wrap: break-word;
}
.batchops-console th {
  position: sticky; top: 0; background: var(--jp-layout-color2, #eee); font-weight: 600;
}
.batchops-console a { color: var(--jp-content-link-color, #0969da); }
.batchops-console select, .batchops-console input {
  font-family: inherit;
}
.batchops-console .batchops-row { flex-flow: row wrap; align-items: baseline; }
.batchops-console .widget-select, .batchops-console .widget-select select {
  box-sizing: border-box; margin-right: 4px;
}
body[data-jp-theme-light="false"] .batchops-console, .theme-dark .batchops-console {
  --jp-widgets-dropdown-arrow: url("data:image/svg+xml,\
%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 18 18'%3E\
%3Cpath d='M5 7L9 11L13 7L14 8L9 13L4 8Z' fill='%23ddd'/%3E%3C/svg%3E");
}
.batchops-console .batchops-grid { width: 100%; overflow: hidden; }
.batchops-console .batchops-grid > * { width: 100%; min-width: 0; }
.batchops-console .batchops-grid > *, .batchops-console .batchops-grid .dt-container {
  background: transparent;
}
.batchops-console .batchops-grid table {
  margin: 0; --dt-row-selected: 0, 90, 181; --dt-row-selected-text: 255, 255, 255;
}
.batchops-console .batchops-grid th, .batchops-console .batchops-grid td { white-space: nowrap; }
.batchops-console .batchops-grid td {
  max-width: 26em; overflow: hidden; text-overflow: ellipsis;
}
.batchops-console .batchops-wrap td { white-space: normal; max-width: 40em; }
.batchops-console .batchops-grid tr:focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: -2px;
}
.batchops-console .batchops-head { font-weight: 600; font-size: 15px; }
.batchops-console .batchops-section {
  border-top: 1px solid var(--jp-border-color2, #ccc); padding-top: 6px; margin-top: 4px;
}
.batchops-console .batchops-confirm {
  border: 2px solid var(--jp-brand-color1, #1976d2); border-radius: 4px; padding: 6px 10px;
  background: var(--jp-layout-color1, #fff);
}
.batchops-console .batchops-error {
  border-left: 4px solid @failed; padding: 2px 8px; margin: 2px 0;
  background: var(--jp-layout-color2, #f3f3f3);
}
.batchops-console .batchops-done {
  border-left: 4px solid @done; padding: 2px 8px; margin: 2px 0;
  background: var(--jp-layout-color2, #f3f3f3);
}
.batchops-console .batchops-quiet { color: var(--jp-ui-font-color2, #555); }
.batchops-console button:focus-visible, .batchops-console select:focus-visible,
.batchops-console input:focus-visible {
  outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px;
}
</style>""".replace("@failed", COLOURS["failed"]).replace("@done", COLOURS["done"])


def make_row(*parts: Any) -> Any:
    """Return widgets side by side; they wrap on a narrow page."""
    row = widgets.HBox(list(parts))
    row.add_class("batchops-row")
    return row


def make_button(text: str, tooltip: str, icon: str, *, width_px: int = 110) -> Any:
    """Return a button with a text, a tooltip and an icon."""
    layout = widgets.Layout(width=f"{width_px}px")
    return widgets.Button(description=text, tooltip=tooltip, icon=icon, layout=layout)
