"""How files are written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kftune.files import forget, remember, write_text, written_before


def test_a_stream_is_written_to_and_not_replaced():
    code = "from pathlib import Path; from kftune.files import write_text; write_text(Path('/dev/stdout'), 'seen')"
    before = Path("/dev/stdout").lstat().st_ino
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "seen"
    assert Path("/dev/stdout").lstat().st_ino == before


def test_a_file_is_replaced_with_its_mode_and_an_error_leaves_the_old_one(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    write_text(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_what_is_listed_behind_a_link_is_not_removed(tmp_path):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "out"
    for place in (elsewhere, folder / "real"):
        place.mkdir(parents=True)
        (place / "file").write_text("kept or removed")
    (folder / "folder").symlink_to(elsewhere)
    (folder / "link").symlink_to(elsewhere / "file")
    names = {"folder/file", "link", "real/file", "missing/file", "real/file/below"}
    remember(folder, names)
    assert written_before(folder) == names
    assert list(forget(folder, names)) == [folder / "real" / "file"]
    assert (elsewhere / "file").exists()
    assert (folder / "link").is_symlink()


def test_names_outside_of_the_folder_are_not_listed(tmp_path):
    remember(tmp_path, {"../x", "/etc/passwd", "a/../../x", "a/b"})
    assert written_before(tmp_path) == {"a/b"}


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [Path.mkdir, make_pipe, make_link])
def test_only_a_regular_file_is_a_list(tmp_path, make):
    make(tmp_path / ".kftune-files")
    assert written_before(tmp_path) == set()


def test_a_file_that_is_written_follows_no_link_that_was_put_there(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "file").symlink_to(victim)
    (folder / f".file.{os.getpid()}.new").symlink_to(victim)
    write_text(folder / "file", "new")
    assert (victim.read_text(), (folder / "file").read_text()) == ("untouched", "new")
    assert not (folder / "file").is_symlink()
