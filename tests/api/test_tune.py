"""`kftune.tune` runs studies, their files, and functions: each trial is a process, as under `kftune run`."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest
from python_api import GOOD, SCRIPT, STUDY, call_script

import kftune
from kftune.errors import MissingExtraError, RunError, StoreError
from kftune.local import run_study
from kftune.results import Trial, open_results

HOSTILE = '''\
import os, sys, time
import multiprocessing
import kftune
from kftune import Choice, Hparam, Hparams


class Kind(Hparams):
    """What goes wrong."""

    kind: str = Hparam("good", search=Choice(*"good raises none nan text true list exit-3 exit-0 prints forks".split()))
    """Which."""


def square(value):
    return value * value


def objective(h: Kind):
    if h.kind == "raises":
        raise ZeroDivisionError("by the objective")
    if h.kind.startswith("exit"):
        sys.exit(int(h.kind[-1]))
    if h.kind == "prints":
        print("loss = 3 loss=", end="")
        os.write(1, bytes(range(256)))
    if h.kind == "forks":
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(square, (0.5,))
    return {"none": None, "nan": float("nan"), "text": "0.5", "true": True, "list": [0.5]}.get(h.kind, 0.25)
'''


def module(folder: Path, name: str, code: str, patch: pytest.MonkeyPatch) -> ModuleType:
    (folder / f"{name}.py").write_text(code)
    patch.syspath_prepend(folder)
    patch.chdir(folder)
    sys.modules.pop(name, None)
    return importlib.import_module(name)


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return module(tmp_path, "good", GOOD, monkeypatch)


def points(trials: list[Trial]) -> list[tuple[dict[str, str], float | None]]:
    return [(trial.assignment, trial.objective) for trial in trials]


def test_a_function_of_a_script_is_tuned(tmp_path: Path):
    code = f"""{GOOD}
if __name__ == "__main__":
    found = kftune.tune(objective, max_trials=3, seed=3, objective="val_loss", algorithm="random", parallel=2)
    print(type(found.best.hparams) is Net, found.best.value == found.best.hparams.lr * found.best.hparams.units)
"""
    done = call_script(tmp_path, code)
    assert done.stdout.splitlines()[-1] == "True True", done.stderr
    assert "[3/3] objective-000" in done.stdout
    with open_results(tmp_path / "runs" / "objective") as results:
        assert results.meta.compared["hparams"] == "script_of_mine:Net"
        assert [curve.reported for *_, curve in results.all_curves("val_loss")] == [4, 4, 4]
    assert (tmp_path / "runs" / ".gitignore").exists()


def test_a_file_a_function_and_a_loop_try_the_points_of_the_command(good: ModuleType, tmp_path: Path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "study.yaml").write_text(STUDY)
    study = kftune.load_study("study.yaml")
    run_study(study, tmp_path / "command", study_path="study.yaml")
    with open_results(tmp_path / "command") as results:
        wanted = points(results.trials())
    by_file = kftune.tune("study.yaml", show=False)
    assert by_file.folder == tmp_path / "runs" / "net"
    assert points(by_file.trials()) == wanted
    found = kftune.tune(good.objective, objective="val_loss", algorithm="cmaes", seed=5, max_trials=4, show=False)
    assert points(found.trials()) == wanted
    with kftune.ask_tell(study, dir="loop") as loop:
        for trial in loop:
            values = trial.hparams.to_flat()
            loop.report(trial, step=2, val_loss=values["lr"] * values["units"] + 1 / 3)
            loop.tell(trial, val_loss=values["lr"] * values["units"])
    assert points(loop.results.trials()) == wanted
    assert len(wanted) == 4


def test_a_study_runs_with_some_parts_changed(good: ModuleType, tmp_path: Path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "study.yaml").write_text(STUDY)
    study = kftune.load_study("study.yaml", ["search.dropout={uniform: [0.25, 0.3]}"])
    found = kftune.tune(study, max_trials=2, search={"units": None}, name="fewer", show=False)
    assert (found.name, found.counts(), found.reason) == ("fewer", {"Succeeded": 2}, "MaxTrialsReached")
    assert {*found.trials()[0].point} == {"lr", "dropout"}
    assert all(trial.point["dropout"] >= 0.25 for trial in found.trials())
    with pytest.raises(StoreError, match=r"space\.units"):
        kftune.tune(study, max_trials=2, name="fewer", show=False)


def test_results_are_a_table_a_page_and_typed_values(good: ModuleType, capfd: pytest.CaptureFixture[str]):
    pandas = pytest.importorskip("pandas")
    aims = [{"metric": name, "direction": "minimize"} for name in ("val_loss", "size")]
    found = kftune.tune(good.several, max_trials=3, algorithm="random", seed=1, show=False, objectives=aims)
    assert capfd.readouterr().out == ""
    table = found.to_dataframe()
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == [
        "trial",
        "state",
        "val_loss",
        "size",
        "lr",
        "units",
        "dropout",
        "duration",
        "started",
        "message",
    ]
    assert (table["val_loss"] == table["lr"]).all()
    assert table["units"].dtype.kind == "i"
    assert {best.name for best in found.pareto} <= set(table["trial"])
    assert found.best.metrics == {"val_loss": found.best.hparams.lr, "size": found.best.hparams.units}
    frame = Frame()
    frame.feed(found._repr_html_())
    assert [(tag, "sandbox" in dict(given)) for tag, given in frame.tags] == [("iframe", True)]
    assert f"<td>{found.best.name}</td>" in str(dict(frame.tags[0][1])["srcdoc"])
    assert repr(found).startswith("<Tuned several: 3 trials, best val_loss=")


class Frame(HTMLParser):
    """Lists the tags of a text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))


