"""`kftune apply` writes the best values of a study into a user's file, with what speaks for them."""

from __future__ import annotations

import os
import pty
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import applied
import pytest
from applied import CONFIG, committed, git, run, write

from kftune.cli import main
from kftune.results import open_results

BEST = CONFIG.replace("lr: 0.001   # by hand\n    'units': \"64\"", "lr: 1.0e-05   # by hand\n    'units': \"32\"", 1)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(applied.__file__).parent)}
AT = ["--to", "config.yaml", "--at", "P1/C1"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ran")
    write(folder)
    run(folder)
    return folder


@pytest.fixture
def project(ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ran, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def test_the_best_values_are_written_and_nothing_else_changes(project: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["apply", "study.yaml", *AT, "--yes"]) == 0
    assert (project / "config.yaml").read_text() == BEST
    shown = capsys.readouterr().out
    assert "val_loss 0.25, baseline 1 (net-0001): 75 % lower" in shown
    assert "+    lr: 1.0e-05   # by hand\n" in shown


def test_a_second_time_there_is_nothing_to_do(project: Path, capsys: pytest.CaptureFixture[str]):
    for _ in range(2):
        assert main(["apply", "study.yaml", *AT, "--yes"]) == 0
    assert "config.yaml, P1/C1 has these values already" in capsys.readouterr().out
    assert (project / "config.yaml").read_text() == BEST


@pytest.mark.parametrize(("options", "code"), [(["--dry-run"], 0), ([], 1)])
def test_nothing_is_written_without_a_terminal_unless_yes_is_given(project: Path, options: list[str], code: int):
    assert main(["apply", "study.yaml", *AT, *options]) == code
    assert (project / "config.yaml").read_text() == CONFIG


@pytest.mark.parametrize(("answer", "code", "wanted"), [(b"y\n", 0, BEST), (b"\n", 1, CONFIG)])
def test_in_a_terminal_it_asks(project: Path, answer: bytes, code: int, wanted: str):
    leader, follower = pty.openpty()
    os.write(leader, answer)
    done = subprocess.run(
        [sys.executable, "-m", "kftune", "apply", "study.yaml", *AT],
        stdin=follower,
        check=False,
        capture_output=True,
        env=ENVIRONMENT,
    )
    os.close(leader)
    os.close(follower)
    assert b"write this to config.yaml? [y/N]" in done.stderr
    assert (done.returncode, (project / "config.yaml").read_text()) == (code, wanted)


def test_values_that_are_no_better_than_the_present_ones_need_force(project: Path, capsys: pytest.CaptureFixture[str]):
    worse = ["apply", "study.yaml", "--to", "config.yaml", "--at", "P1/C2", "--trial", "1", "--yes"]
    assert main(worse) == 1
    assert (
        "no better than the present values (val_loss 1, baseline 0.25 (net-0002): 300 % higher)"
        in capsys.readouterr().err
    )
    assert (project / "config.yaml").read_text() == CONFIG
    assert main([*worse, "--force"]) == 0
    assert "  C2: {lr: 0.001, units: 64}\n" in (project / "config.yaml").read_text()


def test_without_a_trial_of_the_present_values_it_needs_no_baseline(project: Path, capsys: pytest.CaptureFixture[str]):
    other = ["apply", "study.yaml", "--to", "config.yaml", "--at", "P1/C4", "--yes"]
    assert main(other) == 1
    said = capsys.readouterr().err
    assert "kftune run study.yaml budget.max_trials=5 --baseline-from config.yaml --at P1/C4" in said
    assert main([*other, "--no-baseline"]) == 0
    assert "  C4: {lr: 1.0e-05, units: 32}\n" in (project / "config.yaml").read_text()


def test_values_that_the_trials_did_not_run_with_are_named(project: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["apply", "study.yaml", "--to", "config.yaml", "--at", "P1/C3", "--yes", "--no-baseline"]) == 1
    assert "epochs is 30 there and 10 in the trials" in capsys.readouterr().err
    assert (project / "config.yaml").read_text() == CONFIG


def test_the_class_checks_the_new_values_beside_those_that_stay(project: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["apply", "study.yaml", "--to", "config.yaml", "--at", "P1/C5", "--yes", "--force"]) == 2
    assert "warmup must not be greater than units" in capsys.readouterr().err
    assert (project / "config.yaml").read_text() == CONFIG


def test_keys_may_have_other_names_and_be_nested(project: Path):
    (project / "other.yaml").write_text("training:\n  optimizer: {rate: 0.001}\n  Units: 64\n")
    place = ["--to", "other.yaml", "--at", "training", "--map", "lr=optimizer.rate", "--yes"]
    assert main(["apply", "study.yaml", *place]) == 0
    assert (project / "other.yaml").read_text() == "training:\n  optimizer: {rate: 1.0e-05}\n  Units: 32\n"


def test_missing_keys_are_added_only_when_asked_for(project: Path):
    (project / "other.yaml").write_text("a:\n   epochs: 10 # c\n")
    place = ["apply", "study.yaml", "--to", "other.yaml", "--at", "a", "--yes"]
    assert main(place) == 2
    assert main([*place, "--add"]) == 0
    assert (project / "other.yaml").read_text() == "a:\n   epochs: 10 # c\n   lr: 1.0e-05\n   units: 32\n"


def test_mode_and_link_of_the_file_stay(project: Path):
    (project / "real").mkdir()
    (project / "config.yaml").rename(project / "real" / "c.yaml")
    (project / "real" / "c.yaml").chmod(0o640)
    (project / "config.yaml").symlink_to("real/c.yaml")
    assert main(["apply", "study.yaml", *AT, "--yes"]) == 0
    assert (project / "config.yaml").is_symlink()
    assert (project / "real" / "c.yaml").read_text() == BEST
    assert stat.S_IMODE((project / "real" / "c.yaml").stat().st_mode) == 0o640


@pytest.mark.parametrize("given", ["runs/net", "saved.json"])
def test_results_apply_without_the_study(project: Path, given: str, capsys: pytest.CaptureFixture[str]):
    main(["results", "study.yaml", "--format", "json"])
    (project / "saved.json").write_text(capsys.readouterr().out)
    assert main(["apply", given, *AT, "--yes", "--hparams", "applied:Net"]) == 0
    assert (project / "config.yaml").read_text() == BEST


def test_without_the_class_nothing_is_checked_and_that_is_said(project: Path, capsys: pytest.CaptureFixture[str]):
    main(["results", "study.yaml", "--format", "json"])
    (project / "saved.json").write_text(capsys.readouterr().out)
    assert main(["apply", "saved.json", *AT, "--yes", "--no-baseline"]) == 0
    assert (project / "config.yaml").read_text() == BEST
    assert "no type and no range was checked" in capsys.readouterr().err


# -- a branch -------------------------------------------------------------------------------------------------------


def test_a_branch_gets_one_commit_and_the_files_here_stay(project: Path, capsys: pytest.CaptureFixture[str]):
    committed(project)
    head = git(project, "rev-parse", "HEAD")
    assert main(["apply", "study.yaml", *AT, "--yes", "--branch"]) == 0
    assert git(project, "show", "kftune/net-p1-c1:config.yaml") == BEST
    assert git(project, "rev-parse", "kftune/net-p1-c1~1", "HEAD", "main") == 3 * head
    assert git(project, "diff", "--stat", "main", "kftune/net-p1-c1").endswith(
        "1 file changed, 2 insertions(+), 2 deletions(-)\n"
    )
    assert git(project, "status", "--porcelain", "--untracked-files=no") == ""
    assert (project / "config.yaml").read_text() == CONFIG
    message = git(project, "log", "-1", "--format=%an%n%B", "kftune/net-p1-c1")
    assert message.startswith("Ada\nApply net-0002 of net to P1/C1\n\nValues:\n\n- lr: 0.001 -> 1.0e-05\n")
    assert "- val_loss 0.25, baseline 1 (net-0001): 75 % lower\n- trials: 4, 4 with a result\n" in message
    assert message.split("\n", 2)[2].rstrip() in capsys.readouterr().out


def test_a_branch_of_a_file_in_a_folder_changes_that_file(project: Path):
    (project / "sub").mkdir()
    (project / "config.yaml").rename(project / "sub" / "con[fig].yaml")
    committed(project, ["sub", "study.yaml"])
    place = ["--to", "sub/con[fig].yaml", "--at", "P1/C1"]
    assert main(["apply", "study.yaml", *place, "--yes", "--branch", "best/c1"]) == 0
    assert git(project, "show", "best/c1:sub/con[fig].yaml") == BEST
    assert git(project, "diff", "--name-only", "main", "best/c1") == "sub/con[fig].yaml\n"


def test_a_branch_is_refused_when_the_file_has_changes(project: Path, capsys: pytest.CaptureFixture[str]):
    committed(project)
    (project / "config.yaml").write_text(CONFIG + "# new\n")
    assert main(["apply", "study.yaml", *AT, "--yes", "--branch"]) == 2
    assert "has changes that are not committed" in capsys.readouterr().err
    assert git(project, "branch", "--list") == "* main\n"


def test_a_branch_that_exists_stays(project: Path, capsys: pytest.CaptureFixture[str]):
    committed(project)
    for code in (0, 2):
        assert main(["apply", "study.yaml", *AT, "--yes", "--branch", "best"]) == code
    assert "the branch best exists" in capsys.readouterr().err


# -- around a run ----------------------------------------------------------------------------------------------------


def first_trial(folder: Path) -> dict[str, str]:
    with open_results(folder / "runs" / "net") as results:
        return results.trials()[0].assignment


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--baseline"], {"lr": "0.001", "units": "64"}),
        (["--baseline-from", "config.yaml", "--at", "P1/C2"], {"lr": "1e-05", "units": "32"}),
    ],
)
def test_the_present_values_are_the_first_trial(
    tmp_path: Path, monkeypatch, options: list[str], wanted: dict[str, str]
):
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "study.yaml", "--plain", "budget.parallel=1", *options]) == 0
    assert first_trial(tmp_path) == wanted


