"""Write what the sections found into docs/performance.md and the README.

Run it as ``python -m tools.benchmarks.render``, as often as needed. The page itself is written by
hand; the last results of the section NAME replace what stands between ``<!-- bench:NAME -->`` and
``<!-- /bench:NAME -->``. The README has a place called ``headlines`` for a sentence on runs with
all sizes.
"""

from __future__ import annotations

import re
from pathlib import Path

import click

from batchops.core.project import checkout_root
from tools.benchmarks import results
from tools.benchmarks.results import Goal, Section, Table

PAGE = checkout_root() / "docs" / "performance.md"
README = checkout_root() / "README.md"
HEADLINES = "headlines"
_MARKED = re.compile(r"(<!-- bench:(\S+) -->\n).*?(<!-- /bench:\2 -->)", re.DOTALL)


@click.command()
@click.option("--results", "folder", default=results.FOLDER, type=click.Path(path_type=Path))
@click.option("--page", default=PAGE, type=click.Path(path_type=Path, exists=True))
@click.option("--readme", default=README, type=click.Path(path_type=Path, exists=True))
def main(folder: Path, page: Path, readme: Path) -> None:
    """Render the results into the pages; sections without results stay as they are."""
    text = page.read_text(encoding="utf-8")
    found = {name: results.load(name, folder) for name in marked_sections(text)}
    present = {name: section for name, section in found.items() if section is not None}
    page.write_text(render_page(text, present), encoding="utf-8")
    first = readme.read_text(encoding="utf-8")
    readme.write_text(render_headlines(first, list(present.values())), encoding="utf-8")
    click.echo(f"{page.name}: {', '.join(present) or 'nothing to render: run the sections first'}")


def marked_sections(text: str) -> list[str]:
    """Return the names of the sections that a page has places for, in order."""
    return [name for _, name, _ in _MARKED.findall(text)]


def render_page(text: str, sections: dict[str, Section]) -> str:
    """Return a page with the results of the given sections in their places."""

    def fill(place: re.Match[str]) -> str:
        section = sections.get(place[2])
        return f"{place[1]}{render_section(section)}{place[3]}" if section else place[0]

    return _MARKED.sub(fill, text)


def render_headlines(text: str, sections: list[Section]) -> str:
    """Return the README with the headlines of the sections that ran with all sizes."""
    said = [section.headline for section in sections if section.mode == "full" and section.headline]
    if not said:
        return text
    sentence = f"Measured in one run: {'; '.join(said)}."
    return _MARKED.sub(
        lambda place: f"{place[1]}{sentence}\n{place[3]}" if place[2] == HEADLINES else place[0],
        text,
    )


def render_section(section: Section) -> str:
    """Return a section as Markdown: what it ran on, its tables, its goals."""
    sizes = (
        "" if section.mode == "full" else f" Sizes of the mode `{section.mode}`, for a look only."
    )
    parts = [f"Measured on {section.date}: {section.machine}.{sizes}"]
    parts += [render_table(table) for table in section.tables]
    if section.goals:
        parts.append(render_goals(section.goals))
    return "\n" + "\n\n".join(parts) + "\n\n"


def render_table(table: Table) -> str:
    """Return a table as Markdown, its title above and its note below."""
    lines = [_line(table.columns), _line(["---"] * len(table.columns)), *map(_line, table.rows)]
    text = f"**{table.title}**\n\n" + "\n".join(lines)
    return f"{text}\n\n{table.note}" if table.note else text


def render_goals(goals: tuple[Goal, ...]) -> str:
    """Return goals as a table."""
    rows = [(t.name, t.wanted, t.found, "yes" if t.reached else "**no**") for t in goals]
    return render_table(Table("Goals", ("goal", "wanted", "found", "reached"), tuple(rows)))


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    main()
