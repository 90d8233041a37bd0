"""``[[static]]`` tables: what may stand in one, and how they fit with the rest."""

from __future__ import annotations

import pytest

from cheesebox.errors import SettingsError
from cheesebox.settings_loading import load_settings


@pytest.fixture
def load(tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "cache").mkdir()

    def load_text(text):
        config = tmp_path / "cheesebox.toml"
        config.write_text(f'cache_dir = "{tmp_path}/cache"\n{text.replace("ROOT", str(tmp_path))}')
        return load_settings(config, {}, {})

    return load_text


def static(mount="/", root="ROOT/www", more=""):
    return f'[[static]]\nmount = "{mount}"\nroot = "{root}"\n{more}\n'


def test_several_directories_each_with_its_mount(load, tmp_path):
    first, second = load(static() + static("/files/", more="listing = true")).statics
    assert (first.mount, first.root, first.listing) == ("", tmp_path / "www", False)
    assert (second.mount, second.listing) == ("/files", True)


def test_without_tables_nothing_is_served(load):
    assert load("").statics == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('static = "x"', r"static is written as \[\[static\]\] tables"),
        ('[[static]]\nmount = "/"', r"\[\[static\]\] number 1: root is missing"),
        ('[[static]]\nroot = "ROOT/www"', "number 1: mount is missing"),
        (static(more="lsting = true"), "number 1: unknown key 'lsting'; mount, root, listing are allowed"),
        (static(more='listing = "maybe"'), "listing: 'maybe' is neither true nor false"),
        (static(root="ROOT/nothing"), "root = '.*/nothing' is not a directory"),
        (static(root="ROOT/cheesebox.toml"), "is not a directory"),
        (static("/-"), "mount = '/-': / or a path such as /files is allowed, but not /-"),
        (static("/-/x"), "mount = '/-/x'"),
        (static("files"), "mount = 'files'"),
        (static(""), "mount = ''"),
        (static("/a/../b"), "mount = '/a/../b'"),
        (static("/a") + static("/a/"), "mount = '/a' is there more than once"),
        (static("/pypi"), "mount = '/pypi' overlaps with '/pypi' of index 'pypi'"),
        (static("/pypi/simple"), "mount = '/pypi/simple' overlaps with '/pypi' of index 'pypi'"),
        (static(root="ROOT"), "one of root and cache_dir lies in the other"),
        (static(root="ROOT/cache"), "one of root and cache_dir lies in the other"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(load, text, message):
    with pytest.raises(SettingsError, match=message):
        load(text)
