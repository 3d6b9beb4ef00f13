"""The exit step runs at the end of each run, also where its inputs are those of an earlier run."""

from __future__ import annotations

from pathlib import Path

from local_pipeline import Project


def test_an_exit_step_is_never_taken_from_the_cache(tmp_path: Path):
    project = Project(tmp_path)
    command = ["python", "-c", "open('/dev/null')"]
    made = project.pipeline({"work": {"kind": "container", "command": command}}, exit={"command": command})
    first, second = project.run(made), project.run(made)
    assert [first.ends["exit"].state, second.ends["exit"].state] == ["Succeeded", "Succeeded"]
    assert second.ends["work"].state == "Cached"
