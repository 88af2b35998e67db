"""Plots: a DataFrame in, matplotlib Axes out. Nothing here knows AWS."""
