"""``batchops``, and ``python -m batchops``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; Ctrl-C is answered while its modules load, too."""
    try:
        from batchops.cli import main as run

        run()
    except KeyboardInterrupt:
        # As batchops.cli says it, of which not all may be there yet.
        sys.stderr.write("interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
