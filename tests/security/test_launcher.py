"""The launcher of a step on several nodes takes what its pods wrote on a shared volume, and no file of its own pod."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kftune.errors import ConfinedError
from kftune.launcher.shared_outputs import SharedOutputs


@pytest.mark.parametrize("plant", ["link", "folder", "FIFO"])
def test_an_output_that_leads_to_the_launcher_s_own_files_is_not_taken(tmp_path: Path, plant: str) -> None:
    token = tmp_path / "token"
    token.write_text("of the launcher")
    outputs = SharedOutputs(tmp_path / "share", "job", {"model": str(tmp_path / "taken")})
    outputs.prepare()
    path = Path(outputs.paths["model"])
    plants = {"link": path.symlink_to, "folder": lambda _: _with_link(path, token), "FIFO": lambda _: os.mkfifo(path)}
    plants[plant](token)
    with pytest.raises(ConfinedError):
        outputs.take()
    assert not (tmp_path / "taken").exists()


def _with_link(folder: Path, target: Path) -> None:
    folder.mkdir()
    (folder / "link").symlink_to(target)
