"""The lock files of uv, poetry and PEP 751."""

from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from cheesebox.errors import UnreadableLock
from cheesebox.lockfiles.reading import read_lock
from cheesebox.lockfiles.targets import make_target
from cheesebox.lockfiles.wanted import Elsewhere, LockedFile, Wanted

LINUX = make_target("3.12", "linux_x86_64").environment
WINDOWS = make_target("3.12", "win_amd64").environment
OWN_LOCK = Path(__file__).resolve().parents[2] / "uv.lock"

UV = """
version = 1
revision = 3

[[package]]
name = "app"
version = "0"
source = { editable = "." }
dependencies = [
    { name = "six" },
    { name = "colorama", marker = "sys_platform == 'win32'" },
    { name = "fork", version = "1.0", marker = "python_full_version < '3.12'" },
    { name = "fork", version = "2.0", marker = "python_full_version >= '3.12'" },
    { name = "server", extra = ["fast"] },
]
[package.optional-dependencies]
extra = [{ name = "optional" }]
[package.dev-dependencies]
dev = [{ name = "checked-out" }]

[[package]]
name = "six"
version = "1.17.0"
source = { registry = "https://example.org/simple" }
sdist = { url = "https://example.org/packages/aa/six-1.17.0.tar.gz", hash = "sha256:11", size = 1 }
wheels = [{ url = "https://example.org/b/six-1.17.0%2Blocal-py2.py3-none-any.whl", hash = "sha256:22" }]

[[package]]
name = "colorama"
version = "1"
source = { registry = "https://example.org/simple" }

[[package]]
name = "fork"
version = "1.0"
source = { registry = "https://example.org/simple" }

[[package]]
name = "fork"
version = "2.0"
source = { registry = "https://example.org/simple" }

[[package]]
name = "server"
version = "3"
source = { registry = "https://example.org/simple" }
dependencies = [{ name = "app" }]
[package.optional-dependencies]
fast = [{ name = "loop" }]
slow = [{ name = "snail" }]

[[package]]
name = "loop"
version = "4"
source = { registry = "https://example.org/simple" }

[[package]]
name = "snail"
version = "5"
source = { registry = "https://example.org/simple" }

[[package]]
name = "optional"
version = "6"
source = { registry = "https://example.org/simple" }

[[package]]
name = "checked-out"
version = "7"
source = { git = "https://example.org/repo?rev=1#abc" }
"""

POETRY = """
[[package]]
name = "Six"
version = "1.17.0"
files = [
    {file = "six-1.17.0-py2.py3-none-any.whl", hash = "sha256:22"},
    {file = "six-1.17.0.tar.gz", hash = "sha256:11"},
]
markers = "sys_platform == 'linux'"

[[package]]
name = "grouped"
version = "1"
files = []
[package.markers]
main = "sys_platform == 'win32'"
dev = "sys_platform == 'linux'"

[[package]]
name = "repo"
version = "1"
files = []
[package.source]
type = "git"
url = "https://example.org/repo"

[metadata]
lock-version = "2.1"
"""

POETRY_1_2 = """
[[package]]
name = "six"
version = "1"
[metadata]
lock-version = "1.1"
[metadata.files]
six = [{file = "six-1.tar.gz", hash = "sha256:11"}]
"""

PYLOCK = """
lock-version = "1.0"
created-by = "test"
extras = ["fast"]
dependency-groups = ["dev"]

[[packages]]
name = "six"
version = "1.17.0"
[[packages.wheels]]
name = "six-1.17.0-py2.py3-none-any.whl"
url = "https://example.org/six-1.17.0-py2.py3-none-any.whl"
hashes = { sha256 = "22", md5 = "33" }

[[packages]]
name = "loop"
version = "1"
marker = "'fast' in extras and 'dev' in dependency_groups"
sdist = { name = "loop-1.tar.gz", url = "https://example.org/loop-1.tar.gz", hashes = { blake2b = "44" } }

[[packages]]
name = "colorama"
version = "1"
marker = "sys_platform == 'win32'"
sdist = { name = "colorama-1.tar.gz", url = "https://example.org/c-1.tar.gz", hashes = { sha256 = "55" } }

[[packages]]
name = "repo"
vcs = { type = "git", url = "https://example.org/repo", commit-id = "abc" }
"""


