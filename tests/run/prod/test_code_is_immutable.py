"""Jobs get the code of the archive that their operation was started with, whatever is uploaded meanwhile."""

from __future__ import annotations

from tests.run.prod.place import Place
from tests.run.stages import until

WAITS = """\
import glob, os, sys, time
sys.stdin.read()
folder = os.environ["FOLDER"]
if not os.path.exists(folder + "/go"):
    while not os.path.exists(folder + "/go"):
        time.sleep(0.02)
    sys.exit("the first attempt")
print('{"version": %d}')
"""


def test_a_job_that_starts_again_gets_the_code_of_its_operation(stand_in: Place) -> None:
    root = stand_in.pipeline.root
    tables = "input_table: //x/input, output_table: //x/output"
    stand_in.operations(f"map: {{{tables}, max_failed_job_count: 2, env: {{FOLDER: {root}}}}}")
    stand_in.write("stages/first/src/mapper.py", WAITS % 1)
    with stand_in.running() as running:
        until(lambda: [job for each in stand_in.started() for job in each["jobs"]])
        stand_in.write("stages/first/src/mapper.py", WAITS % 2)
        stand_in.ran("upload")
        stand_in.pipeline.write("go")
        assert running.ended() == 0, running.said
    (operation,) = stand_in.started()
    assert [job["state"] for job in operation["jobs"]] == ["failed", "completed"]
    assert stand_in.get("output") == [{"version": 1}]


def test_an_operation_names_the_archive_by_its_key(stand_in: Place) -> None:
    stand_in.ran()
    key = stand_in.pipeline.build()["key"]
    mapper = stand_in.started()[0]["parameters"]["spec"]["mapper"]
    assert f"{stand_in.folder}/build/archives/{key}.tar.gz" in str(mapper["file_paths"])
