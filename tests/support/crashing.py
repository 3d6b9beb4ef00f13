"""Runs of kftune that are killed at a chosen commit point: before or after each change of a file, row or process.

A server process imports kftune and forks itself for each run. In the fork, `aim` wraps what changes something, counts,
and sends SIGKILL to itself at the point that the environment variable KFTUNE_TEST_CRASH_AT names. kftune has no hook.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from applied import run as run_to_apply
from applied import write as write_to_apply
from entity_runs import many
from local_experiment import experiment
from local_experiment import sh as sh_in_pod
from local_pipeline import Project
from local_study import sh, stored_rows, study

from kftune.cli import main
from kftune.experiments.file import load_list
from kftune.experiments.run import run_list
from kftune.local import run_study
from kftune.local.entities.run import run_entities
from kftune.local.experiment import run_experiment
from kftune.results import FINISHED, lines, store

VARIABLE = "KFTUNE_TEST_CRASH_AT"
TRIALS = 4
ENTITIES = ("P/a", "b", "c")
# Two trials for each of the entities, and a third one for the first of them.
SHARED_TRIALS = 7

# Audit events of Python, each before the change; and an open for writing.
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.posix_spawn", "subprocess.Popen", "sqlite3.connect")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

# A trial notes its start, fails where it finds the checkpoint of other values, and reports one of its own values.
TRIAL = """\
echo $KFTUNE_TRIAL_NAME >> {ledger}
checkpoint=$KFTUNE_OUTPUT_DIR/checkpoint
[ ! -e $checkpoint ] || [ "$(cat $checkpoint)" = "{values}" ] || exit 9
echo "{values}" > $checkpoint
{body}
"""


def trial(folder: Path, body: str = "", values: str = "$0 $*", value: str = "${0#--lr=}") -> str:
    """Returns the script of a trial, which reports the step size as its loss."""
    end = body or f"echo loss={value}"
    return TRIAL.format(ledger=folder / "ledger", values=values, body=end.replace("VALUE", value))


# -- what is run; `again` is true for a run after a kill --------------------------------------------


def run_a_study(folder: Path, again: bool, **parts: Any) -> None:
    """Another seed proposes other values for a trial of which nothing is stored."""
    parts = {"command": sh(trial(folder)), "budget": {"parallel": 2}, **parts}
    a_study = study(**parts, trials=TRIALS, algorithm={"seed": 8 if again else 7})
    run_study(a_study, folder / "runs")


def run_with_retries(folder: Path, again: bool) -> None:
    """Each first try fails."""
    body = f"echo loss=VALUE; echo >> {folder}/$KFTUNE_TRIAL_NAME; [ $(wc -l < {folder}/$KFTUNE_TRIAL_NAME) -gt 1 ]"
    budget = {"parallel": 2, "retries": {"failed": 9}}
    run_a_study(folder, again, command=sh(trial(folder, body)), budget=budget)


def run_with_pauses(folder: Path, again: bool) -> None:
    """Trials wait at rungs, and one of them goes on."""
    body = "n=${KFTUNE_RESUMED:-0}; while [ $n -lt 3 ]; do n=$((n+1)); echo step=$n loss=VALUE; sleep 0.03; done"
    rule = {"asha": {"type": "promotion", "max_resource": 3, "reduction_factor": 2}}
    run_a_study(folder, again, command=sh(trial(folder, body)), stopping=rule)


def run_for_entities(folder: Path, again: bool) -> None:
    """The entities share a budget, and so little time that a run writes it down for each trial."""
    script = trial(folder, values="$*", value="${1#--lr=}")
    each = {"items": list(ENTITIES), "budget": {"max_trials": SHARED_TRIALS, "parallel": 2, "wall_clock": "10m"}}
    a_study = many(each, script=script, budget={"parallel": 2}, algorithm={"seed": 8 if again else 7})
    run_entities(a_study, folder / "runs")


def run_an_experiment(folder: Path, again: bool) -> None:
    script = trial(folder, values="$LR $UNITS $OPT", value="$LR").replace("$(cat", "$$(cat")
    seed = {"algorithmSettings": [{"name": "random_state", "value": "8" if again else "7"}]}
    parts = {"parallelTrialCount": 2, "algorithm": seed}
    run_experiment(experiment(sh_in_pod(script), trials=TRIALS, **parts), folder / "runs")


def run_experiments(folder: Path, again: bool) -> None:
    """The values of the experiments that have not ended change in the list."""
    done = {number: json.loads(row[3]) for number, row in finished_rows(folder / "runs").items()}
    (folder / "toy.py").write_text(TOYS)
    values = {number: done.get(number, {"lr": number / (7 if again else 5)}) for number in range(1, TRIALS + 1)}
    listed = {f"toy{number}": {"lr": float(given["lr"])} for number, given in values.items()}
    step = {"command": ["sh", "-c", trial(folder)]}
    data = {"name": "toys", "hparams": "toy:Toy", "step": step, "objective": LOSS, "experiments": listed}
    (folder / "list.yaml").write_text(json.dumps(data))
    run_list(load_list(folder / "list.yaml"), folder / "runs", parallel=2)


def finished_rows(folder: Path) -> dict[int, tuple[Any, ...]]:
    """Returns the rows of the trials that count against the budget, by number."""
    return {number: row for number, row in stored_rows(folder).items() if row[1] in FINISHED}


LOSS = {"metric": "loss", "direction": "minimize"}
TOYS = """\
from kftune import Hparam, Hparams, Uniform


class Toy(Hparams):
    lr: float = Hparam(0.1, search=Uniform(0.0, 9.0))
