import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from cheesebox.errors import SettingsError
from cheesebox.lockfiles.choosing import choose, choose_all
from cheesebox.lockfiles.targets import make_target
from cheesebox.lockfiles.wanted import LockedFile, Wanted
from cheesebox.simple.model import DistributionFile, ProjectPage

LINUX = make_target("3.12", "linux_x86_64")
PLATFORMS = ["linux_x86_64", "linux_aarch64", "musllinux_x86_64", "macos_arm64", "macos_x86_64", "win_amd64"]


def file(filename, **raw):
    return DistributionFile({"filename": filename, **raw}, f"https://example.org/{filename}")


def page(*files):
    return ProjectPage(
        "demo", {}, tuple(each if isinstance(each, DistributionFile) else file(each) for each in files)
    )


def wanted(specifier="", *files):
    return Wanted("demo", SpecifierSet(specifier), files)


def chosen(shown, want=None, target=LINUX):
    return [each.filename for each in choose(shown, want or wanted(), target)]


def wheel(version, tags):
    return f"demo-{version}-{tags}.whl"


def test_the_newest_version_that_fits_is_chosen():
    assert chosen(page("demo-1.0.tar.gz", "demo-2.0.tar.gz", "demo-3.0rc1.tar.gz"), wanted("<3")) == [
        "demo-2.0.tar.gz"
    ]


def test_prereleases_are_chosen_when_there_is_nothing_else():
    assert chosen(page("demo-3.0rc1.tar.gz")) == ["demo-3.0rc1.tar.gz"]


def test_a_wheel_is_preferred_to_a_source_distribution():
    assert chosen(page("demo-1.0.tar.gz", wheel("1.0", "py3-none-any"))) == [wheel("1.0", "py3-none-any")]


def test_a_version_without_a_file_for_the_target_is_passed_over():
    shown = page(wheel("2.0", "cp312-cp312-win_amd64"), wheel("1.0", "py3-none-any"))
    assert chosen(shown) == [wheel("1.0", "py3-none-any")]
    assert chosen(shown, wanted("==2.0")) == []


def test_every_libc_gets_the_wheel_that_its_installer_would_take():
    old, new = (
        wheel("1.0", "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64"),
        wheel("1.0", "cp312-cp312-manylinux_2_34_x86_64"),
    )
    musl, other = (
        wheel("1.0", "cp312-cp312-musllinux_1_2_x86_64"),
        wheel("1.0", "cp311-cp311-manylinux_2_17_x86_64"),
    )
    shown = page(old, new, musl, other, "demo-1.0.tar.gz")
    assert chosen(shown) == [old, new]
    assert chosen(shown, target=make_target("3.12", "manylinux_2_28_x86_64")) == [old]
    assert chosen(shown, target=make_target("3.12", "musllinux_x86_64")) == [musl]
    assert chosen(shown, target=make_target("3.11", "linux_x86_64")) == [other]
    assert chosen(shown, target=make_target("3.13", "linux_x86_64")) == ["demo-1.0.tar.gz"]


def test_stable_and_macos_tags_are_known():
    stable, universal = (
        wheel("1.0", "cp39-abi3-macosx_11_0_arm64"),
        wheel("2.0", "cp312-cp312-macosx_10_9_universal2"),
    )
    assert chosen(page(stable, universal), wanted("==1.0"), make_target("3.12", "macos_arm64")) == [stable]
    assert chosen(page(stable, universal), wanted(), make_target("3.12", "macos_x86_64")) == [universal]


def test_files_for_other_pythons_are_passed_over():
    shown = page(
        file("demo-2.0.tar.gz", **{"requires-python": ">=3.13"}),
        file("demo-1.0.tar.gz", **{"requires-python": "nonsense"}),
    )
    assert chosen(shown) == ["demo-1.0.tar.gz"]


def test_a_patch_version_counts_when_it_is_given():
    shown = page(file("demo-1.0.tar.gz", **{"requires-python": ">=3.12.4"}))
    assert chosen(shown) == ["demo-1.0.tar.gz"]
    assert chosen(shown, target=make_target("3.12.3", "linux_x86_64")) == []


def test_a_yanked_version_is_chosen_only_by_its_pin():
    shown = page(file("demo-2.0.tar.gz", yanked="broken"), "demo-1.0.tar.gz")
    assert chosen(shown) == ["demo-1.0.tar.gz"]
    assert chosen(shown, wanted("==2.0")) == ["demo-2.0.tar.gz"]
    assert chosen(shown, wanted("==2.*")) == []


def test_a_lock_allows_only_its_files():
    shown = page(
        file("demo-1.0.tar.gz", hashes={"sha256": "aa"}),
        file(wheel("1.0", "py3-none-any"), hashes={"sha256": "bb"}),
    )
    assert chosen(shown, wanted("==1.0", LockedFile("demo-1.0.tar.gz", "sha256:AA"))) == ["demo-1.0.tar.gz"]
    assert chosen(shown, wanted("==1.0", LockedFile("demo-1.0.tar.gz", "sha256:ff"))) == []
    assert chosen(shown, wanted("==1.0", LockedFile("demo-1.0.tar.gz", "sha512:ff"))) == ["demo-1.0.tar.gz"]
    assert chosen(shown, wanted("==1.0", LockedFile(None, "sha256:aa"))) == ["demo-1.0.tar.gz"]
    assert chosen(shown, wanted("==1.0", LockedFile(None, "md5:aa"))) == []


def test_all_files_of_the_newest_version_can_be_had():
    names = [wheel("2.0", "cp312-cp312-win_amd64"), "demo-2.0.tar.gz"]
    assert [each.filename for each in choose_all(page(*names, "demo-1.0.tar.gz"), wanted())] == names


@pytest.mark.parametrize(
    ("python", "platform"),
    [
        ("2.7", "win32"),
        ("3", "win32"),
        ("3.12", "amiga"),
        ("3.12", "manylinux_x86_64"),
        ("3.12", "macos_ppc"),
    ],
)
def test_unknown_targets_are_refused(python, platform):
    with pytest.raises(SettingsError):
        make_target(python, platform)


TAGS = st.sampled_from(
    [
        "py3-none-any",
        "cp312-cp312-win_amd64",
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp310-abi3-manylinux_2_34_x86_64",
        "cp312-cp312-musllinux_1_1_x86_64",
        "cp312-cp312-macosx_12_0_arm64",
        "cp313-cp313-manylinux_2_17_aarch64",
    ]
)
PAGES = st.sets(st.tuples(st.sampled_from(["1.0", "2.0", "3.0"]), TAGS), max_size=8).map(
    lambda files: page(*(wheel(*each) for each in sorted(files)))
)


@given(shown=PAGES, platform=st.sampled_from(PLATFORMS), specifier=st.sampled_from(["", "<3", "==1.0"]))
def test_what_is_chosen_is_of_one_version_and_would_be_chosen_alone(shown, platform, specifier):
    target = make_target("3.12", platform)
    found = choose(shown, wanted(specifier), target)
    assert len({each.version for each in found}) <= 1
    assert all(each.version in SpecifierSet(specifier) for each in found)
    for each in found:
        assert choose(page(each), wanted(specifier), target) == (each,)
