"""How the states of a chunk are told apart: by a colour, and by a mark besides."""

# Okabe and Ito's palette (2008), which people of every colour vision tell apart.
COLOURS = {"done": "#009E73", "failed": "#D55E00", "running": "#0072B2", "waiting": "#999999"}
# What each state is told by besides its colour.
MARKS = {
    "done": "\N{CHECK MARK}",
    "failed": "\N{MULTIPLICATION X}",
    "running": "\N{BLACK RIGHT-POINTING TRIANGLE}",
    "waiting": "\N{MIDDLE DOT}",
}
