import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cheesebox.cli.pip_conf import overriding, read, with_index
from cheesebox.errors import SettingsError

URL = "http://box.example:6283/pypi/simple/"
HOST = "box.example:6283"

comments = st.sampled_from(["# kept", "; kept, too", "  # kept, far in", ""])
values = st.sampled_from(["60", "a b", "", "x = y", "https://old.example/simple/", "é"])
names = st.sampled_from(["timeout", "index-url", "Index_URL", "trusted-host", "extra-index-url", "retries"])


@st.composite
def sections(draw, name):
    """A section with comments between, values of several lines and options further in."""
    indent = draw(st.sampled_from(["", "  "]))
    lines = [f"{draw(st.sampled_from(['', indent]))}[{name}]"]
    used = set()
    for option in draw(st.lists(names, max_size=5)):
        lines += draw(st.lists(comments, max_size=2))
        if option.lower().replace("_", "-") not in used:
            used.add(option.lower().replace("_", "-"))
            lines.append(f"{indent}{option} {draw(st.sampled_from('=:'))} {draw(values)}")
            lines += [
                f"{indent}   {more}" for more in draw(st.lists(st.sampled_from(["a", "b"]), max_size=2))
            ]
    return lines


@st.composite
def files(draw):
    chosen = draw(st.lists(st.sampled_from(["global", "install", "list"]), unique=True))
    lines = draw(st.lists(comments.filter(lambda line: not line.startswith(" ")), max_size=2))
    for name in chosen:
        lines += draw(sections(name))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    text = newline.join(lines) + (newline if draw(st.booleans()) else "")
    try:
        read(text)
    except SettingsError:  # such as a section so far in that it belongs to the option above
        return ""
    return text


def kept_lines(text):
    return [line for line in text.splitlines() if line.strip().startswith(("#", ";"))]


@given(files(), st.sampled_from([None, HOST]))
def test_an_edit_sets_the_index_and_leaves_all_else(text, host):
    before, edited = read(text), with_index(text, URL, host)
    after = read(edited)
    assert after["global", "index-url"] == URL
    assert host is None or host in after["global", "trusted-host"].split()
    ours = {("global", "index-url"), *([("global", "trusted-host")] if host else [])}
    assert {k: v for k, v in after.items() if k not in ours} == {
        k: v for k, v in before.items() if k not in ours
    }
    assert kept_lines(edited) == kept_lines(text)
    trusted = before.get(("global", "trusted-host"), "").split()
    assert set(trusted) <= set(after.get(("global", "trusted-host"), "").split())


@given(files(), st.sampled_from([None, HOST]))
def test_an_edit_of_what_was_edited_changes_nothing(text, host):
    once = with_index(text, URL, host)
    assert with_index(once, URL, host) == once


@given(files())
def test_line_ends_stay_those_of_the_file(text):
    edited = with_index(text, URL, None)
    assert ("\r\n" in edited) is ("\r\n" in text)
    assert "\n" not in edited.replace("\r\n", "") or "\r\n" not in edited


def test_an_edited_file_looks_as_if_a_person_had_done_it():
    rest = "\n[list]\nformat = columns\n"
    text = f"# ours\n[global]\ntimeout = 60  \nindex-url = https://old.example/simple\n{rest}"
    assert with_index(text, URL, HOST) == (
        f"# ours\n[global]\ntimeout = 60  \nindex-url = {URL}\ntrusted-host = {HOST}\n{rest}"
    )


def test_an_empty_file_gets_the_section():
    assert with_index("", URL, None) == f"[global]\nindex-url = {URL}\n"


def test_a_section_of_a_command_is_named_as_stronger():
    assert overriding("[global]\nindex-url=a\n[install]\nindex_url=b\n", "index-url") == ["install"]


@pytest.mark.parametrize("text", ["no section = here", "[global]\na = 1\na = 2", "[global]\n[global]"])
def test_what_pip_cannot_read_is_refused(text):
    with pytest.raises(configparser.Error):
        configparser.RawConfigParser().read_string(text)
    with pytest.raises(SettingsError, match="not a configuration file of pip"):
        with_index(text, URL, None)
