"""Paths and links never lead out of a folder that other programs write to, and reading never waits."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from kftune import confined
from kftune.errors import ConfinedError, ReadingStoppedError


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder beside the one that attackers write to."""
    folder = tmp_path / "victim"
    folder.mkdir(mode=0o700)
    (folder / "secret.txt").write_text("s3cr3t")
    return folder


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("path", ["..", "a/../../victim", "/etc", "../victim", "a/..", "\0", "/", "//etc"])
def test_a_path_that_leads_out_is_refused(own, path):
    for use in (confined.below, confined.make_folder, confined.open_file, confined.check, confined.resolved_below):
        with pytest.raises(ConfinedError, match="must be relative and without"):
            use(own, path)
    with pytest.raises(ConfinedError, match="must be relative and without"):
        confined.write(own, path, "x")


@pytest.mark.parametrize("path", ["a", "a/b.txt", "..a/b..", "a//b", "./a"])
def test_a_path_below_the_folder_is_taken(own, path):
    assert confined.below(own, path) == own / path
    assert confined.below(own, own / path) == own / path


def test_a_link_at_any_place_of_a_path_is_refused(own, victim):
    (own / "link").symlink_to(victim)
    (own / "a").mkdir()
    (own / "a" / "link").symlink_to(victim)
    (own / "file").symlink_to(victim / "secret.txt")
    for path in ("link/secret.txt", "a/link/secret.txt", "file"):
        with pytest.raises(ConfinedError, match="links are not followed"):
            confined.open_file(own, path)
        assert confined.end_of(own, path, 10) is None
        assert not confined.is_file(own, path)
    for path in ("link", "link/new", "a/link/new/deeper"):
        with pytest.raises(ConfinedError, match="links are not followed"):
            confined.make_folder(own, path)
    with pytest.raises(ConfinedError, match="links are not followed"):
        confined.write(own, "a/link/new", "x")
    with pytest.raises(ConfinedError, match="links are not followed"):
        confined.share(own / "link")
    with pytest.raises(ConfinedError, match="links are not followed"):
        confined.remove_folder(own / "link")
    assert [path.name for path in victim.iterdir()] == ["secret.txt"]
    assert stat.S_IMODE(victim.stat().st_mode) == 0o700


def test_a_planted_link_is_replaced_by_the_file_that_is_written(own, victim):
    (own / "config").symlink_to(victim / "secret.txt")
    confined.write(own, "config", "mine")
    assert (own / "config").read_text() == "mine"
    assert not (own / "config").is_symlink()
    assert (victim / "secret.txt").read_text() == "s3cr3t"


def test_a_link_in_a_folder_of_the_user_may_lead_to_another_place_in_it_only(own, victim):
    (own / "2026").mkdir()
    (own / "current").symlink_to("2026")
    (own / "out").symlink_to(victim)
    assert confined.resolved_below(own, "current") == own / "2026"
    with pytest.raises(ConfinedError, match="a link in it leads to"):
        confined.resolved_below(own, "out")


def plant_fifo(path: Path) -> None:
    os.mkfifo(path)


def plant_link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def plant_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize("plant", [plant_fifo, plant_link_to_zeros, plant_socket, Path.mkdir])
def test_only_regular_files_are_opened_and_nothing_is_waited_for(own, plant):
    plant(own / "planted")
    with pytest.raises(ConfinedError, match="must be a regular file"):
        confined.open_file(own, "planted")


@pytest.mark.parametrize("plant", [plant_fifo, plant_link_to_zeros, plant_socket])
def test_an_output_is_files_and_folders(own, plant):
    plant(own / "planted")
    with pytest.raises(ConfinedError, match="must be a regular file or a folder, but is a"):
        confined.check(own, "planted")
    (own / "folder").mkdir()
    plant(own / "folder" / "planted")
    with pytest.raises(ConfinedError, match=r"must hold files and folders|links in .*folder must"):
        confined.check(own, "folder")


@pytest.mark.parametrize(
    "target", ["/etc", "../../victim", "a/../../..", "inner/up/../../victim/secret.txt", "/own/out/a"]
)
def test_a_link_in_an_output_that_leads_out_of_it_is_refused(own, victim, target):
    (own / "out" / "inner").mkdir(parents=True)
    (own / "out" / "inner" / "up").symlink_to("..")
    (own / "out" / "link").symlink_to(target)
    with pytest.raises(ConfinedError, match="must be relative and stay in it, but 'link' leads to"):
        confined.check(own, "out")


def test_a_link_that_stays_in_its_output_is_kept(own):
    (own / "out" / "blobs").mkdir(parents=True)
    (own / "out" / "blobs" / "1").write_text("x")
    (own / "out" / "model").symlink_to("blobs/1")
    assert confined.check(own, "out") == "folder"


def test_folders_without_end_are_refused_and_removed(own, victim):
    deep = os.open(own, os.O_RDONLY)
    for _ in range(1200):  # deeper than Python calls
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.symlink(victim, "link", dir_fd=deep)
    os.close(deep)
    with pytest.raises(ConfinedError, match="folders must be at most 200 deep"):
        confined.check(own.parent, "own")
    confined.remove_folder(own)
    assert not own.exists()
    assert (victim / "secret.txt").exists()


def test_a_file_is_read_to_a_size_and_until_the_user_wants_an_end(own):
    (own / "holes").write_bytes(b"")
    os.truncate(own / "holes", 1 << 20)
    with pytest.raises(ConfinedError, match="at most 1,000 bytes"):
        confined.open_file(own, "holes", most=1000)
    with confined.open_file(own, "holes", most=1 << 20) as file:
        os.truncate(own / "holes", 1 << 42)
        with pytest.raises(ConfinedError, match="at most 1,048,576 bytes"):
            file.read()
    with confined.open_file(own, "holes", most=1 << 42, stop=lambda: True) as file, pytest.raises(ReadingStoppedError):
        file.read(1)


def test_a_folder_that_nobody_may_read_is_removed(own):
    (own / "out" / "inner").mkdir(parents=True)
    (own / "out" / "inner" / "file").touch()
    (own / "out" / "inner").chmod(0)
    (own / "out").chmod(0o500)
    confined.remove_folder(own)
    assert not own.exists()
