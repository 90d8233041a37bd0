"""Real packages from the public index, through cheesebox: few, and kept in ``.cache/public`` between runs."""

from __future__ import annotations

import hashlib
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cheesebox.settings import IndexSettings
from tests.clients.client import Client
from tests.clients.environments import PIPS, UV, prepare
from tests.fakes.cheesebox_process import CheeseboxProcess
from tests.fakes.relay import Relay

pytestmark = [pytest.mark.public, pytest.mark.timeout(600)]
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "public" / "cheesebox"
SCIPY = "scipy-1.14.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
SCIPY_SHA256 = "fef8c87f8abfb884dac04e97824b61299880c43f4ce675dd2cbeadd3c9b466d2"
FOR_LINUX = ("--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--only-binary", ":all:")


@pytest.fixture(scope="module", autouse=True)
def public_index() -> str:
    """The default upstream, when it can be reached from here."""
    page = f"{IndexSettings().upstream}six/"
    try:
        with urllib.request.urlopen(urllib.request.Request(page, method="HEAD"), timeout=20) as answer:
            assert answer.status == 200
    except (urllib.error.URLError, TimeoutError) as error:
        reason = f"the public index cannot be reached: {error}"
        sys.stderr.write(f"{reason}\n")
        pytest.skip(reason)
    return page


@pytest.fixture
def pip(tmp_path: Path) -> Client:
    return Client(prepare(PIPS[-1]), tmp_path / "one")


def tree(folder: Path) -> dict[str, str]:
    """Digests of all installed files but the ones that pip writes with paths or times in them."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and path.name != "RECORD" and "bin" not in path.parts
    }


@pytest.mark.parametrize("requirement", ["six", "requests", "numpy"])
def test_a_second_install_of_a_real_package_comes_from_the_cache(pip: Client, requirement: str) -> None:
    with CheeseboxProcess(None, CACHE) as box, Relay(box.url) as relay:
        pip.run("install", "--index-url", box.url, "--target", "installed", requirement)
        second = pip.fresh("two")
        second.run("install", "--index-url", relay.url, "--target", "installed", requirement)
    first_tree = tree(pip.project / "installed")
    assert f"{requirement}.py" in first_tree or f"{requirement}/__init__.py" in first_tree
    assert tree(second.project / "installed") == first_tree
    assert set(relay.statuses) == {"HIT"}


def test_a_large_wheel_comes_right_both_times(pip: Client) -> None:
    command = ("download", "--no-deps", *FOR_LINUX, "scipy==1.14.1")
    with CheeseboxProcess(None, CACHE) as box, Relay(box.url) as relay:
        for client, url in ((pip, box.url), (pip.fresh("two"), relay.url)):
            client.run(*command, "--index-url", url)
            content = (client.project / SCIPY).read_bytes()
            assert hashlib.sha256(content).hexdigest() == SCIPY_SHA256
    assert set(relay.statuses) == {"HIT"}


def test_an_index_of_the_past_has_what_there_was(pip: Client) -> None:
    """six 1.16.0 is of May 2021, 1.17.0 of December 2024."""
    command = ("download", "--no-deps", "--only-binary", ":all:", "six")
    with CheeseboxProcess(None, CACHE) as box:
        for moment, version in (("2024-06-30", "1.16.0"), ("2024-12-31T12:00:00Z", "1.17.0")):
            pip.run(*command, "--index-url", f"{box.mount_url}/@{moment}/simple/", "--dest", moment)
            [wheel] = (pip.project / moment).iterdir()
            assert wheel.name == f"six-{version}-py2.py3-none-any.whl"


def test_uv_resolves_in_the_past_as_it_does_with_exclude_newer(tmp_path: Path) -> None:
    uv = Client(prepare(UV), tmp_path / "uv")
    uv.write("requirements.in", "attrs\n")
    command = ("pip", "compile", "--quiet", "--no-header", "--no-annotate", "requirements.in")
    with CheeseboxProcess(None, CACHE) as box:
        dated = f"{box.mount_url}/@2024-06-30/simple/"
        past = uv.run(*command, "--default-index", dated, UV_NO_CONFIG="1")
        newer = ("--exclude-newer", "2024-06-30")
        assert uv.run(*command, "--default-index", box.url, *newer, UV_NO_CONFIG="1") == past
    assert past.strip() == "attrs==23.2.0"
