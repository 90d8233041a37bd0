import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from cheesebox.errors import UnreadableLock
from cheesebox.lockfiles.requirements_txt import read_requirement, read_requirements
from cheesebox.lockfiles.targets import make_target
from cheesebox.lockfiles.wanted import Elsewhere, LockedFile, Wanted

LINUX = make_target("3.12", "linux_x86_64").environment
SHA = "a" * 64


def read(text, **files):
    def include(reference, _name):
        return reference, files[reference.partition(".")[0]]

    return read_requirements(text, LINUX, include)


def wanted(project, specifier="", *digests):
    return Wanted(project, SpecifierSet(specifier), tuple(LockedFile(digest=digest) for digest in digests))


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ("six", wanted("six")),
        ("Some.Project==1.0", wanted("some-project", "==1.0")),
        ("requests[socks,security] >=2, <3  # why", wanted("requests", "<3,>=2")),
        ('six==1; python_version < "3.13"', wanted("six", "==1")),
        (f"six==1 --hash=sha256:{SHA}", wanted("six", "==1", f"sha256:{SHA}")),
        (
            f"six==1 \\\n  --hash=sha256:{SHA} \\\n  --hash md5:00ff",
            wanted("six", "==1", f"sha256:{SHA}", "md5:00ff"),
        ),
        ("six --config-settings=a=b", wanted("six")),
        ("six @ https://example.org/six.zip", Elsewhere("six @ https://example.org/six.zip")),
        ("-e ./here", Elsewhere("./here")),
        ("--editable=git+https://example.org/a#egg=a", Elsewhere("git+https://example.org/a#egg=a")),
        ("./wheels/six-1.0-py3-none-any.whl", Elsewhere("./wheels/six-1.0-py3-none-any.whl")),
    ],
)
def test_a_line_is_read(line, item):
    assert read(line) == (item,)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# six",
        "--index-url https://example.org/simple",
        "-i x",
        "--pre",
        'six; sys_platform == "win32"',
        'six; extra == "a"',
    ],
)
def test_a_line_that_asks_for_nothing_is_passed_over(line):
    assert read(line) == ()


def test_files_include_others():
    assert read("-r more.txt\nsix==1\n--requirement=most.in", more="idna\n", most="attrs") == (
        wanted("idna"),
        wanted("six", "==1"),
        wanted("attrs"),
    )


def test_constraints_narrow_what_is_asked_and_ask_for_nothing():
    assert read("-c more.txt\nsix>=1", more=f"six==1.5 --hash=sha256:{SHA}\nidna==1") == (
        wanted("six", ">=1,==1.5", f"sha256:{SHA}"),
    )


def test_a_file_that_includes_itself_is_refused():
    with pytest.raises(UnreadableLock, match="includes itself"):
        read("-r more.txt", more="-r more.txt")


@pytest.mark.parametrize("line", ["six=1", "??", "six==", "six==1 x"])
def test_what_is_no_requirement_is_refused(line):
    with pytest.raises(UnreadableLock, match="no requirement"):
        read_requirement(line, LINUX)


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,5})?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}(rc[0-9])?", fullmatch=True)
DIGESTS = st.lists(st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True), max_size=3)
PINS = st.lists(st.tuples(NAMES, VERSIONS, DIGESTS), max_size=6)


@given(pins=PINS, newline=st.sampled_from(["\n", "\r\n"]))
def test_pins_that_were_written_are_read_again(pins, newline):
    lines = [
        f" \\{newline}    ".join([f"{name}=={version}", *(f"--hash={digest}" for digest in digests)])
        for name, version, digests in pins
    ]
    assert read(newline.join(lines)) == tuple(
        wanted(name, f"=={version}", *digests) for name, version, digests in pins
    )


@given(text=st.text(alphabet="ab=-r #\\\n;>.[]@:/'\"", max_size=60))
def test_any_text_is_read_or_refused(text):
    def include(_reference, _name):
        raise UnreadableLock("no such file")

    try:
        items = read_requirements(text, LINUX, include)
    except UnreadableLock:
        return
    assert all(isinstance(item, Wanted | Elsewhere) for item in items)
