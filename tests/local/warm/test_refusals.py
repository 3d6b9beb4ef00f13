"""When trials start as usual though they could share imports, and what is said about it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from local_study import sh, study
from warm_study import Forks, run_module, write

from kftune.errors import StudyError
from kftune.local.processes.warm import worker as worker_module

REPORT = "print('loss=1')\n"
FIRST = "from here on each trial imports for itself: "
LAST = "; step.warm=false starts no worker"
THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True, name='ticker').start()\n"
OF_C = (
    "import ctypes, os\nlibc = ctypes.CDLL(None)\nthread, function = ctypes.c_ulong(), libc.pause\n"
    "libc.pthread_create(ctypes.byref(thread), None, function, None)\n"
)


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> Forks:
    return Forks(monkeypatch)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes modules that trials find as installed ones."""

    def make(**modules: str) -> None:
        place = tmp_path / "elsewhere" / "site-packages"
        write(place, {f"{name}.py": text for name, text in modules.items()})
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(place), *os.environ.get("PYTHONPATH", "").split()]))

    return make


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (THREAD, "the imports start threads: ticker"),
        (OF_C, "the imports start 1 thread(s) of a library"),
        ("import subprocess\nkept = subprocess.Popen(['sleep', '1'])\n", "the imports start a process"),
        ("opened = open('/dev/dri/fake')\n", "import installed ends in FileNotFoundError: [Errno 2]"),
        ("raise ValueError('no')\n", "import installed ends in ValueError: no"),
        ("raise SystemExit(3)\n", "import installed ends in SystemExit: 3"),
        ("import not_there\n", "import installed ends in ModuleNotFoundError: No module named 'not_there'"),
        ("import os\nos._exit(3)\n", "the worker ended with exit code 3"),
        ("import os\nos.abort()\n", "the worker was ended by SIGABRT"),
        ("print('x' * 70_000)\n", "the imports print more than 65536 bytes"),
    ],
    ids=["thread", "thread-of-c", "process", "gpu", "error", "exit", "missing", "end", "abort", "output"],
)
def test_imports_after_which_no_fork_is_safe_are_left_to_each_trial(tmp_path, forks, install, text, why):
    indented = text.strip().replace("\n", "\n    ")
    install(installed=f"import os\nif 'KFTUNE_TRIAL_NAME' not in os.environ:\n    {indented}\n")
    found = run_module(tmp_path, "import installed\n" + REPORT)
    assert forks.pids == []
    assert [trial.state for trial in found.trials] == ["Succeeded"] * 3
    (note,) = found.notes
    assert note.startswith(FIRST + why)
    assert note.endswith(LAST)


def test_a_worker_that_opens_a_gpu_forks_nothing(request, tmp_path, forks, install):
    device = Path("/dev/nvidia-kftune-test")
    opens = f"kept = os.open({str(device)!r}, os.O_RDONLY)"
    install(installed=f"import os\nif 'KFTUNE_TRIAL_NAME' not in os.environ: {opens}\n")
    device.touch()
    request.addfinalizer(device.unlink)
    found = run_module(tmp_path, "import installed\n" + REPORT)
    assert forks.pids == []
    assert found.notes == [f"{FIRST}the imports open a GPU ({device}), which a forked process cannot use{LAST}"]


def test_a_project_s_module_with_the_name_of_a_module_of_python_stays_the_one_that_trials_get(tmp_path, forks):
    found = run_module(tmp_path, {"json.py": "MINE = 1\n", "trial_module.py": f"import json\n{REPORT}print(json.MINE)"})
    assert forks.pids == []
    assert found.logs == ["loss=1\n1\n"] * 3
    assert found.notes == [f"{FIRST}{tmp_path}/json.py has the name of a module of Python{LAST}"]


def test_what_python_prints_when_it_starts_is_in_each_log(tmp_path, forks, monkeypatch):
    monkeypatch.setenv("PYTHONVERBOSE", "1")
    found = run_module(tmp_path, REPORT)
    assert forks.pids == []
    assert found.notes == [f"{FIRST}Python prints before it imports the module{LAST}"]
    assert all(log.startswith("import _frozen_importlib # frozen\n") for log in found.logs)


