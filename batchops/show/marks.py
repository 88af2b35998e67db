"""The colours, and the marks that say the same without colour."""

# Okabe and Ito's palette (2008), which people of every colour vision tell apart.
GREEN, VERMILLION, BLUE, PURPLE, ORANGE = "#009E73", "#D55E00", "#0072B2", "#CC79A7", "#E69F00"

MARKS = {
    "done": "\N{CHECK MARK}",
    "failed": "\N{MULTIPLICATION X}",
    "running": "\N{BLACK RIGHT-POINTING TRIANGLE}",
    "waiting": "\N{MIDDLE DOT}",
}

# What stands in the place of a column where an error is of the whole row.
WHOLE_ROW = "(row)"

# Of text and lines in pictures that do not stand in a page, whose own colour they have there. Its
# contrast is 4.5 on white and 4.6 on black.
INK = "#767676"

# By the state of a chunk or a job, with the ink that reads on it: contrasts of 5.2 to 6.2.
COLOURS = {"done": GREEN, "failed": VERMILLION, "running": BLUE, "waiting": INK}
INK_ON = {"done": "#000000", "failed": "#000000", "running": "#FFFFFF"}


def mark_html(state: str) -> str:
    """Return a state's mark in its ink on its colour, which reads in a light and a dark page."""
    # What waits has no colour, and the page's ink.
    look = f"background:{COLOURS[state]};color:{INK_ON[state]};" if state in INK_ON else ""
    return f'<b style="{look}padding:0 0.35em">{MARKS[state]}</b>'
