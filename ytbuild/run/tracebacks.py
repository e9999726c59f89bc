"""What a user sees of an exception that stage code raised."""

from __future__ import annotations

import os
import traceback

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def own(error: BaseException) -> str:
    """Return a traceback without ytbuild's own frames at its beginning."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith((_PACKAGE, "<frozen importlib")):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()


def place(error: BaseException, pipeline_dir: str) -> str:
    """Return `stages/x/stage.py:12: ` for the innermost line of the pipeline's own code; empty without one."""
    place_of_innermost = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        if path.startswith(pipeline_dir + os.sep):
            place_of_innermost = f"{os.path.relpath(path, pipeline_dir)}:{line}: "
    return place_of_innermost
