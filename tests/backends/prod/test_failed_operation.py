"""What a failed operation on a cluster tells."""

from __future__ import annotations

import pytest

from tests.backends.prod.place import Place
from ytbuild.base.errors import JobFailed, OperationFailed

# The client leaves the connections of requests that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

ENDLESS = "sleep 60"


def test_a_failed_job_tells_the_end_of_its_stderr(place: Place) -> None:
    script = "for n in $(seq 100); do echo line $n >&2; done; exit 3"
    with pytest.raises(JobFailed) as caught:
        place.start("vanilla", script).wait()
    message = caught.value.message
    assert message.startswith("stage/vanilla (vanilla) failed: ")
    assert "; the end of its stderr:\n  line 81\n" in message
    assert message.endswith("\n  line 100")
    assert caught.value.said.endswith("  line 100")


def test_the_log_of_a_failure_has_all_of_it_and_no_secret(place: Place) -> None:
    script = "seq 100 >&2; echo the key is $KEY >&2; exit 3"
    operation = place.start("vanilla", script, environment={"KEY": "hunter22"})
    with pytest.raises(JobFailed) as caught:
        operation.wait()
    log = place.logs / f"stage.vanilla.{operation.id}.log"
    assert str(log) in caught.value.hint and operation.link in caught.value.hint
    text = log.read_text()
    assert "\n1\n2\n" in text and "the key is ***" in text and "inner_errors" in text
    assert "hunter22" not in text + caught.value.message + caught.value.said


def test_what_a_job_writes_cannot_command_the_terminal(place: Place) -> None:
    with pytest.raises(JobFailed) as caught:
        place.start("vanilla", r"printf 'a\033[31mb' >&2; exit 1").wait()
    assert "\x1b" not in caught.value.message


def test_a_silent_job_is_said_to_be_silent(place: Place) -> None:
    with pytest.raises(JobFailed, match="; its job wrote nothing to stderr"):
        place.start("vanilla", "exit 1").wait()


@pytest.mark.parametrize("command", ["get_job_stderr", "list_jobs"])
@pytest.mark.parametrize("kind", ["503", "500"])
def test_what_cannot_be_asked_after_a_failure_does_not_hide_it(place: Place, command: str, kind: str) -> None:
    place.cluster.fault(command, kind, nth="every")
    with pytest.raises(OperationFailed, match=r"^stage/vanilla \(vanilla\) failed: .*exit"):
        place.start("vanilla", "echo said >&2; exit 3").wait()


def test_a_log_that_cannot_be_written_does_not_hide_a_failure(place: Place) -> None:
    place.logs.write_text("a file in the way")
    with pytest.raises(JobFailed) as caught:
        place.start("vanilla", "exit 1").wait()
    assert "log" not in caught.value.hint


def test_an_operation_over_its_time_says_so(place: Place) -> None:
    with pytest.raises(OperationFailed, match=r"failed: it ran longer than its time_limit, 0\.5s"):
        place.start("vanilla", ENDLESS, time_limit=0.5).wait()
