import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cheesebox.cli.config.address import Address
from cheesebox.cli.config.servers import Served, nginx, systemd
from cheesebox.settings import IndexSettings, Settings

DEPLOYED = Path(__file__).resolve().parents[3] / "deploy" / "systemd" / "cheesebox.service"
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (package systemd)"
)


def served(program="/opt/cheesebox/bin/cheesebox", config=None, **settings):
    index = IndexSettings()
    return Served(Settings(**settings), index, Address("https://www.example/mirror/python"), program, config)


@needs_systemd
@pytest.mark.parametrize("config", [None, Path("/etc/cheesebox.toml"), Path("/etc/50% of it/x y.toml")])
def test_systemd_finds_no_fault_in_the_unit(config, tmp_path):
    program = str(Path(sys.executable).parent / "cheesebox")
    unit = tmp_path / "cheesebox.service"
    unit.write_text(systemd(served(program, config, host="::")))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "cheesebox.service" in line]
    assert (done.returncode, ours) == (0, [])


@needs_systemd
def test_systemd_rates_the_unit_as_well_protected(tmp_path):
    unit = tmp_path / "cheesebox.service"
    unit.write_text(systemd(served()))
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=25", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_unit_in_the_tree_is_the_one_that_is_printed():
    assert DEPLOYED.read_text() == systemd(served(config=Path("/etc/cheesebox.toml")))


def test_a_stop_takes_no_longer_than_answers_may():
    assert "TimeoutStopSec=35s\n" in systemd(served(shutdown_grace=29.5))


@pytest.mark.parametrize(
    ("program", "seen"), [("/home/kim/bin/cheesebox", "read-only"), ("/opt/bin/cheesebox", "yes")]
)
def test_the_homes_are_hidden_unless_the_program_lies_there(program, seen):
    assert f"ProtectHome={seen}\n" in systemd(served(program))


@pytest.mark.parametrize(("keep_alive", "idle"), [(75.0, 60), (10.0, 8), (0.5, 1)])
def test_nginx_gives_an_idle_connection_up_first(keep_alive, idle):
    assert f"keepalive_timeout {idle}s;" in nginx(served(keep_alive=keep_alive))


def test_nginx_maps_the_subpath_of_the_site_to_the_mount():
    text = nginx(served(port=8080))
    assert "server 127.0.0.1:8080;" in text
    assert "location /mirror/python/ {" in text
    assert "proxy_pass http://cheesebox/pypi/;" in text
    assert "proxy_redirect /pypi/ /mirror/python/;" in text
    assert "Upgrade" not in text
