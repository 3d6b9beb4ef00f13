"""The warm worker: ``python -m MODULE`` that stops before MODULE runs, and continues in a process for each trial.

Python imports `sitecustomize` before the module of ``-m``. Here it imports what the module will import, then waits for
requests on a socket. A request forks the process; in the child the import of `sitecustomize` ends, and Python runs the
module as it always does. So argv, ``__main__``, tracebacks, exit codes and exit handlers are Python's own.

It must not import kftune: it runs in the trial's process, and before the trial. The other end of the socket is
`kftune.local.processes.warm.worker`.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

VARIABLE = "KFTUNE_WARM_WORKER"
"""The variable with the number of the socket's descriptor."""

MOST_OUTPUT = 1 << 16
"""Bytes that the imports may print; each trial's output begins with them, as if it had imported itself."""

_LARGEST_REQUEST = 1 << 18


def _serve(descriptor: int) -> None:
    """Imports, then forks at each request; returns in the forked processes only."""
    import json
    import socket

    # kftune's end of the socket closes when kftune ends, however it ends.
    control = socket.socket(fileno=descriptor)
    setup = json.loads(control.recv(_LARGEST_REQUEST))
    imports = setup.pop("imports")
    printed = os.memfd_create("printed by imports")
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    problem = _find_as_trials_do(**setup) or _own_imports_differ() or _import_all(imports) or _why_no_fork()
    text = os.pread(printed, MOST_OUTPUT + 1, 0)
    os.close(printed)
    if not problem and len(text) > MOST_OUTPUT:
        problem = f"the imports print more than {MOST_OUTPUT} bytes"
    control.send(json.dumps({"problem": problem}).encode())
    if problem:
        os._exit(0)
    _keep_imported()
    # The collector, and other code of a trial, leave these objects alone, so their memory stays shared.
    gc.collect()
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _LARGEST_REQUEST, 2)
        if not message:
            os._exit(0)
        request = json.loads(message)
        if "wait" in request:
            status = os.waitpid(request["wait"], 0)[1]
            answer = {"code": os.waitstatus_to_exitcode(status)}
        else:
            answer = {"pid": _fork(request["cwd"])}
            if answer["pid"] == 0:
                control.close()
                return _become_trial(request, text, *descriptors)
        for each in descriptors:
            os.close(each)
        control.send(json.dumps(answer).encode())


def _fork(folder: str) -> int:
    """Forks in a folder; returns -1 if that fails, so that kftune starts the trial itself and gets the error."""
    try:
        os.chdir(folder)
        return os.fork()
    except OSError:
        return -1


def _find_as_trials_do(env: dict[str, str | None], folder: str) -> str:
    """Removes what has led Python here: programs that an import starts, and the trials, find what they always do.

    Returns why the `sitecustomize` of the environment, if it has one, cannot be imported.
    """
    _apply(env)
    sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)
    own = sys.modules.pop("sitecustomize")
    problem = _import_all([("sitecustomize", [])])
    sys.modules.setdefault("sitecustomize", own)
    return problem


def _own_imports_differ() -> str:
    """Returns which module, that this one has imported, would be another in a trial; empty if there is none."""
    from importlib.machinery import PathFinder

    for name in _own:
        spec = sys.modules[name].__spec__
        found = PathFinder.find_spec(name)
        if spec is not None and found is not None and spec.has_location and found.origin != spec.origin:
            return f"{found.origin or name} has the name of a module of Python"
    return ""


def _apply(changes: dict[str, str | None]) -> None:
    """Changes the environment; None removes a variable."""
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _import_all(imports: list[tuple[str, list[str]]]) -> str:
    """Imports modules; returns why one cannot be imported, and leaves out missing ones."""
    for module, names in imports:
        try:
            __import__(module, fromlist=names)
        except BaseException as error:
            if isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]:
                continue
            return f"import {module} ends in {type(error).__name__}: {error}"
    return ""


