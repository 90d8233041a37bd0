import pytest

from cheesebox.cli.config.changes import carry_out, plan
from cheesebox.errors import SettingsError


def becoming(text):
    return lambda _before: text


def test_a_new_file_is_written_with_its_folders(tmp_path):
    path = tmp_path / "a" / "b" / "pip.conf"
    change = plan(path, becoming("x\n"))
    assert change.difference() == ["--- (no file yet)", f"+++ {path}", "@@ -0,0 +1 @@", "+x"]
    assert carry_out(change) is None
    assert path.read_text() == "x\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["pip.conf"]


def test_what_was_there_is_kept_beside_it_each_time(tmp_path):
    path = tmp_path / "pip.conf"
    path.write_bytes(b"one\r\n")
    assert carry_out(plan(path, becoming("two\n"))) == tmp_path / "pip.conf.bak"
    assert carry_out(plan(path, becoming("three\n"))) == tmp_path / "pip.conf.bak1"
    assert (tmp_path / "pip.conf.bak").read_bytes() == b"one\r\n"
    assert (tmp_path / "pip.conf.bak1").read_text() == "two\n"


def test_a_file_that_says_it_already_needs_no_change(tmp_path):
    path = tmp_path / "pip.conf"
    path.write_text("same\n")
    assert not plan(path, becoming("same\n")).is_needed
    assert plan(path, becoming("other\n")).is_needed


def test_rights_stay_and_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "dotfiles.conf", tmp_path / "pip.conf"
    real.write_text("one\n")
    real.chmod(0o640)
    link.symlink_to(real)
    carry_out(plan(link, becoming("two\n")))
    assert link.is_symlink()
    assert real.read_text() == "two\n"
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError, match="folder: Is a directory"):
        plan(tmp_path / "folder", becoming(""))
    (tmp_path / "latin").write_bytes(b"\xe9")
    with pytest.raises(SettingsError, match="latin: not UTF-8"):
        plan(tmp_path / "latin", becoming(""))
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="file"):
        carry_out(plan(tmp_path / "file" / "pip.conf", becoming("x")))
