"""``python -m batchops``."""

from batchops.cli import main

main()
