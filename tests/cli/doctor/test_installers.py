import pytest

from cheesebox.cli.config.address import Address
from cheesebox.cli.doctor.findings import Level
from cheesebox.cli.doctor.installers import Installer, Said, Text, judge_installer, read_pip, read_uv

OURS = [Address("https://www.example/mirror"), Address("http://127.0.0.1:6283/pypi")]
SIMPLE = "http://127.0.0.1:6283/pypi/simple/"
GLOBAL = Text("/etc/pip.conf", "[global]\nindex-url = https://a.example/\nno-cache-dir = false\n")
USER = Text("/home/pip.conf", f"[install]\nindex_url = {SIMPLE}\n")


def judged(installer):
    return [(finding.level, finding.message) for finding in judge_installer(installer, OURS)]


def levels(installer):
    return [level for level, _ in judged(installer)]


def test_pip_s_section_of_a_command_is_stronger_and_the_environment_strongest():
    assert read_pip([GLOBAL], {}).index == Said("https://a.example/", "/etc/pip.conf")
    assert read_pip([GLOBAL, USER], {}).index == Said(SIMPLE, "/home/pip.conf")
    assert read_pip([USER, GLOBAL], {}).index == Said(SIMPLE, "/home/pip.conf")
    environ = {"PIP_INDEX_URL": "https://b.example/", "PIP_NO_INDEX": "1", "PIP_EXTRA_INDEX_URL": ""}
    found = read_pip([GLOBAL, USER], environ)
    assert found.index == Said("https://b.example/", "PIP_INDEX_URL")
    assert found.no_index == Said("1", "PIP_NO_INDEX")
    assert (found.further, found.no_cache) == (None, None)


def test_uv_s_later_file_is_stronger_and_further_indexes_add_up():
    machine = Text("/etc/uv.toml", '[[index]]\nurl = "https://a.example/"\ndefault = true\n')
    user = Text(
        "/home/uv.toml", f'[[index]]\nurl = "https://b.example/"\n[[index]]\nurl = "{SIMPLE}"\ndefault = true'
    )
    assert read_uv([machine], {}).index == Said("https://a.example/", "/etc/uv.toml")
    found = read_uv([machine, user], {"UV_INDEX": "c=https://c.example/", "UV_NO_CACHE": "true"})
    assert found.index == Said(SIMPLE, "/home/uv.toml")
    assert found.further == Said("https://b.example/ c=https://c.example/", "UV_INDEX")
    assert found.no_cache == Said("true", "UV_NO_CACHE")
    assert read_uv([user], {"UV_DEFAULT_INDEX": "x=https://d.example/"}).index == Said(
        "x=https://d.example/", "UV_DEFAULT_INDEX"
    )


def test_a_file_that_cannot_be_read_is_a_failure():
    for found in (read_pip([Text("/p", "broken")], {}), read_uv([Text("/u", "= broken")], {})):
        assert levels(found) == [Level.FAIL, Level.WARN]


@pytest.mark.parametrize(
    "url",
    [
        SIMPLE,
        SIMPLE.rstrip("/"),
        "http://localhost:6283/pypi/simple",
        "http://[::1]:6283/pypi/simple/",
        "http://127.0.0.1:6283/pypi/@2026-01-31/simple/",
        "https://www.example/mirror/simple/",
        "https://www.example:443/mirror/simple/",
        "box=https://www.example/mirror/simple/",
        "https://kim:pass@www.example/mirror/simple/",
    ],
)
def test_every_address_of_the_cache_is_known(url):
    [(level, message)] = judged(Installer(name="uv", index=Said(url, "UV_DEFAULT_INDEX")))
    assert level is Level.OK
    assert "pass" not in message


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/simple/",
        "http://127.0.0.1:6284/pypi/simple/",
        "http://127.0.0.1:6283/other/simple/",
        "http://127.0.0.1:6283/pypi/",
        "http://www.example/mirror/simple/",
        "http://127.0.0.1:port/pypi/simple/",
        "file:///wheels",
    ],
)
def test_another_index_is_told_with_the_way_to_change_it(url):
    [finding] = judge_installer(Installer(name="pip", index=Said(url, "PIP_INDEX_URL")), OURS)
    assert finding.level is Level.WARN
    assert finding.fix == "unset PIP_INDEX_URL, then cheesebox config pip --write"


def test_no_index_at_all_means_the_public_one():
    [finding] = judge_installer(Installer(name="uv"), OURS)
    assert (finding.level, finding.fix) == (Level.WARN, "cheesebox config uv --write")


@pytest.mark.parametrize("trusted", [("box.example",), ("box.example:6283",), ("other.example",), ()])
def test_pip_has_to_trust_a_plain_host(trusted):
    address = Address("http://box.example:6283/pypi")
    pip = Installer(name="pip", index=Said(address.simple_url, "/p"), trusted=trusted)
    found = [finding.level for finding in judge_installer(pip, [address])]
    assert found == ([Level.OK] if "box" in "".join(trusted) else [Level.OK, Level.FAIL])
    uv = Installer(name="uv", index=pip.index)
    assert [finding.level for finding in judge_installer(uv, [address])] == [Level.OK]


def test_an_index_beside_the_cache_is_told_unless_it_is_the_cache_s_own():
    def beside(urls):
        further = Said(urls, "PIP_EXTRA_INDEX_URL")
        return Installer(name="pip", index=Said(SIMPLE, "/p"), further=further)

    assert levels(beside("https://www.example/mirror/simple/")) == [Level.OK]
    [_, (level, message)] = judged(beside(f"{SIMPLE} https://kim:pass@b.example/simple/"))
    assert level is Level.WARN
    assert message.startswith("asks https://b.example/simple/, too")


def test_switches_that_go_round_the_cache_are_told():
    found = Installer(
        name="pip",
        index=Said(SIMPLE, "/p"),
        no_index=Said("1", "PIP_NO_INDEX"),
        no_cache=Said("1", "PIP_NO_CACHE_DIR"),
    )
    assert levels(found) == [Level.OK, Level.WARN, Level.WARN]
