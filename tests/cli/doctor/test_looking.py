import fcntl
import os
import stat
import time
import urllib.request

import pytest

from cheesebox.adapters.disk_store import DiskStore
from cheesebox.cli.doctor.directory import Claim
from cheesebox.cli.doctor.looking import (
    look_at_directory,
    look_at_installers,
    look_at_secrets,
    look_for_server,
    look_for_server_at,
    open_files,
)
from cheesebox.cli.doctor.server import Listener
from cheesebox.cli.places import Surroundings
from cheesebox.server.sockets import listen
from cheesebox.settings import IndexSettings, Settings
from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.web.nodes import shared_engines


def contents(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_cache_is_tried_out_and_left_as_it_was(tmp_path):
    store = DiskStore(tmp_path / "cache")
    store.prepare()
    before = contents(tmp_path)
    facts = look_at_directory(tmp_path / "cache")
    assert (facts.claim, facts.writing, facts.renaming, facts.locking) == (Claim.OURS, None, None, None)
    assert facts.is_locked
    assert facts.space.free > 0
    store.close()
    assert not look_at_directory(tmp_path / "cache").is_locked
    assert contents(tmp_path) == before


def test_a_directory_that_is_not_there_yet_is_not_made(tmp_path):
    facts = look_at_directory(tmp_path / "a" / "b")
    assert (facts.claim, facts.writing) == (Claim.NOTHING, None)
    assert contents(tmp_path) == []


def test_other_people_s_things_are_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    assert look_at_directory(tmp_path).claim is Claim.FOREIGN
    (tmp_path / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55")
    assert look_at_directory(tmp_path).claim is Claim.FOREIGN
    assert look_at_directory(tmp_path / "thesis.txt").claim is Claim.FOREIGN


def test_a_directory_that_cannot_be_written_says_why(tmp_path, monkeypatch):
    tmp_path.chmod(0o500)
    facts = look_at_directory(tmp_path)
    tmp_path.chmod(0o700)
    if os.geteuid() == 0:  # nothing keeps root out: the answer has to be that all is well
        assert facts.writing is None
    else:
        assert facts.writing == "Permission denied"

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert look_at_directory(tmp_path).locking == "Operation not supported"


def test_what_is_stored_is_summed_up(tmp_path, pypi):
    wheel = pypi.add_wheel("demo", "1.0")
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cache") as box:
        with urllib.request.urlopen(f"{box.mount_url}{wheel.path}", timeout=30) as answer:
            answer.read()
        assert box.stop() == 0
    assert look_at_directory(tmp_path / "cache").stored >= len(wheel.content)


def test_files_of_secrets_are_found_with_their_modes(tmp_path):
    token = tmp_path / "token"
    token.write_text("secret")
    token.chmod(0o640)
    [(path, mode)] = look_at_secrets(
        Settings(index=IndexSettings(token_file=token, password_file=tmp_path / "-"))
    )
    assert (path, stat.S_IMODE(mode)) == (token, 0o640)


def test_the_limit_of_open_files_is_read():
    soft = open_files()
    assert soft is None or soft > 0


def test_only_installers_that_are_there_are_looked_at(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    around = Surroundings("linux", {"XDG_CONFIG_HOME": str(tmp_path), "XDG_CONFIG_DIRS": "/-"}, str(tmp_path))
    assert look_at_installers(around) == []
    for name in ("pip", "uv"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text('index-url = "https://a.example/"\n')
    _pip, uv = look_at_installers(around)
    assert uv.index is not None
    assert uv.index.source == str(tmp_path / "uv" / "uv.toml")


def test_the_configured_address_is_tried(tmp_path, pypi):
    with CheeseboxProcess(pypi.simple_url, tmp_path / "cache") as box:
        port = int(box.mount_url.split(":")[2].split("/")[0])
        assert look_for_server(Settings(port=port)) is Listener.READY
        (tmp_path / "cache" / ".parts").rename(tmp_path / "away")
        deadline = time.monotonic() + 20
        while look_for_server(Settings(port=port)) is not Listener.NOT_READY:  # it was looked at just now
            assert time.monotonic() < deadline
            time.sleep(0.2)
        (tmp_path / "away").rename(tmp_path / "cache" / ".parts")
    assert look_for_server(Settings(port=port)) is Listener.NOBODY
    assert look_for_server_at(f"http://127.0.0.1:{port}/prefix/") is Listener.NOBODY
    assert look_for_server(Settings(port=int(pypi.url.rpartition(":")[2]))) is Listener.OTHER


@pytest.mark.parametrize("host", ["127.0.0.1"])
def test_a_port_that_takes_connections_and_says_nothing_is_another_program(host, monkeypatch):
    monkeypatch.setattr("cheesebox.cli.probe._TIMEOUT", 0.1)
    with listen(host, 0) as sock:
        assert look_for_server(Settings(host=host, port=sock.getsockname()[1])) is Listener.OTHER


def test_a_server_that_is_ready_with_remarks_is_ready(tmp_path, pypi):
    with shared_engines(tmp_path, pypi.simple_url) as engines:
        box = engines.node()
        engines.valkey.kill()
        assert box.get("/pypi/simple/absent/").status == 404
        assert box.get("/-/ready").body.count(b"\n") == 2
        assert look_for_server_at(box.url) is Listener.READY