def test_a_study_with_apply_writes_the_best_values_after_its_run(tmp_path: Path, monkeypatch, capsys):
    write(tmp_path)
    with (tmp_path / "study.yaml").open("a") as file:
        file.write("apply: {to: config.yaml, at: P1/C1}\n")
    monkeypatch.chdir(tmp_path)
    assert main(["run", "study.yaml", "--plain"]) == 0
    assert (tmp_path / "config.yaml").read_text() == BEST
    assert "wrote config.yaml" in capsys.readouterr().out
    assert first_trial(tmp_path) == {"lr": "0.001", "units": "64"}
    assert main(["apply", "study.yaml"]) == 0
    assert main(["run", "study.yaml", "--json"]) == 0


def test_a_place_that_is_not_there_is_found_before_the_run(tmp_path: Path, monkeypatch, capsys):
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "study.yaml", "--plain", "apply={to: config.yaml, at: P1/C9}"]) == 2
    assert "P1 has no 'C9'" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


# -- snippets --------------------------------------------------------------------------------------------------------


def test_a_snippet_has_the_values_below_their_keys(project: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["snippet", "study.yaml", "--at", "P1/C1"]) == 0
    assert capsys.readouterr().out == "P1:\n  C1:\n    lr: 1.0e-05\n    units: 32\n"
