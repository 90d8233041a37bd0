import pytest

from cheesebox.cli.doctor.findings import Level
from cheesebox.cli.doctor.limits import judge_open_files
from cheesebox.cli.doctor.server import Listener, judge_server


@pytest.mark.parametrize(
    ("soft", "connections", "level"),
    [(None, 10_000, Level.OK), (1024, 100, Level.OK), (256, 100, Level.WARN), (1024, 1000, Level.WARN)],
)
def test_open_files_have_to_do_for_the_connections(soft, connections, level):
    assert judge_open_files(soft, connections).level is level


@pytest.mark.parametrize(
    ("listener", "level"),
    [
        (Listener.READY, Level.OK),
        (Listener.NOT_READY, Level.WARN),
        (Listener.NOBODY, Level.WARN),
        (Listener.OTHER, Level.FAIL),
    ],
)
def test_only_another_program_at_the_address_is_a_failure(listener, level):
    finding = judge_server(listener, "http://127.0.0.1:6283")
    assert finding.level is level
    assert "http://127.0.0.1:6283" in finding.message
