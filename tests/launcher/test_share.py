"""Copies of data on a shared volume, which several launchers use at the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kftune.errors import ClusterError
from kftune.launcher import share as sharing
from kftune.launcher.share import SharedData


def shared(tmp_path: Path, reader: str, text: str = "1,2\n", said: list[str] | None = None) -> SharedData:
    """The data of one Experiment, whose artifact is a folder with a link and a read-only folder."""
    source = tmp_path / reader / "data"
    source.mkdir(parents=True, exist_ok=True)
    (source / "readings.csv").write_text(text)
    (source / "link").unlink(missing_ok=True)
    (source / "link").symlink_to("readings.csv")
    (source / "fixed").mkdir(exist_ok=True)
    (source / "fixed").chmod(0o555)
    return SharedData(tmp_path / "share", {"data": source}, reader, (said if said is not None else []).append)


def copies(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "share").rglob("content"))


def test_one_content_is_copied_once_for_all_its_readers(tmp_path):
    first, second, other = shared(tmp_path, "a"), shared(tmp_path, "b"), shared(tmp_path, "c", "3,4\n")
    first.hold()
    (copy,) = copies(tmp_path)
    before = copy.stat().st_ino
    second.hold()
    assert [path.stat().st_ino for path in copies(tmp_path)] == [before]
    assert first.paths == second.paths == {"data": str(copy)}
    other.hold()
    assert len(copies(tmp_path)) == 2
    assert (copy / "readings.csv").read_text() == "1,2\n"
    assert (copy / "link").readlink() == Path("readings.csv")


def test_the_copy_goes_with_its_last_reader(tmp_path):
    first, second = shared(tmp_path, "a"), shared(tmp_path, "b")
    first.hold()
    second.hold()
    first.release()
    assert len(copies(tmp_path)) == 1
    first.release()
    assert len(copies(tmp_path)) == 1
    second.release()
    assert copies(tmp_path) == []
    second.release()
    left = [path.name for path in (tmp_path / "share" / "kftune" / "data").rglob("*")]
    assert sorted(left) == [".new", ".removed"]


def test_two_artifacts_of_the_same_content_share_a_copy(tmp_path):
    text = tmp_path / "text"
    text.write_text("x")
    data = SharedData(tmp_path / "share", {"a": text, "b": text}, "one")
    data.hold()
    assert data.paths["a"] == data.paths["b"]
    assert Path(data.paths["a"]).read_text() == "x"
    data.release()
    assert copies(tmp_path) == []


def test_half_a_copy_of_a_killed_try_is_not_used(tmp_path):
    data = shared(tmp_path, "a")
    digest = Path(data.paths["data"]).parent.name
    half = tmp_path / "share" / "kftune" / "data" / ".new" / f"{digest}.a" / "content"
    half.mkdir(parents=True)
    data.hold()
    assert (Path(data.paths["data"]) / "readings.csv").read_text() == "1,2\n"
    assert not half.exists()


def test_a_removal_that_was_interrupted_is_finished_later_or_named(tmp_path, monkeypatch):
    data = shared(tmp_path, "a")
    left = tmp_path / "share" / "kftune" / "data" / ".removed" / "old"
    left.mkdir(parents=True)
    data.hold()
    data.release()
    assert not left.exists()
    entry = Path(data.paths["data"]).parent
    (entry / "content").mkdir(parents=True)
    monkeypatch.setattr(sharing, "_PATIENCE", 0.0)
    with pytest.raises(ClusterError, match=f"the removal of {entry} was interrupted"):
        data.hold()


def test_what_cannot_be_removed_is_named(tmp_path):
    said: list[str] = []
    data = shared(tmp_path, "a", said=said)
    data.hold()
    readers = Path(data.paths["data"]).parent / "readers"
    (readers / "a").unlink()
    (readers / "a").mkdir()
    data.release()
    assert said == [f"{readers.parent} stays: Is a directory"]


LOOP = """
import sys
from pathlib import Path
from kftune.launcher.share import SharedData
root, reader = Path(sys.argv[1]), sys.argv[2]
(root / reader).write_text("same")
said = []
for turn in range(150):
    data = SharedData(root / "share", {"data": root / reader}, f"{reader}-{turn}", said.append)
    data.hold()
    for _ in range(3):
        assert Path(data.paths["data"]).read_text() == "same"
    data.release()
assert said == []
"""


def test_launchers_at_the_same_time_never_take_data_from_each_other(tmp_path):
    runs = [
        subprocess.Popen([sys.executable, "-c", LOOP, str(tmp_path), f"reader{number}"], stderr=subprocess.PIPE)
        for number in range(4)
    ]
    assert [run.communicate(timeout=60)[1] for run in runs] == [b""] * 4
    assert copies(tmp_path) == []
