"""Speed, memory, cost and scale, measured in one run and written down: ``make bench``.

``python -m benchmarks [SECTION ...] [--quick]`` measures and stores each section's results as JSON;
``python -m benchmarks.render`` writes them into docs/performance.md, as often as wanted.
"""
