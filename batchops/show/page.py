"""An HTML page that stands alone: no script, no server, no network; light, dark and printed."""

from __future__ import annotations

from collections.abc import Iterable

from batchops.show import markup

# Nothing is loaded from anywhere, whatever the content says.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --line: #c8c8c8; --head: #f2f2f2; }
@media (prefers-color-scheme: dark) {
  :root { --line: #4a4a4a; --head: #262626; }
}
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  background: #fff; color: #1f1f1f; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; padding-top: .5rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { margin: .3rem 0; }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; }
table { border-collapse: collapse; font-size: .85rem; margin: .4rem 0 .8rem; }
th, td { padding: .2rem .8rem .2rem 0; vertical-align: top; border-bottom: 1px solid var(--line);
  max-width: 26rem; overflow-wrap: anywhere; }
td[style*="left"]:not(:empty) { min-width: 5.8rem; }
td[style*="right"] { white-space: nowrap; }
th { background: var(--head); overflow-wrap: normal; }
th:first-child, td:first-child { padding-left: .4rem; }
svg { display: block; margin: .5rem 0; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #e0e0e0; } }
@media screen { section { overflow-x: auto; } }
@media print {
  :root { color-scheme: light; --line: #c8c8c8; --head: #f2f2f2; }
  body { background: #fff; color: #000; font-size: 10pt; margin: 0; max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  tr, svg, p { break-inside: avoid; }
  svg { max-height: 22cm; }
  thead { display: table-header-group; }
}
@page { margin: 1.5cm; }
"""


def page(title: str, head: str, sections: Iterable[tuple[str, str]]) -> str:
    """Return a page with a title, markup below it, and sections, each a title and its markup."""
    found = list(sections)
    places = "".join(
        f'<li><a href="#part-{number}">{markup.one_line(name)}</a></li>'
        for number, (name, _) in enumerate(found, 1)
    )
    body = "".join(
        f'<section id="part-{number}"><h2>{markup.one_line(name)}</h2>{content}</section>'
        for number, (name, content) in enumerate(found, 1)
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{markup.one_line(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{markup.one_line(title)}</h1>{head}<nav><ul>{places}</ul></nav>{body}"
        "</body></html>\n"
    )
