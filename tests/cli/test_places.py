"""Places on every platform; those of Linux are compared with what pip and uv do in tests/clients."""

from pathlib import PurePosixPath, PureWindowsPath

import pytest

from cheesebox.cli.places import Surroundings, pip_files, pip_user_file, uv_files, uv_user_file

APPDATA = {"APPDATA": "C:\\Users\\kim\\AppData\\Roaming", "PROGRAMDATA": "C:\\ProgramData"}


def on(platform, home="/home/kim", there=(), **environ):
    return Surroundings(platform, environ, home, lambda path: str(path) in there)


@pytest.mark.parametrize(
    ("around", "pip", "uv"),
    [
        (on("linux"), "/home/kim/.config/pip/pip.conf", "/home/kim/.config/uv/uv.toml"),
        (on("linux", XDG_CONFIG_HOME="/x"), "/x/pip/pip.conf", "/x/uv/uv.toml"),
        (on("linux", XDG_CONFIG_HOME=""), "/home/kim/.config/pip/pip.conf", "/home/kim/.config/uv/uv.toml"),
        (on("darwin", "/Users/k"), "/Users/k/.config/pip/pip.conf", "/Users/k/.config/uv/uv.toml"),
        (
            on("darwin", "/Users/k", there=["/Users/k/Library/Application Support/pip"]),
            "/Users/k/Library/Application Support/pip/pip.conf",
            "/Users/k/.config/uv/uv.toml",
        ),
        (
            on("win32", "C:\\Users\\kim", **APPDATA),
            "C:\\Users\\kim\\AppData\\Roaming\\pip\\pip.ini",
            "C:\\Users\\kim\\AppData\\Roaming\\uv\\uv.toml",
        ),
        (
            on("win32", "C:\\Users\\kim"),
            "C:\\Users\\kim\\AppData\\Roaming\\pip\\pip.ini",
            "C:\\Users\\kim\\AppData\\Roaming\\uv\\uv.toml",
        ),
    ],
)
def test_the_user_s_files_lie_where_the_platform_has_them(around, pip, uv):
    assert (str(pip_user_file(around)), str(uv_user_file(around))) == (pip, uv)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_the_user_s_file_is_among_those_that_are_read(platform):
    around = on(platform)
    assert pip_user_file(around) in pip_files(around)
    assert uv_files(around)[-1] == uv_user_file(around)


def test_files_are_named_from_the_weakest_to_the_strongest():
    around = on("linux", VIRTUAL_ENV="/venv", XDG_CONFIG_DIRS="/a:/b")
    assert [str(path) for path in pip_files(around)] == [
        "/a/pip/pip.conf",
        "/b/pip/pip.conf",
        "/etc/pip.conf",
        "/home/kim/.pip/pip.conf",
        "/home/kim/.config/pip/pip.conf",
        "/venv/pip.conf",
    ]


def test_a_file_that_is_named_takes_the_place_of_the_user_s_if_it_is_there():
    named, user = PurePosixPath("/p.conf"), PurePosixPath("/home/kim/.config/pip/pip.conf")
    there = pip_files(on("linux", there=["/p.conf"], PIP_CONFIG_FILE="/p.conf"))
    gone = pip_files(on("linux", PIP_CONFIG_FILE="/p.conf"))
    assert (there[-1], user in there) == (named, False)
    assert (gone[-1], user in gone) == (named, True)


def test_windows_and_macos_have_a_file_for_the_whole_machine():
    windows, macos = on("win32", **APPDATA), on("darwin")
    assert pip_files(windows)[0] == PureWindowsPath("C:\\ProgramData\\pip\\pip.ini")
    assert uv_files(windows)[0] == PureWindowsPath("C:\\ProgramData\\uv\\uv.toml")
    assert pip_files(macos)[0] == PurePosixPath("/Library/Application Support/pip/pip.conf")


def test_pip_told_to_read_no_file_reads_none():
    assert pip_files(on("linux", PIP_CONFIG_FILE="/dev/null")) == ()


def test_uv_reads_one_file_that_is_named_and_none_when_told_so():
    assert [str(path) for path in uv_files(on("linux", UV_CONFIG_FILE="/u.toml"))] == ["/u.toml"]
    assert uv_files(on("linux", UV_NO_CONFIG="1")) == ()