"""


def run_fresh(folder: Path, again: bool) -> None:
    """The results of another seed are there before. After a kill, --fresh is given again until they are aside."""
    fresh = not any(folder.glob("runs.old-*"))
    a_study = study(sh(trial(folder)), trials=TRIALS, budget={"parallel": 2}, algorithm={"seed": 8 if again else 7})
    run_study(a_study, folder / "runs", fresh=fresh)


def run_a_pipeline(folder: Path, again: bool) -> None:
    """Three steps hand a number on."""
    project = Project(folder)
    count = f"echo {{name}} >> {folder}/ledger; "
    steps = {
        "one": {"command": ["sh", "-c", count.format(name="one") + "echo 1 > ${0#--x=}"], "outputs": {"x": "int"}},
        "two": {
            "command": ["sh", "-c", count.format(name="two") + "echo $((${0#--x=} + 1)) > ${1#--result=}"],
            "inputs": {"x": "${steps.one.outputs.x}"},
            "outputs": {"result": "int"},
        },
        "three": {
            "command": ["sh", "-c", count.format(name="three") + "echo result=${0#--result=}"],
            "inputs": {"result": "${steps.two.outputs.result}"},
        },
    }
    project.run(project.pipeline({name: {"kind": "container", **step} for name, step in steps.items()}))


def apply(folder: Path, again: bool) -> None:
    main(["apply", str(folder / "study.yaml"), "--to", str(folder / "config.yaml"), "--at", "P1/C1", "--yes"])


def write_curves(folder: Path, again: bool) -> None:
    main(["results", str(folder / "runs"), "--curves", "--format", "csv", "--out", str(folder / "curves.csv")])


def salvage(folder: Path, again: bool) -> None:
    main(["results", str(folder / "runs"), "--salvage"])


RUNS: dict[str, Callable[[Path, bool], None]] = {
    each.__name__: each
    for each in (
        run_a_study,
        run_with_retries,
        run_with_pauses,
        run_for_entities,
        run_an_experiment,
        run_experiments,
        run_fresh,
        run_a_pipeline,
        apply,
        write_curves,
        salvage,
    )
}


def prepare(name: str, folder: Path) -> None:
    """Makes what is there before the first run."""
    if name == "run_fresh":
        run_study(study(sh("echo loss=0.5"), trials=2, algorithm={"seed": 1}), folder / "runs")
    if name == "salvage":
        run_a_study(folder, again=False)
        (folder / "runs" / "trials.jsonl").unlink()
        with (folder / "runs" / "trials.db").open("r+b") as file:
            file.write(b"damaged")
    if name == "apply":
        write_to_apply(folder)
        run_to_apply(folder)
    if name == "write_curves":
        run_study(study(sh("echo step=1 loss=0.5; echo step=2 loss=0.4"), trials=2), folder / "runs")
        (folder / "curves.csv").write_text("as it was\n")


# -- kills ------------------------------------------------------------------------------------------------------------


class Ended(NamedTuple):
    """A run that has ended.

    Attributes:
        status: Its exit status; negative after a signal.
        points: What it passed, in order.
    """

    status: int
    points: list[str]


def aim(at: int, points: list[str]) -> None:
    """Lets this process kill itself at a point.

    Args:
        at: Its number, from 1; 0 for none.
        points: Gets the name of each point.
    """
    own = os.getpid()

    def point(name: str) -> None:
        if os.getpid() == own:
            points.append(name)
            if len(points) == at:
                os.kill(own, signal.SIGKILL)

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES):
            point(f"before {event}")

    def around(owner: Any, name: str) -> None:
        inner = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            point(f"before {name}")
            found = inner(*arguments, **options)
            point(f"after {name}")
            return found

        setattr(owner, name, wrapped)

    def write_in_halves(self: lines.LineFile, line: bytes) -> None:
        for part in (line[: len(line) // 2], line[len(line) // 2 :]):
            point("before half of a line")
            os.write(self._file, part)

    around(store.Store, "_commit")
    around(store, "update")
    around(os, "fsync")
    around(os, "pwrite")
    lines.LineFile._write = write_in_halves  # type: ignore[method-assign]
    sys.addaudithook(hear)


def serve() -> None:
    """Runs what each line of standard input asks for, in a fork."""
    for line in sys.stdin:
        request = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os.environ[VARIABLE] = str(request["at"])
            _run(request, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            points = pipe.read()
        _, status = os.waitpid(child, 0)
        ended = [os.waitstatus_to_exitcode(status), json.loads(points or "[]")]
        sys.stdout.write(f"{json.dumps(ended)}\n")
        sys.stdout.flush()


def _run(request: dict[str, Any], writer: int) -> None:
    """Ends this process with the run."""
    points: list[str] = []
    folder, status = Path(request["folder"]), 1
    with (folder / "output").open("a") as output, Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir(folder)
    try:
        if request["prepare"]:
            prepare(request["name"], folder)
        else:
            aim(int(os.environ[VARIABLE]), points)
            RUNS[request["name"]](folder, request["again"])
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            os.write(writer, json.dumps(points).encode())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


class Server:
    """The process that forks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def prepare(self, name: str, folder: Path) -> None:
        """Makes what is there before the first run."""
        assert self._ask(name, folder, 0, again=False, prepare=True).status == 0

    def run(self, name: str, folder: Path, at: int = 0, *, again: bool = False) -> Ended:
        """Runs what `RUNS` has under a name.

        Args:
            name: The name.
            folder: An absolute path.
            at: The point of the kill; 0 for none.
            again: Whether a run was killed before.
        """
        return self._ask(name, folder, at, again=again, prepare=False)

    def _ask(self, name: str, folder: Path, at: int, **request: bool) -> Ended:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"name": name, "folder": str(folder), "at": at, **request}) + "\n")
        self._process.stdin.flush()
        return Ended(*json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()


if __name__ == "__main__":
    serve()