def read(name, text, environment=LINUX):
    return read_lock(name, environment, {name: text}.__getitem__)


def named(items):
    return [str(item) if isinstance(item, Wanted) else item.what for item in items]


def test_a_uv_lock_tells_what_its_project_reaches_with_all_extras_and_groups():
    assert named(read("uv.lock", UV)) == [
        "six==1.17.0",
        "fork==2.0",
        "server==3",
        "loop==4",
        "optional==6",
        "checked-out @ https://example.org/repo?rev=1#abc",
    ]


def test_a_uv_lock_tells_other_packages_for_another_platform():
    assert "colorama==1" in named(read("uv.lock", UV, WINDOWS))


def test_a_uv_lock_tells_files_and_digests():
    six = read("uv.lock", UV)[0]
    assert six == Wanted(
        "six",
        SpecifierSet("==1.17.0"),
        (
            LockedFile("six-1.17.0.tar.gz", "sha256:11"),
            LockedFile("six-1.17.0+local-py2.py3-none-any.whl", "sha256:22"),
        ),
    )


def test_the_lock_of_a_script_is_taken_whole():
    text = 'version = 1\n[[package]]\nname = "six"\nversion = "1"\nsource = { registry = "x" }\n'
    assert named(read("script.py.lock", text)) == ["six==1"]


def test_the_lock_of_this_project_is_read():
    items = read_lock(str(OWN_LOCK), LINUX, lambda path: Path(path).read_text())
    assert {"aiohttp", "uvloop", "pytest", "packaging"} <= {item.project for item in items}
    assert all(item.files for item in items)


def test_a_poetry_lock_tells_what_any_of_its_groups_wants():
    assert named(read("poetry.lock", POETRY)) == [
        "six==1.17.0",
        "grouped==1",
        "repo @ https://example.org/repo",
    ]
    assert named(read("poetry.lock", POETRY, WINDOWS))[0] == "grouped==1"


def test_a_poetry_lock_tells_files_and_digests():
    assert read("poetry.lock", POETRY)[0].files == (
        LockedFile("six-1.17.0-py2.py3-none-any.whl", "sha256:22"),
        LockedFile("six-1.17.0.tar.gz", "sha256:11"),
    )


def test_an_old_poetry_lock_has_its_files_elsewhere():
    assert read("poetry.lock", POETRY_1_2)[0].files == (LockedFile("six-1.tar.gz", "sha256:11"),)


def test_a_pylock_tells_files_and_digests_with_all_extras_and_groups():
    assert read("pylock.dev.toml", PYLOCK) == (
        Wanted(
            "six", SpecifierSet("==1.17.0"), (LockedFile("six-1.17.0-py2.py3-none-any.whl", "sha256:22"),)
        ),
        Wanted("loop", SpecifierSet("==1"), (LockedFile("loop-1.tar.gz", "blake2b:44"),)),
        Elsewhere("repo @ https://example.org/repo"),
    )


def test_requirements_include_others_that_lie_beside_them():
    files = {
        "a/b/requirements.txt": "-r ../more.in",
        "a/b/../more.in": "-r /most.txt\nsix",
        "/most.txt": "idna",
    }
    items = read_lock("a/b/requirements.txt", LINUX, files.__getitem__)
    assert named(items) == ["idna", "six"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", "version = 1\n[[package]]\nname = 1"),
        ("uv.lock", "not toml"),
        ("uv.lock", 'version = 1\n[[package]]\nname = "a"\nversion = "x y"\nsource = { registry = "x" }'),
        ("poetry.lock", "[[package]]\nname = 'a'"),
        ("pylock.toml", "lock-version = '1.0'"),
        ("pylock.toml", "x"),
        ("setup.py", ""),
    ],
)
def test_what_is_no_lock_is_refused_with_its_name(name, text):
    with pytest.raises(UnreadableLock, match=f"^{name}: "):
        read(name, text)
