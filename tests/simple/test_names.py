from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from cheesebox.errors import InvalidName
from cheesebox.simple.names import normalize, project_of, version_of


@pytest.mark.parametrize("name", ["Flask-SQLAlchemy", "flask_sqlalchemy", "FLASK.-_sqlalchemy"])
def test_all_spellings_of_a_project_are_one(name):
    assert normalize(name) == "flask-sqlalchemy"


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "a\n", "a b", "..", "a/b", "é", "\u212a", "\u017f", "a\x00", "%2e"]
)
def test_what_no_project_can_be_called_is_refused(name):
    with pytest.raises(InvalidName):
        normalize(name)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}[A-Za-z0-9]", fullmatch=True))
def test_normalising_twice_changes_nothing(name):
    assert normalize(normalize(name)) == normalize(name)


@pytest.mark.parametrize(
    ("filename", "project", "version"),
    [
        ("Foo_Bar-1.0-py3-none-any.whl", "foo-bar", "1.0"),
        ("Foo_Bar-1.0-py3-none-any.whl.metadata", "foo-bar", "1.0"),
        ("foo-1.0-1build-py3-none-any.whl.provenance", "foo", "1.0"),
        ("foo-not.a.version-py3-none-any.whl", "foo", None),
        ("foo-bar-1.0.tar.gz", "foo-bar", "1.0"),
        ("foo-bar-1.0.tar.gz.asc", "foo-bar", "1.0"),
        ("foo-2-1.0.zip", "foo-2", "1.0"),
        ("foo-1.0.tar.bz2", "foo", "1.0"),
        ("foo-v1.0.tgz", "foo", "1.0"),
        ("foo-1.0-py2.7.egg", "foo", "1.0"),
        ("foo_bar-1.0-py2.7-linux-x86_64.egg", "foo-bar", "1.0"),
        ("foo-bar-1.0dev-r123.tar.gz", "foo-bar", None),
        ("foo-bar-latest.tar.gz", "foo-bar", None),
        ("foo.zip", "foo", None),
        ("foo-1.0.win32-py2.7.exe", "foo", None),
    ],
)
def test_the_file_name_tells_project_and_version(filename, project, version):
    assert project_of(filename) == project
    assert version_of(filename) == (version and Version(version))


@pytest.mark.parametrize(
    "filename", ["", "README", "index.html", ".metadata", "é-1.0-py3-none-any.whl", "-1.zip"]
)
def test_a_hopeless_file_name_tells_nothing(filename):
    assert project_of(filename) is None


@given(st.text(max_size=30), st.sampled_from(["", ".whl", ".egg", ".zip", ".tar.gz", ".metadata"]))
def test_no_file_name_makes_the_guess_fail(stem, suffix):
    project = project_of(stem + suffix)
    assert project is None or normalize(project) == project
    assert isinstance(version_of(stem + suffix), Version | None)
