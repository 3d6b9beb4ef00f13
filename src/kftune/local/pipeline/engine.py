"""Runs a pipeline: starts the tasks that are ready, listens to them, keeps their outputs, and retries failed ones.

It has one thread, which waits in one `select` only. However the loop ends, no step's process is left behind.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from kftune.containers.ending import readable
from kftune.errors import ReadingStoppedError, RunError
from kftune.local.pipeline.artifacts import collect
from kftune.local.pipeline.cache import Cache
from kftune.local.pipeline.devices import StepDevices
from kftune.local.pipeline.events import PipelineFinished, StepFinished, StepPrinted, StepRetries, StepStarted
from kftune.local.pipeline.folder import PipelineRunFolder
from kftune.local.pipeline.graph import DONE, Given, Graph, Task, TaskState
from kftune.local.pipeline.steps import PipelineSteps
from kftune.local.processes.interrupts import Interrupts
from kftune.local.processes.listener import Listener
from kftune.local.processes.lost import LossWatch, why_lost
from kftune.local.processes.patience import MachineError
from kftune.local.processes.process import TrialProcess
from kftune.local.study.events import Note, OnEvent, now
from kftune.local.study.failure import last_lines, why_failed
from kftune.pipeline import Pipeline
from kftune.pipeline.steps import TuneStep

_BETWEEN_LINES = 0.5

RunState = Literal["Succeeded", "Failed", "Interrupted"]


class Ended(NamedTuple):
    """How a run ended."""

    state: RunState
    message: str


@dataclass(eq=False, kw_only=True)
class _Running:
    """A task with a running process."""

    task: Task
    values: Mapping[str, Given]
    key: str
    attempt: int
    lost: int
    gpus: tuple[str, ...]
    started: str
    watch: LossWatch
    process: TrialProcess = field(init=False)
    stopped: str = ""


class _Waiting(NamedTuple):
    """A task that waits for its next try."""

    task: Task
    values: Mapping[str, Given]
    key: str
    attempt: int
    lost: int
    """Tries that were ended from outside."""
    due: float


class PipelineEngine:
    """Runs one pipeline until nothing is left to run.

    Args:
        pipeline: The pipeline.
        graph: Its tasks.
        run: The files of this run.
        steps: How tasks start.
        cache: The results of earlier runs.
        parallel: How many steps run at the same time.
        interrupts: Counts Ctrl-C and requests to stop.
        emit: Called with each event.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        graph: Graph,
        run: PipelineRunFolder,
        steps: PipelineSteps,
        cache: Cache,
        *,
        parallel: int,
        interrupts: Interrupts,
        emit: OnEvent,
    ) -> None:
        self._pipeline = pipeline
        self._graph = graph
        self._run_folder = run
        self._steps = steps
        self._parallel = parallel
        self._interrupts = interrupts
        self._emit = emit
        self._cache = cache
        self._devices = StepDevices(steps.nodes)
        self._running: Listener[_Running] = Listener(interrupts)
        self._waiting: list[_Waiting] = []
        self._deadline: float | None = None
        self._exit: Task | None = None

    def run(self) -> Ended:
        """Runs everything, then the exit step."""
        began = time.monotonic()
        self._deadline = None if self._pipeline.timeout is None else began + self._pipeline.timeout
        with self._running.open():
            for note in (*self._steps.notes, *self._devices.notes):
                self._emit(Note(note))
            ended = self._all_steps()
            if ended.state != "Interrupted" and self._pipeline.plan.exit is not None:
                ended = self._exit_step(ended)
        every = [*self._graph.all, *([self._exit] if self._exit else [])]
        counts = dict(sorted(Counter(str(task.state) for task in every).items()))
        results = self._graph.results()
        self._emit(
            PipelineFinished(
                state=ended.state,
                message=ended.message,
                counts=counts,
                results=results,
                seconds=time.monotonic() - began,
            )
        )
        return ended

    # -- the loop ----------------------------------------------------------------------------------------------

    def _all_steps(self) -> Ended:
        while True:
            ended = self._cut_short()
            if ended is not None:
                return ended
            ready, over = self._graph.settle()
            for task in over:
                self._emit_end(task)
            if self._start_waiting() or self._take_all(self._startable(ready)):
                continue  # a task that is done at once may have made others ready
            if not self._running and not self._waiting:
                return self._outcome()
            self._listen()

    def _outcome(self) -> Ended:
        failed = self._graph.failed
        if not failed:
            return Ended("Succeeded", "all steps are done")
        names = ", ".join(task.name for task in failed[:5])
        more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
        return Ended("Failed", f"{names}{more} failed; the same command resumes there")

    def _cut_short(self) -> Ended | None:
        """Stops running tasks when the run must end early."""
        if self._interrupts.count:
            if self._running:
                longest = max(running.process.grace for running in self._running)
                count = len(self._running)
                self._emit(Note(f"stopping what runs ({count}), which may take {longest:g} s; Ctrl-C again kills it"))
            self._stop_all("the run was interrupted")
            return Ended("Interrupted", "interrupted; the same command resumes the run")
        if self._deadline is not None and time.monotonic() >= self._deadline:
            limit = self._pipeline.timeout
            self._stop_all(f"the run took longer than its timeout ({limit:g} s)")
            return Ended("Failed", f"ran longer than its timeout ({limit:g} s); the same command resumes the run")
        return None

    def _exit_step(self, ended: Ended) -> Ended:
        """Runs the exit step, once, even after a failure."""
        node = self._pipeline.plan.exit
        assert node is not None  # noqa: S101  # the caller checked that
        self._graph.status = ended.state
        self._deadline = None
        self._exit = task = Task(node)
        self._begin(task, self._graph.values(task), "")
        while self._running or self._waiting:
            if self._interrupts.count:
                self._stop_all("the run was interrupted")
                break
            if not self._start_waiting():
                self._listen()
        if task.state == "Stopped":
            return Ended("Interrupted", "interrupted; the same command resumes the run")
        if task.state == "Failed" and ended.state == "Succeeded":
            return Ended("Failed", f"the exit step {task.name} failed; the same command runs it again")
        return ended

    def _startable(self, ready: Sequence[Task]) -> list[Task]:
        """The ready tasks that there is room for, and devices."""
        chosen, room = [], self._parallel - len(self._running)
        free = len(self._devices.free)
        for task in ready:
            wanted = self._devices.wanted(task)
            if room <= 0:
                break
            if wanted <= free:
                chosen.append(task)
                room, free = room - 1, free - wanted
        return chosen

    def _start_waiting(self) -> bool:
        """Starts the retries that are due; returns whether there were any."""
        moment, begun = time.monotonic(), False
        for waiting in [each for each in self._waiting if each.due <= moment]:
            if len(self._running) < self._parallel and self._devices.wanted(waiting.task) <= len(self._devices.free):
                self._waiting.remove(waiting)
                self._begin(waiting.task, waiting.values, waiting.key, waiting.attempt, waiting.lost)
                begun = True
        return begun

    def _take_all(self, tasks: Sequence[Task]) -> bool:
        """Takes or starts ready tasks until one fails, since others may not start then; returns whether one is over."""
        over = False
        for task in tasks:
            over = self._take(task) or over
            if task.state == "Failed":
                break
        return over

    def _take(self, task: Task) -> bool:
        """Takes a ready task's earlier result, or starts it; returns whether it is over."""
        try:
            values = self._graph.values(task)
        except RunError as error:
            return self._end(task, "Failed", str(error))
        folder = self._run_folder.task(task.name)
        done = folder.read_done()
        if done is not None:
            task.made = done[0]
            self._cache.remember(str(done[1].get("key", "")), task)
            return self._end(task, "Kept", "")
        is_cached = task.node.step.cache and task is not self._exit
        key = self._steps.key(task.node, values) if is_cached else ""
        earlier = self._cache.recall(key, task)
        if earlier is not None:
            return self._end(task, "Cached", f"from run {earlier}")
        self._begin(task, values, key)
        return task.state != "Running"

    # -- one task ----------------------------------------------------------------------------------------------

    def _begin(self, task: Task, values: Mapping[str, Given], key: str, attempt: int = 1, lost: int = 0) -> None:
        """Starts a try of a task."""
        folder = self._run_folder.task(task.name)
        gpus = self._devices.take(task)
        running = _Running(
            task=task,
            values=values,
            key=key,
            attempt=attempt,
            lost=lost,
            gpus=gpus or (),
            started=now(),
            watch=LossWatch(),
        )
        try:
            running.process = self._steps.start(task, values, attempt, gpus, self._feeder(task))
        except MachineError:
            raise
        except (OSError, ValueError, RunError) as error:
            self._devices.give_back(gpus or ())
            self._end(task, "Failed", f"it could not be started: {error}")
            return
        task.state = "Running"
        self._running.add(running)
        self._emit(StepStarted(**_ids(task), attempt=attempt, log=str(folder.log), gpus=running.gpus))

    def _feeder(self, task: Task) -> Callable[[bytes], None]:
        """Makes the function that reads a task's output, and emits its lines."""
        tune, pending, told = isinstance(task.node.step, TuneStep), bytearray(), 0.0

        def feed(chunk: bytes) -> None:
            nonlocal told
            pending.extend(chunk)
            *lines, rest = bytes(pending).split(b"\n")
            pending[:] = rest[-4096:]
            moment = time.monotonic()
            if not lines or (not tune and moment - told < _BETWEEN_LINES):
                return
            told = moment
            for line in lines if tune else lines[-1:]:
                text = readable(line).strip()
                if text:
                    self._emit(StepPrinted(task.name, task.node.name, tune, text))

        return feed

    def _finish(self, running: _Running) -> None:
        """Keeps the outputs of a try that has ended, or tries again."""
        task, process = running.task, running.process
        self._devices.give_back(running.gpus)
        duration, code = round(process.ended - process.began, 3), process.returncode
        folder = self._run_folder.task(task.name)
        if running.stopped:
            self._end(task, "Stopped", f"stopped: {running.stopped}", duration, code)
            return
        lost = running.watch.lost(process) if running.lost < task.node.step.preemption.retries else ""
        if lost:
            self._again(running, f"{why_lost(lost)}{last_lines(folder.log)}", 0.0, lost=1)
            return
        problem = why_failed(process, folder.log, "its timeout")
        if not problem:
            try:
                task.made = collect(task.node.outputs, folder.outputs, lambda: self._interrupts.count > 0)
            except ReadingStoppedError as error:
                self._end(task, "Stopped", f"stopped: {error}", duration, code)
                return
            except (RunError, OSError) as error:
                problem = str(error)
        if problem:
            self._fail(running, problem, duration, code)
            return
        facts = {"task": task.name, "key": running.key, "attempt": running.attempt, "started": running.started}
        done = {**facts, "ended": now(), "duration": duration}
        self._steps.patience.hold("outputs cannot be noted", lambda: folder.write_done(task.made, done))
        self._cache.remember(running.key, task)
        self._end(task, "Succeeded", "", duration, code)

    def _fail(self, running: _Running, problem: str, duration: float, code: int | None) -> None:
        retries, failed = running.task.node.step.retries, running.attempt - running.lost
        if failed > retries.limit:
            self._end(running.task, "Failed", problem, duration, code)
        else:
            self._again(running, problem, retries.wait(failed))

    def _again(self, running: _Running, problem: str, wait: float, *, lost: int = 0) -> None:
        """Lets a task be tried again after a wait."""
        task, attempt = running.task, running.attempt
        task.state = "Waiting"
        again = _Waiting(
            task=task,
            values=running.values,
            key=running.key,
            attempt=attempt + 1,
            lost=running.lost + lost,
            due=time.monotonic() + wait,
        )
        self._waiting.append(again)
        self._emit(StepRetries(task.name, task.node.name, attempt, problem, wait))

    def _end(
        self, task: Task, state: TaskState, message: str, duration: float | None = None, code: int | None = None
    ) -> bool:
        task.state, task.message = state, message
        self._emit_end(task, duration, code)
        return True

    def _emit_end(self, task: Task, duration: float | None = None, code: int | None = None) -> None:
        log = self._run_folder.task(task.name).log
        self._emit(
            StepFinished(
                **_ids(task),
                state=task.state,
                message=task.message,
                outputs={name: each.shown for name, each in task.made.items()} if task.state in DONE else {},
                duration=duration,
                exit_code=code,
                log=str(log) if log.exists() else None,
            )
        )

    # -- listening ---------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Waits for a process, or until something is due."""
        moment = time.monotonic()
        # A retry that is due and still waits has no room; it starts when another task ends.
        tries = [waiting.due for waiting in self._waiting if waiting.due > moment]
        for running in self._running.listen(self._deadline, *tries):
            if running.process.returncode is not None:
                self._finish(running)

    def _stop_all(self, why: str) -> None:
        """Asks running tasks to end, and waits for them; one more interrupt kills them."""
        for waiting in self._waiting:
            self._end(waiting.task, "Stopped", f"stopped: {why}")
        self._waiting = []
        self._running.stop(why)
        self._deadline = None
        patience = 1 if self._interrupts.count else 0  # two quick ones may be counted before this line
        while self._running:
            if self._interrupts.count > patience:
                self._running.kill()
            self._listen()
        for task in list(self._graph.all):
            if task.state == "Pending":
                self._end(task, "NotRun", why)


def _ids(task: Task) -> dict[str, Any]:
    return {"task": task.name, "step": task.node.name, "index": task.index}
