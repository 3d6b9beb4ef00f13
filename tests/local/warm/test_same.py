"""A trial from a warm worker is the same as one that starts as usual: its output, its end, what it sees and leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from warm_study import Forks, run_module

REPORT = 'import os, sys\nprint("loss=1")\n'
POOL = """
def square(x): return x * x
if __name__ == "__main__":
    import multiprocessing
    print("loss=1", flush=True)
    with multiprocessing.get_context({method!r}).Pool(2) as pool: print(pool.map(square, [1, 2, 3]))
"""
ENDS = {
    "end": "",
    "exception": "def divide(by):\n    return 1 / by\ndivide(0)",
    "exception-with-cause": "try:\n    1 / 0\nexcept ArithmeticError as error:\n    raise ValueError('no') from error",
    "exception-of-its-own": "class Own(BaseException): pass\nraise Own('mine')",
    "keyboard-interrupt": "raise KeyboardInterrupt",
    "recursion": "sys.setrecursionlimit(200)\ndef again(): again()\nagain()",
    "syntax-error": "print('x'",
    "import-error": "import not_there_at_all",
    "hook": "sys.excepthook = lambda *given: print('hook', given[:2])\nraise ValueError(3)",
    "exit-text": "sys.exit('some text')",
    "exit-code": "sys.exit(7)",
    "exit-none": "raise SystemExit",
    "exit-large": "sys.exit(2**40 + 5)",
    "exit-at-once": "sys.stdout.write('kept'); os._exit(9)",
    "abort": "os.abort()",
    "signal": "import signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "interrupt": "import signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(9)",
    "handler": "import signal, time; signal.signal(15, lambda *_: sys.exit(4)); signal.raise_signal(15); time.sleep(9)",
    "atexit": "import atexit; atexit.register(print, 'bye'); sys.exit(3)",
    "exit-in-atexit": "import atexit; atexit.register(sys.exit, 3)",
    "exception-in-atexit": "import atexit; atexit.register(lambda: 1 / 0)",
    "thread": "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
    "daemon-thread": "import threading, time\nthreading.Thread(target=time.sleep, args=[60], daemon=True).start()",
    "exception-in-thread": "import threading; threading.Thread(target=lambda: 1 / 0).start()",
    "another-program": "os.execv(sys.executable, [sys.executable, '-c', 'print(1)'])",
    "closed-output": "sys.stdout.close()",
    "lost-output": "os.close(1); print('lost')",
    "fork": "pid = os.fork()\nif pid: os.waitpid(pid, 0)\nprint('parent' if pid else 'child')",
}
SEEN = {
    "main": "import __main__; print(__name__, __file__, __spec__, __package__, [*globals()], __main__)",
    "argv": "print(sys.argv[0], len(sys.argv), sys.orig_argv[:3], sys.flags, sys.executable)",
    "path": "print(sys.path, os.getcwd(), 'sitecustomize' in sys.modules)",
    "frames": "frame = sys._getframe()\nwhile frame: print(frame.f_code); frame = frame.f_back",
    "streams": (
        "for each in (sys.stdin, sys.stdout, sys.stderr): print(each, each.buffer, each.isatty(), each.seekable(), "
        "each.line_buffering, each.write_through, each.encoding, each.errors)\nprint(repr(sys.stdin.read()))"
    ),
    "order": "sys.stdout.write('one '); sys.stderr.write('two '); os.write(1, b'three '); sys.stdout.write('four')",
    "environment": (
        "own = ('KFTUNE_TRIAL_NAME', 'KATIB_TRIAL_NAME', 'KFTUNE_OUTPUT_DIR')\n"
        "print(sorted((name, value) for name, value in os.environ.items() if name not in own))\n"
        "print([os.path.basename(os.environ[name]) for name in own])\n"
        "os.system('env | sort | grep -v _TRIAL_ | grep -v _OUTPUT_')"
    ),
    "descriptors": "print(sorted(os.listdir('/proc/self/fd')))",
    "signals": (
        "import signal; print([(each, signal.getsignal(each)) for each in signal.valid_signals()]); "
        "print(signal.pthread_sigmask(0, []), signal.set_wakeup_fd(-1))"
    ),
    "group": "print(os.getpid() == os.getpgid(0) == os.getsid(0))",
    "limits": "import resource; print([resource.getrlimit(each) for each in range(16)], os.umask(0), os.nice(0))",
    "programs": "import subprocess; subprocess.run([sys.executable, '-c', 'import sys; print(sys.path)'])",
    "warnings": "import warnings; warnings.warn('care'); warnings.warn('old', DeprecationWarning)",
    "source": "import inspect; print(inspect.getsource(sys._getframe()))",
    "pickle": "import pickle\nclass A: pass\nprint(pickle.dumps(A()), type(pickle.loads(pickle.dumps(A()))))",
    "asyncio": (
        "import asyncio\nasync def main():\n    process = await asyncio.create_subprocess_exec('true')\n"
        "    print(await process.wait())\nasyncio.run(main())"
    ),
    "collector": "import gc; print(gc.isenabled(), gc.get_threshold(), gc.garbage)",
    "not-utf8": "os.write(1, b'\\xff\\xfe\\n')",
    "from-c": "import ctypes; ctypes.CDLL(None).printf(b'from C\\n')",
}
FREED = {
    "object": "class Told:\n    def __del__(self): print('freed')\ntold = Told()",
    "cycle": "class Told:\n    def __del__(self): print('freed')\ntold = Told(); told.own = told",
    "generator": "def each():\n    try: yield\n    finally: print('closed')\nrest = each(); next(rest)",
    "late-import": "class Told:\n    def __del__(self): import json\ntold = Told()",
}


@pytest.fixture(autouse=True)
def forks(monkeypatch: pytest.MonkeyPatch) -> Forks:
    return Forks(monkeypatch)


@pytest.mark.parametrize("code", [*ENDS.values(), *SEEN.values(), *FREED.values()], ids=[*ENDS, *SEEN, *FREED])
def test_a_forked_trial_prints_and_ends_as_one_that_starts_as_usual(tmp_path, forks, code):
    found = run_module(tmp_path, REPORT + code, budget={"max_failed": 3})
    assert len(forks.pids) == 2
    as_usual, *forked = found.ends()
    assert forked == [as_usual] * 2


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool_of_processes_works(tmp_path, forks, method):
    found = run_module(tmp_path, POOL.format(method=method))
    assert len(forks.pids) == 2
    assert found.logs == ["loss=1\n[1, 4, 9]\n"] * 3


def test_files_that_a_trial_leaves_open_are_written(tmp_path, forks):
    code = (
        "import logging\nopened = open(os.environ['KFTUNE_OUTPUT_DIR'] + '/a', 'w'); opened.write('mine')\n"
        "logging.kept = open(os.environ['KFTUNE_OUTPUT_DIR'] + '/b', 'w'); logging.kept.write('theirs')\n"
        "def of_main(): return opened\n"
    )
    found = run_module(tmp_path, REPORT + code)
    assert len(forks.pids) == 2
    for trial in found.trials:
        folder = tmp_path / "runs" / "trials" / trial.name
        assert [(folder / name).read_text() for name in "ab"] == ["mine", "theirs"]


def test_every_trial_gets_its_own_arguments_name_and_folder(tmp_path, forks):
    code = "print(sys.argv[1:], os.environ['KFTUNE_TRIAL_NAME'], os.environ['KFTUNE_OUTPUT_DIR'])"
    found = run_module(tmp_path, REPORT + code, step={"args": ["é ü", "a\nb", "", "--x={}"], "env": {"MINE": "ä b"}})
    for trial, log in zip(found.trials, found.logs, strict=True):
        given = ["é ü", "a\nb", "", "--x={}", *(f"--{name}={text}" for name, text in trial.assignment.items())]
        assert log == f"loss=1\n{given} NAME {tmp_path}/runs/trials/NAME\n"


@pytest.mark.parametrize(
    ("files", "module"),
    [
        ({"package/__init__.py": "print('init')", "package/__main__.py": REPORT + "print(__spec__.name)"}, "package"),
        ({"package/__init__.py": "print('init')", "package/part.py": REPORT + "from . import other",
          "package/other.py": "print(__name__)"}, "package.part"),
        ({"space/inner/train.py": REPORT + "print(__package__)"}, "space.inner.train"),
        ({"package/__init__.py": ""}, "package"),
        ({"package/__init__.py": "1 / 0", "package/part.py": ""}, "package.part"),
        ({"package/__init__.py": "from package import part", "package/part.py": REPORT}, "package.part"),
    ],
    ids=["main", "relative", "namespace", "no-main", "broken", "imported-before"],
)  # fmt: skip
def test_packages_run_as_they_always_do(tmp_path, forks, files, module):
    found = run_module(tmp_path, files, step={"module": module}, budget={"max_failed": 3})
    assert len(forks.pids) == 2
    as_usual, *forked = found.ends()
    assert forked == [as_usual] * 2


def test_code_that_changes_during_the_study_is_run_as_it_is_then(tmp_path, forks):
    code = (
        "import part; print('part', part.VALUE)\n"
        "open('part.py', 'w').write(f'VALUE = {part.VALUE + 1}  # {\"x\" * part.VALUE}')\n"
    )
    found = run_module(tmp_path, {"trial_module.py": REPORT + code, "part.py": "VALUE = 1"})
    assert len(forks.pids) == 2
    assert [log.splitlines()[1] for log in found.logs] == ["part 1", "part 2", "part 3"]


def test_what_imports_print_is_at_the_beginning_of_every_log(tmp_path, forks, monkeypatch):
    installed(
        tmp_path,
        monkeypatch,
        noisy="import os, sys\nprint('out')\nprint('err', file=sys.stderr)\nos.write(1, b'raw\\n')\n",
    )
    found = run_module(tmp_path, "import noisy\n" + REPORT)
    assert len(forks.pids) == 2
    assert found.logs == ["out\nerr\nraw\nloss=1\n"] * 3


def test_an_installed_module_is_imported_once_and_the_project_s_own_code_never_before_a_trial(
    tmp_path, forks, monkeypatch
):
    installed(tmp_path, monkeypatch, counted="import os\nPID = os.getpid()\n")
    files = {"trial_module.py": "import counted, own\n" + REPORT + "print(counted.PID, own.PID == os.getpid())",
             "own.py": "import os\nPID = os.getpid()\n"}  # fmt: skip
    found = run_module(tmp_path, files, trials=4)
    assert [log.splitlines()[1] for log in found.logs[1:]] == [f"{forks.workers[0]} True"] * 3


def test_random_numbers_differ_between_trials_unless_they_are_seeded(tmp_path, forks):
    code = (
        "import random\nimport numpy\nimport torch\n" + REPORT + "print(random.random())\nprint(numpy.random.rand())\n"
        "print(torch.rand(1).item(), torch.initial_seed())\nprint(os.urandom(4))\n"
        "random.seed(1); numpy.random.seed(1); torch.manual_seed(1)\n"
        "print('same', random.random(), numpy.random.rand(), torch.rand(1).item())\n"
    )
    found = run_module(tmp_path, code, trials=4)
    assert len(forks.pids) == 3
    lines = [log.splitlines() for log in found.logs]
    for drawn in zip(*(each[1:-1] for each in lines), strict=True):
        assert len({*drawn}) == 4
    assert len({each[-1] for each in lines}) == 1


def test_the_other_sitecustomize_is_imported_too(tmp_path, forks):
    files = {"sitecustomize.py": "print('custom')", "trial_module.py": REPORT + "print(sys.modules['sitecustomize'])"}
    found = run_module(tmp_path, files)
    assert len(forks.pids) == 2
    assert found.logs == [f"custom\nloss=1\n<module 'sitecustomize' from '{tmp_path}/sitecustomize.py'>\n"] * 3


def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **modules: str) -> None:
    """Makes modules that trials find as installed ones."""
    place = tmp_path / "site-packages"
    place.mkdir()
    for name, text in modules.items():
        (place / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(place) + os.pathsep + os.environ.get("PYTHONPATH", ""))