def _why_no_fork() -> str:
    """Returns why this process cannot be forked safely; empty if it can."""
    import threading

    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
        return f"the imports start threads: {names}"
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        pass
    else:
        return "the imports start a process"
    # Threads of libraries that know about fork, such as OpenBLAS, end before one; the remaining ones do not.
    probe = os.fork()
    if probe == 0:
        os._exit(0)
    os.waitpid(probe, 0)
    threads = os.listdir("/proc/self/task")
    if len(threads) > 1:
        return f"the imports start {len(threads) - 1} thread(s) of a library"
    for each in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{each}")
        except OSError:  # the descriptor of the folder itself
            continue
        if target.startswith(("/dev/nvidia", "/dev/kfd", "/dev/dri/")):
            return f"the imports open a GPU ({target}), which a forked process cannot use"
    return ""


# -- in the process of a trial -----------------------------------------------------------------------------------------


def _become_trial(request: dict[str, object], text: bytes, output: int, go: int) -> None:
    """Makes this process the trial's, and waits until kftune knows it; ends it if kftune does not."""
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        _apply(request["env"])  # type: ignore[arg-type]
        arguments: list[str] = request["arguments"]  # type: ignore[assignment]
        # As Python has them at this time; `-m` becomes the module's path when the module runs.
        sys.argv[:] = ["-m", *arguments]
        sys.orig_argv[3:] = arguments
        # A new one: the collector passes over the old one, so what the module defines would not be freed at the end.
        main = type(sys)("__main__")
        main.__dict__.update(sys.modules["__main__"].__dict__)
        sys.modules["__main__"] = main
        _seed_anew()
        _exit_quickly()
        os.write(go, b"%d" % os.getpid())
        if os.read(go, 1) != b"1":
            os._exit(1)
        os.close(go)
        if text:
            os.write(1, text)
    except BaseException:
        os._exit(1)


def _seed_anew() -> None:
    """Gives the trial its own random numbers where it sets no seed; Python's `random` does this itself."""
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    if "torch" in sys.modules:
        # That of a GPU is made in the trial.
        sys.modules["torch"].default_generator.seed()


# -- the end of a trial ------------------------------------------------------------------------------------------------

_kept: list[object] = []
_kept.append(_kept)  # so that it is never freed: the collector passes over what is frozen
_names: list[str] = []


def _keep_imported() -> None:
    """Notes what is imported. At a trial's end, Python frees what the trial has made and imported, and not this.

    To take torch apart costs half as much as to import it.
    """
    import weakref

    _names.extend(name for name in sys.modules if name not in ("__main__", "builtins", "sys"))
    _kept.extend(sys.modules[name] for name in _names)
    # They end what all trials share, such as the operators of torch or a temporary folder.
    for each in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        each.atexit = False


def _let_go() -> None:
    """Runs as the last exit handler of a trial."""
    import io

    # What the trial left open is written, even if only an imported module knows it.
    written = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
    for each in gc.get_objects():
        if type(each) in written and not each.closed:
            try:
                each.flush()
            except (OSError, RuntimeError, ValueError):
                continue
    for name in _names:
        sys.modules.pop(name, None)


def _exit_quickly() -> None:
    """Leaves out the exit handlers of the C libraries that are loaded now; does nothing without glibc.

    Handlers run in reverse order. These write what is left in C's own files, and end the process with its exit code.
    """
    import ctypes

    libc = ctypes.CDLL(None)
    try:
        first, second = libc.fcloseall, libc._exit
        libc.on_exit(second, None)
        libc.on_exit(first, None)
    except AttributeError:
        return


def _start() -> None:
    """Imports what this module needs from Python's own folders, and serves."""
    variables = os.environ["PYTHONPATH"].split(os.pathsep)
    path, sys.path[:] = sys.path[:], [each for each in sys.path if each not in map(os.path.abspath, variables)]
    before = {*sys.modules}
    for name in ("ctypes", "importlib.machinery", "io", "json", "socket", "threading", "weakref"):
        __import__(name)
    _own.extend(name for name in sys.modules if name not in before and "." not in name)
    sys.path[:] = path
    atexit.register(_let_go)
    try:
        _serve(int(os.environ.pop(VARIABLE)))
    except BaseException:
        # kftune has ended, or this process was interrupted. It must never go on to the module itself.
        os._exit(1)


_own: list[str] = []
if VARIABLE in os.environ:
    _start()
    if getattr(sys.modules[__name__], "_start", None) is _start:
        # As if there were no `sitecustomize`, which Python does not mind.
        raise ModuleNotFoundError(name=__name__)
