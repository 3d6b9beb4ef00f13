"""How files are written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kftune.files import write_text


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
