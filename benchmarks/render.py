"""Write what the sections found into docs/performance.md: ``python -m benchmarks.render``.

The page is written by hand. Between ``<!-- bench:NAME -->`` and ``<!-- /bench:NAME -->`` stands
what the section NAME last found; what stood there before is replaced.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from batchops.project import checkout_root
from benchmarks import results
from benchmarks.results import Section, Table, Target

PAGE = checkout_root() / "docs" / "performance.md"
_MARKED = re.compile(r"(<!-- bench:(\S+) -->\n).*?(<!-- /bench:\2 -->)", re.DOTALL)


@click.command()
@click.option("--results", "folder", default=results.FOLDER, type=click.Path(path_type=Path))
@click.option("--page", default=PAGE, type=click.Path(path_type=Path, exists=True))
def main(folder: Path, page: Path) -> None:
    """Render the results into the page; sections without results stay as they are."""
    text = page.read_text(encoding="utf-8")
    found = {name: results.load(name, folder) for name in marked_sections(text)}
    present = {name: section for name, section in found.items() if section is not None}
    page.write_text(render_page(text, present), encoding="utf-8")
    click.echo(f"{page.name}: {', '.join(present) or 'nothing to render: run the sections first'}")


def marked_sections(text: str) -> list[str]:
    """Return the names of the sections that a page has places for, in its order."""
    return [name for _, name, _ in _MARKED.findall(text)]


def render_page(text: str, sections: dict[str, Section]) -> str:
    """Return a page with the places of the given sections filled."""

    def fill(place: re.Match[str]) -> str:
        section = sections.get(place[2])
        return f"{place[1]}{render_section(section)}{place[3]}" if section else place[0]

    return _MARKED.sub(fill, text)


def render_section(section: Section) -> str:
    """Return a section as Markdown: what it ran on, its tables, its targets."""
    sizes = (
        "" if section.mode == "full" else f" Sizes of the mode `{section.mode}`, for a look only."
    )
    parts = [f"Measured on {section.date}: {section.machine}.{sizes}"]
    parts += [render_table(table) for table in section.tables]
    if section.targets:
        parts.append(render_targets(section.targets))
    return "\n" + "\n\n".join(parts) + "\n\n"


def render_table(table: Table) -> str:
    """Return a table as Markdown, its title above and its note below."""
    lines = [_line(table.columns), _line(["---"] * len(table.columns)), *map(_line, table.rows)]
    text = f"**{table.title}**\n\n" + "\n".join(lines)
    return f"{text}\n\n{table.note}" if table.note else text


def render_targets(targets: tuple[Target, ...]) -> str:
    """Return targets as a table."""
    rows = [(t.name, t.wanted, t.found, "yes" if t.reached else "**no**") for t in targets]
    return render_table(Table("Targets", ("target", "wanted", "found", "reached"), tuple(rows)))


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    main()