def test_without_pandas_the_error_says_how_to_get_it(good: ModuleType, monkeypatch: pytest.MonkeyPatch):
    found = kftune.tune(good.objective, max_trials=1, objective="val_loss", show=False)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kftune\[pandas\]', or use trials\(\)"):
        found.to_dataframe()


def test_whatever_a_function_does_ends_its_trial_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hostile = module(tmp_path, "hostile", HOSTILE, monkeypatch)
    found = kftune.tune(
        hostile.objective, max_trials=11, max_failed=11, algorithm="grid", parallel=2, show=False, objective="loss"
    )
    ends = {trial.point["kind"]: (trial.state, trial.message) for trial in found.trials()}
    assert {kind for kind, (state, _) in ends.items() if state == "Succeeded"} == {"good", "prints", "forks"}
    assert {kind for kind, (state, _) in ends.items() if state == "MetricsUnavailable"} == {"none", "exit-0"}
    messages = {kind: message for kind, (_, message) in ends.items()}
    assert "ZeroDivisionError: by the objective" in messages["raises"]
    assert "kftune/api" not in messages["raises"]
    assert "exit code 3" in messages["exit-3"]
    for kind, wanted in {
        "nan": "given nan",
        "text": "given '0.5'",
        "true": "given True",
        "list": "given [0.5]",
    }.items():
        assert "hostile:objective: the metric 'loss' must be a" in messages[kind]
        assert wanted in messages[kind]
    assert (
        "hostile:objective returned None"
        in Path(found.folder, "logs")
        .joinpath(next(f"{trial.name}.log" for trial in found.trials() if trial.point["kind"] == "none"))
        .read_text()
    )


LIMITED = """\
import time
import kftune
from kftune import Choice, Hparam, Hparams


class Kind(Hparams):
    kind: str = Hparam("slow", search=Choice("slow", "bad", "flaky", "good"))


def objective(h: Kind) -> float:
    if h.kind == "flaky":
        Path("tried").mkdir()  # an error the first time
        return 0.25
    kftune.report(step=1, objective=100 if h.kind == "bad" else 1)
    time.sleep(0 if h.kind == "good" else 60)
    return 0.5
"""


def test_limits_rules_and_retries_hold_for_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    limited = module(tmp_path, "limited", LIMITED.replace(".mkdir()", ".rmdir()"), monkeypatch)
    (tmp_path / "tried").mkdir()
    (tmp_path / "tried" / "file").touch()
    found = kftune.tune(
        limited.objective,
        max_trials=4,
        parallel=4,
        algorithm="grid",
        trial_timeout=5,
        retries={"failed": 1},
        stopping={"threshold": {"above": 10}},
        show=False,
    )
    ends = {trial.point["kind"]: trial for trial in found.trials()}
    assert ends["slow"].message.startswith("ran longer than trial_timeout (5 s)")
    assert (ends["bad"].state, ends["bad"].stopped_by) == ("EarlyStopped", "threshold")
    assert (ends["flaky"].state, ends["flaky"].attempt) == ("Failed", 2)


def test_a_study_without_any_result_raises_what_its_last_trial_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hostile = module(tmp_path, "hostile", HOSTILE, monkeypatch)
    with pytest.raises(RunError, match=r"(?s)the study has failed: .*ZeroDivisionError: by the objective"):
        kftune.tune(hostile.objective, search={"kind": kftune.Choice("raises")}, show=False, max_trials=1)


SLOW = f"""{GOOD}
import os, sys, time


def slow(h: Net) -> float:
    print("at work", flush=True)
    time.sleep(float(os.environ["SECONDS"]))
    return h.lr


if __name__ == "__main__":
    found = kftune.tune(slow, max_trials=3, parallel=2, seed=3, algorithm="random")
    print(found.counts())
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 1), (signal.SIGKILL, -9)])
def test_an_interrupt_leaves_no_process_and_the_next_call_goes_on(number: signal.Signals, status: int, tmp_path: Path):
    (tmp_path / "slow.py").write_text(SLOW)
    command = [sys.executable, "slow.py"]
    log = tmp_path / "out"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "SECONDS": "60"}, stdout=out, stderr=subprocess.STDOUT
        )
        logs = tmp_path / "runs" / "slow" / "logs"
        wait_for(lambda: sum("at work" in path.read_text() for path in logs.glob("*.log")) == 2)
        process.send_signal(number)
        assert process.wait(60) in {status, -number}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "SECONDS": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "{'Succeeded': 3}"
    with open_results(tmp_path / "runs" / "slow") as results:
        assert [trial.attempt for trial in results.trials()] == [2, 2, 1]
    assert processes_of(tmp_path) == []


def processes_of(folder: Path) -> list[str]:
    """Returns the running processes of trials with results in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"KFTUNE_OUTPUT_DIR={folder}".encode() in (path / "environ").read_bytes():
                found.append((path / "cmdline").read_text())
    return found


def wait_for(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)
