"""A tune step whose study had too many failures: the failed trials run again with the step, all others are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_pipeline import Project

from kftune.results import open_results

CLASS = '''
from kftune import Choice, Hparam, Hparams


class Hp(Hparams):
    """Four values."""

    a: int = Hparam(1, search=Choice(1, 2, 3, 4))
    """It."""
'''


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / f"{tmp_path.name}_hparams.py").write_text(CLASS)
    return Project(tmp_path)


def tune(project: Project, body: str, **fields: Any) -> dict[str, Any]:
    trial = project.step("trial", f"{body}\nprint('loss=' + given['a'])")
    study = {
        "name": "s",
        "hparams": f"{project.folder.name}_hparams:Hp",
        "objective": {"metric": "loss", "direction": "minimize"},
        "algorithm": {"name": "grid", "seed": 1},
        "budget": {"max_trials": 4, "max_failed": 2},
        "step": {"command": trial["command"]},
    }
    return {"kind": "tune", "study": study, **fields}


FAIL_TWICE = """
count = times("trial")
if count > 1 and not (here / "mended").exists():
    sys.exit("not yet")
"""


def states(project: Project) -> list[tuple[str, int]]:
    (folder,) = project.runs.glob("*/steps/tune/study")
    with open_results(folder) as results:
        return [(trial.state, trial.attempt) for trial in results.trials()]


def test_the_next_run_runs_the_failed_trials_again(project):
    pipeline = project.pipeline({"tune": tune(project, FAIL_TWICE)})
    assert project.run(pipeline).states == {"tune": "Failed"}
    assert states(project) == [("Succeeded", 1), ("Failed", 1), ("Failed", 1)]
    (project.folder / "mended").touch()
    assert project.run(pipeline).states == {"tune": "Succeeded"}
    assert states(project) == [("Succeeded", 1), ("Succeeded", 2), ("Succeeded", 2), ("Succeeded", 1)]


def test_a_failed_tune_step_says_why_whatever_its_study_printed(project):
    step = tune(project, f"print('size=1')\n{FAIL_TWICE}")
    size = {"metric": "size", "direction": "minimize"}
    step["study"]["objectives"] = [step["study"].pop("objective"), size]
    message = project.run(project.pipeline({"tune": step})).ends["tune"].message
    why = "the study has failed: 2 failed trials are too many; the next run of the pipeline runs them again"
    assert message.splitlines()[-1].strip() == why


def test_so_does_the_next_try_of_the_step(project):
    fails = "times('trial') in (2, 3) and sys.exit('not yet')"
    pipeline = project.pipeline({"tune": tune(project, fails, retries=1)})
    assert project.run(pipeline).states == {"tune": "Succeeded"}
    assert states(project) == [("Succeeded", 1), ("Succeeded", 2), ("Succeeded", 2), ("Succeeded", 1)]


def test_a_study_that_did_not_fail_keeps_its_failed_trials(project):
    fails = "times('trial') == 2 and sys.exit('no')"
    pipeline = project.pipeline(
        {
            "tune": tune(project, fails),
            "after": project.step("after", "sys.exit(times('after') == 1)", after=["tune"]),
        }
    )
    assert project.run(pipeline).states == {"tune": "Succeeded", "after": "Failed"}
    assert project.run(pipeline).states == {"tune": "Kept", "after": "Succeeded"}
    assert sorted(states(project)) == [("Failed", 1), *[("Succeeded", 1)] * 3]
