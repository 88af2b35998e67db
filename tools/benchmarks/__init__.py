"""Measure speed, memory, cost and scale in one run, and write the figures down: ``make bench``.

``python -m tools.benchmarks [SECTION ...] [--quick]`` measures, and stores each section's results
as JSON. ``python -m tools.benchmarks.render`` writes them into docs/performance.md.
"""
