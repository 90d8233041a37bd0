from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.clients.client import Client
from tests.clients.environments import PIPS, prepare
from tests.fakes.faults import Reset, WrongBytes
from tests.fakes.relay import Relay

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.conftest import Shop
    from tests.fakes.cheesebox_process import CheeseboxProcess
    from tests.fakes.pypi import FakePyPI

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
SECOND_MEGABYTE = 1 << 20


@pytest.fixture(params=PIPS, ids=str)
def pip(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    return Client(prepare(request.param), tmp_path / "one")


@pytest.fixture(params=[pip for pip in PIPS if int(pip.version.split(".")[0]) >= 25], ids=str)
def modern_pip(request: pytest.FixtureRequest, tmp_path: Path) -> Client:
    return Client(prepare(request.param), tmp_path / "one")


def install(client: Client, index_url: str, *args: str) -> Path:
    client.run("install", "--index-url", index_url, "--target", "installed", *args)
    return client.project / "installed"


def test_pip_installs_a_package_with_its_dependency(pip: Client, box: CheeseboxProcess) -> None:
    installed = install(pip, box.url, "demo")
    assert (installed / "demo" / "__init__.py").read_text() == '__version__ = "2.0"\n'
    assert (installed / "helper-1.5.dist-info").is_dir()


def test_a_second_install_works_with_the_upstream_gone(
    pip: Client, box: CheeseboxProcess, pypi: FakePyPI
) -> None:
    install(pip, box.url, "demo")
    pypi.go_down()
    pypi.clear()
    assert (install(pip.fresh("two"), box.url, "demo") / "demo").is_dir()
    assert pypi.count("*") == 0


def test_pip_downloads_the_very_bytes(pip: Client, box: CheeseboxProcess, shop: Shop) -> None:
    for client in (pip, pip.fresh("two")):
        client.run("download", "--index-url", box.url, "--no-deps", "demo==1.0")
        assert (client.project / shop.old.filename).read_bytes() == shop.old.content


def test_pip_installs_with_required_hashes(pip: Client, box: CheeseboxProcess, shop: Shop) -> None:
    lines = [f"{f.project}=={f.version} --hash=sha256:{f.sha256}\n" for f in (shop.new, shop.helper)]
    pip.write("requirements.txt", "".join(lines))
    assert (install(pip, box.url, "--require-hashes", "-r", "requirements.txt") / "helper").is_dir()


def test_pip_builds_a_source_distribution(pip: Client, box: CheeseboxProcess, pypi: FakePyPI) -> None:
    pypi.add_sdist("built-here", "3.1", requires=["helper"])
    installed = install(pip, box.url, "built-here")
    assert (installed / "built_here" / "__init__.py").read_text() == '__version__ = "3.1"\n'
    assert (installed / "helper").is_dir()


def test_pip_says_that_an_unknown_project_is_unknown(pip: Client, box: CheeseboxProcess) -> None:
    code, output = pip.attempt("install", "--index-url", box.url, "--target", "installed", "no-such-thing")
    assert code == 1
    assert "No matching distribution found for no-such-thing" in output


def test_pip_keeps_away_from_a_yanked_release(
    pip: Client, box: CheeseboxProcess, pypi: FakePyPI, shop: Shop
) -> None:
    pypi.replace_file(shop.new, yanked="broken on Tuesdays")
    installed = install(pip, box.url, "demo")
    assert (installed / "demo-1.0.dist-info").is_dir()
    assert "broken on Tuesdays" in pip.run("install", "--index-url", box.url, "--target", "x", "demo==2.0")


def test_an_upstream_reset_in_mid_body_is_invisible(
    pip: Client, box: CheeseboxProcess, pypi: FakePyPI
) -> None:
    large = pypi.add_wheel("large", "1.0", size_padding=3_000_000)
    rule = pypi.fault(large.path, Reset(SECOND_MEGABYTE), times=1)
    assert (install(pip, box.url, "large") / "large" / "padding.bin").stat().st_size == 3_000_000
    assert rule.hits == 1


def test_wrong_bytes_are_never_installed_and_the_next_install_is_right(
    pip: Client, box: CheeseboxProcess, pypi: FakePyPI
) -> None:
    large = pypi.add_wheel("large", "1.0", size_padding=1_000_000)
    rule = pypi.fault(large.path, WrongBytes(500_000))
    command = ("download", "--index-url", box.url, "--no-deps", "large")
    code, _ = pip.attempt(*command)
    assert code != 0
    assert not (pip.project / large.filename).exists()
    assert rule.hits >= 1
    pypi.heal()
    healed = pip.fresh("two")
    healed.run(*command)
    assert (healed.project / large.filename).read_bytes() == large.content


def test_a_dry_run_of_the_newest_pip_reads_core_metadata_and_no_wheel(
    tmp_path: Path, box: CheeseboxProcess, pypi: FakePyPI
) -> None:
    newest = Client(prepare(PIPS[-1]), tmp_path / "one")
    newest.run("install", "--index-url", box.url, "--dry-run", "demo")
    assert (pypi.count("*.whl.metadata"), pypi.count("*.whl")) == (2, 0)


def test_pip_resolves_from_core_metadata(
    modern_pip: Client, box: CheeseboxProcess, pypi: FakePyPI, shop: Shop
) -> None:
    modern_pip.run("install", "--index-url", box.url, "--dry-run", "--report", "report.json", "demo")
    report = json.loads((modern_pip.project / "report.json").read_text())
    urls = {entry["download_info"]["url"] for entry in report["install"]}
    assert urls == {f"{box.mount_url}{file.path}" for file in (shop.new, shop.helper)}
    assert pypi.count("*.whl.metadata") == 2


def test_pip_resumes_a_download_that_the_line_cut(
    modern_pip: Client, box: CheeseboxProcess, pypi: FakePyPI
) -> None:
    large = pypi.add_wheel("large", "1.0", size_padding=6_000_000)
    with Relay(box.url, cut_after=2_000_000) as relay:
        modern_pip.run("download", "--index-url", relay.url, "--no-deps", "--resume-retries", "5", "large")
    assert (modern_pip.project / large.filename).read_bytes() == large.content
    assert relay.cuts == 1
    assert "range: bytes=" in relay.asked
    assert pypi.count(large.path) == 1


def test_pip_reads_metadata_by_ranges_where_the_index_has_none(
    modern_pip: Client, box: CheeseboxProcess, pypi: FakePyPI
) -> None:
    pypi.add_wheel("bare", "1.0", requires=["helper"], metadata=False, size_padding=500_000)
    feature = ("--use-feature", "fast-deps")
    output = modern_pip.run("install", "--index-url", box.url, "--dry-run", *feature, "bare")
    assert "Would install bare-1.0 helper-1.5" in output
