"""`python -m ytbuild` and the console script."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line and exit."""
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        # Members' names are UTF-8 whatever the locale; in another one Python would read them differently.
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    # The folder of the script, or the current one with -m, is not where upload_modules are looked up.
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]
    # Most commands end before the collector would find anything; `run` turns it on again.
    gc.disable()
    from ytbuild.cli.main import run

    run()


if __name__ == "__main__":
    main()
