"""`python -m tests.wire FILE`: record what the installed official client sends; with --ytbuild, what ytbuild does."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.cluster.running import Cluster


def main() -> None:
    """Read the arguments and record, against a stand-in cluster of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.wire", description=__doc__)
    parser.add_argument("file", type=Path, help="where the recording goes, a line of JSON for each request")
    parser.add_argument("--ytbuild", action="store_true", help="record ytbuild, not the official client alone")
    parser.add_argument("--without-yson", action="store_true", help="as if the YSON bindings were not installed")
    arguments = parser.parse_args()
    if arguments.without_yson:
        sys.modules["yt_yson_bindings"] = None  # type: ignore[assignment]
        sys.modules["yt_yson_bindings.yson_lib"] = None  # type: ignore[assignment]
    from tests.wire import official_calls, recorder, ytbuild_calls

    calls = ytbuild_calls if arguments.ytbuild else official_calls
    with tempfile.TemporaryDirectory() as name, Cluster.start(Path(name) / "cluster") as cluster:
        local = Path(name) / "local"
        local.mkdir()
        with recorder.recording(cluster.address) as recording:
            calls.record(cluster, recording, local)
            recording.write(arguments.file)


if __name__ == "__main__":
    main()