def test_a_fork_that_cannot_become_a_trial_is_told(tmp_path, forks, install):
    install(torch="")  # not the one that has a generator of random numbers
    found = run_module(tmp_path, "import torch\n" + REPORT)
    assert forks.pids == []
    assert [trial.state for trial in found.trials] == ["Succeeded"] * 3
    assert found.notes == [f"{FIRST}the worker does not answer: a process that it forked ended at once{LAST}"]


def test_a_module_that_is_not_installed_is_left_out(tmp_path, forks):
    source = "try:\n    import not_there\nexcept ImportError:\n    print('without')\n" + REPORT
    found = run_module(tmp_path, source)
    assert len(forks.pids) == 2
    assert found.logs == ["without\nloss=1\n"] * 3


def test_without_the_system_s_help_trials_start_as_usual(tmp_path, forks, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no")

    monkeypatch.setattr(worker_module, "Adoption", refuse)
    found = run_module(tmp_path, REPORT)
    assert forks.pids == []
    assert found.notes == ["there is no warm worker, so each trial imports for itself: [Errno 1] no"]


def test_elsewhere_than_on_linux_trials_start_as_usual(tmp_path, forks, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    found = run_module(tmp_path, REPORT)
    assert forks.pids == []
    assert found.notes == ["step.warm needs Linux; here each trial imports for itself"]
    assert run_module(tmp_path / "b", "import torch\n" + REPORT, trials=2, step={"warm": None}).notes == []


def test_a_very_long_command_line_starts_as_usual(tmp_path, forks):
    found = run_module(tmp_path, REPORT, step={"args": ["x" * 120_000]})
    assert forks.pids == []
    assert [trial.state for trial in found.trials] == ["Succeeded"] * 3
    found = run_module(tmp_path / "b", REPORT, step={"args": ["x" * 150_000]}, budget={"max_failed": 3})
    assert {trial.message[:60] for trial in found.trials} == {
        "the program could not be started: [Errno 7] Argument list to"
    }


def test_a_step_with_a_command_shares_no_imports():
    with pytest.raises(StudyError, match=r"step\.warm.*but this step has a command; give it module: package\.module"):
        study(sh("echo loss=1"), step={"warm": True})


@pytest.mark.parametrize(
    ("source", "count"), [("import torch\n", 2), ("import json\n", 0), ("def f():\n import torch\n", 0)]
)
def test_a_module_that_imports_torch_gets_a_worker_unasked(tmp_path, forks, source, count):
    found = run_module(tmp_path, source + REPORT, step={"warm": None})
    assert (len(forks.pids), found.notes) == (count, [])


def test_warm_false_starts_no_worker(tmp_path, forks):
    run_module(tmp_path, "import torch\n" + REPORT, trials=2, step={"warm": False})
    assert forks.workers == []


def test_where_all_trials_start_at_once_there_is_no_worker(tmp_path, forks):
    run_module(tmp_path, REPORT, trials=2, budget={"parallel": 2})
    assert forks.workers == []


def test_an_import_of_torch_behind_a_change_of_the_environment_is_not_shared(tmp_path, forks):
    source = (
        "import os\nos.environ['OMP_NUM_THREADS'] = '1'\nimport torch\n" + REPORT + "print(torch.get_num_threads())"
    )
    found = run_module(tmp_path, source, trials=2, step={"warm": None})
    assert forks.pids == []
    assert found.logs == ["loss=1\n1\n"] * 2
    assert found.notes == [
        f"trials do not share the import of torch: {tmp_path}/trial_module.py:2 comes before it and may change what it "
        f"does; move the import to the top, or set step.warm to false"
    ]


def test_a_study_that_shares_no_imports_loads_nothing_for_it(tmp_path):
    code = (
        "import sys\nfrom local_study import run_study, sh, study\n"
        f"run_study(study(sh('echo loss=1'), trials=2), {str(tmp_path / 'runs')!r})\n"
        "print([name for name in ('ast', 'ctypes', 'kftune.local.processes.warm.worker', "
        "'kftune.local.processes.warm.imports') if name in sys.modules])\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "support")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "kftune.local.processes.warm.worker" not in done.stdout
    assert "kftune.local.processes.warm.imports" not in done.stdout
