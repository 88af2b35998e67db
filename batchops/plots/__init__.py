"""Plots: they take a DataFrame and return matplotlib Axes."""
