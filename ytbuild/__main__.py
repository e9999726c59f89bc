"""`python -m ytbuild` and the console script."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run the command line and exit."""
    # The folder of the script, or the current one with -m, is not where upload_modules are looked up.
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]
    # Most commands end before the collector would find anything; `run` turns it on again.
    gc.disable()
    from ytbuild.cli.main import run

    run()


if __name__ == "__main__":
    main()
