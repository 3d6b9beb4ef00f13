"""`budget.retries`: a trial runs again by what ended it; kinds are told apart, counted, stored and bounded."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Any

import pytest
from local_study import (
    Runs,
    Tiny,
    finished,
    log_of,
    one_trial,
    python,
    run,
    sh,
    stored_rows,
    study,
    trials_in,
    wait_until,
)
from mistake_texts import printed

from kftune import Choice, Hparam, Hparams, IntUniform, LogUniform, QUniform, Uniform
from kftune.local import TrialRetries
from kftune.local.processes import lost
from kftune.local.study.retries import says_out_of_memory
from kftune.local.study.smaller import halved
from kftune.results import Retried, RunFolder, open_results
from kftune.results.export import to_json

GPU = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 1 GiB"


def ends(*endings: str) -> tuple[str, ...]:
    """A command whose n-th try ends as the n-th of some shell lines says; later ones report a loss."""
    count = "n=$(ls -d $KFTUNE_OUTPUT_DIR.attempt* 2>/dev/null | wc -l)"
    cases = " ".join(f"{number}) {ending};;" for number, ending in enumerate(endings))
    return sh(f"{count}; echo loss=0.$n; case $n in {cases} esac; echo done")


def retries(**kinds: Any) -> dict[str, Any]:
    return {"retries": kinds}


OUT_OF_MEMORY = f"{{ echo '{GPU}'; exit 1; }}"


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ("exit 3", "failed"),
        ("kill -SEGV $$", "failed"),
        ("kill -9 $$", "lost"),
        ("kill -TERM $$", "lost"),
        ("exit 137", "failed"),
        (OUT_OF_MEMORY, "out_of_memory"),
    ],
)
def test_each_kind_of_failure_uses_its_own_count(tmp_path, ending, kind):
    kinds = {"failed": 0, "lost": 0, "out_of_memory": 0}
    command = (
        ends(*[ending] * 5)
        if "137" not in ending
        else python(f"import sys; print('loss=1'); sys.{ending.replace(' ', '(')})")
    )
    without = one_trial(
        study(command, trials=1, budget=retries(**{**dict.fromkeys(kinds, 3), kind: 0})), tmp_path / "a"
    )
    assert (without.state, without.attempt, without.retried.counted()) == ("Failed", 1, {})
    trial = one_trial(study(command, trials=1, budget=retries(**{**kinds, kind: 2})), tmp_path / "b")
    assert (trial.state, trial.attempt, trial.retried.counted()) == ("Failed", 3, {kind: 2})


def test_kinds_are_counted_for_themselves(tmp_path):
    command = ends("exit 3", "kill -9 $$", OUT_OF_MEMORY, "kill -9 $$")
    outcome, events = run(study(command, trials=1, budget=retries(failed=1, lost=2, out_of_memory=1)), tmp_path)
    (trial,) = trials_in(tmp_path)
    assert outcome.counts == {"Succeeded": 1}
    assert (trial.attempt, trial.objective, trial.message) == (5, 0.4, "")
    assert trial.retried.counted() == {"failed": 1, "lost": 2, "out_of_memory": 1}
    messages = [event.message.splitlines()[0] for event in events if isinstance(event, TrialRetries)]
    assert messages == [
        "starts again: exit code 3; its last lines:",
        "starts again: was ended from outside by SIGKILL; its last lines:",
        "starts again: ran out of memory: exit code 1; its last lines:",
        "starts again: was ended from outside by SIGKILL; its last lines:",
    ]
    assert [event.reason for event in events if isinstance(event, TrialRetries)] == [
        "failed",
        "lost",
        "out_of_memory",
        "lost",
    ]
    with open_results(tmp_path) as results:
        assert to_json(results)["trials"][0]["retries"] == {"failed": 1, "lost": 2, "out_of_memory": 1}


def test_each_try_has_its_own_log_and_folder(tmp_path):
    trial = one_trial(study(ends("exit 1", "exit 1"), trials=1, budget=retries(failed=2)), tmp_path)
    assert log_of(tmp_path, trial) == "loss=0.2\ndone\n"
    logs = tmp_path / "logs"
    assert [(logs / f"{trial.name}.log.attempt{number}").read_text() for number in (1, 2)] == [
        "loss=0.0\n",
        "loss=0.1\n",
    ]
    assert sorted(path.name for path in (tmp_path / "trials").iterdir()) == [
        f"{trial.name}{end}" for end in ("", ".attempt1", ".attempt2")
    ]


NOT_RETRIED = {
    "longer than its time": (sh("sleep 60"), "Failed"),
    "no value of the objective": (sh("exit 0"), "MetricsUnavailable"),
}


@pytest.mark.parametrize("case", NOT_RETRIED)
def test_a_trial_that_would_end_the_same_way_is_not_retried(tmp_path, case):
    command, state = NOT_RETRIED[case]
    budget = {"trial_timeout": 1, **retries(failed=3, lost=3, out_of_memory=3)}
    trial = one_trial(study(command, trials=1, budget=budget), tmp_path)
    assert (trial.state, trial.attempt) == (state, 1)


def test_only_the_last_try_counts_as_a_failure(tmp_path):
    budget = {"max_failed": 2, "parallel": 2, **retries(failed=1)}
    outcome, _ = run(study(ends("exit 1", "exit 1"), trials=9, budget=budget), tmp_path)
    assert (outcome.reason, outcome.counts["Failed"]) == ("MaxFailedReached", 2)
    outcome, _ = run(study(ends("exit 1"), trials=4, budget=budget), tmp_path / "fine")
    assert outcome.counts == {"Succeeded": 4}


def test_a_grid_retries_its_failed_points_before_it_is_exhausted(tmp_path):
    a_study = study(
        ends("exit 1"), trials=6, hparams=Tiny, algorithm={"name": "grid"}, budget={"parallel": 3, **retries(failed=1)}
    )
    outcome, _ = run(a_study, tmp_path)
    assert outcome.counts == {"Succeeded": 6}
    trials = trials_in(tmp_path)
    assert len({tuple(trial.assignment.items()) for trial in trials}) == 6
    assert {trial.attempt for trial in trials} == {2}


@pytest.mark.parametrize(
    "text",
    [
        GPU,
        "torch.cuda.OutOfMemoryError: CUDA out of memory.",
        "RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB",
        "RuntimeError: CUDA error: out of memory",
        "RuntimeError: MPS backend out of memory (MPS allocated: 9 GB)",
        "torch.OutOfMemoryError: HIP out of memory.",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes.",
        "tensorflow.python.framework.errors_impl.ResourceExhaustedError: {{function_node}} OOM when allocating tensor",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried",
        "RuntimeError: DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
        "MemoryError",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.28 TiB for an array",
        "java.lang.OutOfMemoryError: Java heap space",
        "RuntimeError: CUDA driver error: out of memory",
        "RuntimeError: cuda runtime error (2) : out of memory at /pytorch/aten/src/THC/generic/THCStorage.cu:58",
        "ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory",
        "cupy.cuda.memory.OutOfMemoryError: Out of memory allocating 8,000,000,000 bytes",
        "terminate called after throwing an instance of 'std::bad_alloc'",
    ],
)
def test_the_errors_of_frameworks_that_got_no_memory_are_known(tmp_path, text):
    log = tmp_path / "log"
    log.write_text(f"epoch 1 loss=0.5\nTraceback (most recent call last):\n{text}\n" + "rank 1 ends\n" * 15)
    assert says_out_of_memory(log)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{GPU}\n" + "epoch goes on with a smaller batch\n" * 20 + "ValueError: no such file\n",
        "this class never raises a MemoryError by itself\nKeyError: 'out of memory'\n",
    ],
)
def test_other_errors_and_those_that_a_program_survived_are_no_want_of_memory(tmp_path, text):
    log = tmp_path / "log"
    log.write_text(text)
    assert not says_out_of_memory(log)


def test_a_kill_for_want_of_memory_counts_as_such(tmp_path, monkeypatch):
    file = tmp_path / "vmstat"
    file.write_text("oom_kill 3\n")
    monkeypatch.setattr(lost, "_COUNTERS", file)
    command = ends(f"{{ echo oom_kill 4 > {file}; kill -9 $$; }}")
    trial = one_trial(study(command, trials=1, budget=retries(out_of_memory=1)), tmp_path / "results")
    assert (trial.state, trial.retried.counted()) == ("Succeeded", {"out_of_memory": 1})


@pytest.mark.parametrize(
    "text",
    [
        "RuntimeError: DataLoader worker (pid 123) is killed by signal: Killed.",
        "  exitcode  : -9 (pid: 123)",
        "  traceback : Signal 9 (SIGKILL) received by PID 123",
        "Killed",
    ],
)
def test_a_killed_process_of_the_program_is_want_of_memory_if_the_kernel_killed_one(tmp_path, text):
    log = tmp_path / "log"
    log.write_text(f"Traceback (most recent call last):\n{text}\n")
    assert not says_out_of_memory(log)
    assert says_out_of_memory(log, kernel_killed=True)
    log.write_text("ValueError: 9 signals, -9 killed\n")
    assert not says_out_of_memory(log, kernel_killed=True)


# -- smaller values ------------------------------------------------------------------------------------------------


class Batches(Hparams):
    """Memory runs out above a batch size."""

    batch_size: int = Hparam(64, search=IntUniform(4, 256))
    """Samples at once."""
    lr: float = Hparam(0.1, search=LogUniform(1e-3, 1))
    """Step size."""


FITS = f"""import sys
v = dict(t[2:].split('=') for t in sys.argv[1:])
print('loss=' + v['lr'], 'batch=' + v['batch_size'])
if int(v['batch_size']) > 20: sys.exit({GPU!r})"""


def big(**parts: Any) -> Any:
    data = {
        "command": python(FITS),
        "hparams": Batches,
        "search": {"batch_size": {"choice": [200]}},
        "trials": 1,
        **parts,
    }
    return study(data.pop("command"), **data)


SPACE = {"batch_size": {"int": [8, 256]}}


@pytest.mark.parametrize("memory", ["smaller", {"halve": "batch_size"}, {"retries": 5, "halve": "batch_size"}])
def test_a_trial_without_memory_runs_again_with_smaller_values_and_says_so(tmp_path, memory):
    a_study = big(search=SPACE, points=[{"batch_size": 150, "lr": 0.5}], budget=retries(out_of_memory=memory))
    outcome, events = run(a_study, tmp_path)
    (trial,) = trials_in(tmp_path)
    assert outcome.counts == {"Succeeded": 1}
    assert (trial.attempt, trial.point) == (4, {"batch_size": 18, "lr": 0.5})
    assert trial.assignment == {"batch_size": "18", "lr": "0.5"}
    assert log_of(tmp_path, trial) == "loss=0.5 batch=18\n"
    assert trial.retried.proposed == {"batch_size": 150}
    assert [event.message.splitlines()[0] for event in events if isinstance(event, TrialRetries)] == [
        f"starts again with batch_size={now} in place of {before}: ran out of memory: exit code 1; its last lines:"
        for before, now in ((150, 75), (75, 37), (37, 18))
    ]
    assert [event.values["batch_size"] for event in finished(events)] == [18]
    with open_results(tmp_path) as results:
        found = to_json(results)["best"]
    assert (found["values"], found["proposed"]) == ({"batch_size": 18, "lr": 0.5}, {"batch_size": 150})
    assert "\nbatch_size=18 ran in place of 150, for which memory ran out\n" in printed(["best", "."], tmp_path)


def test_at_the_lowest_value_the_trial_fails_and_says_so(tmp_path):
    search = {"batch_size": {"choice": [32, 48, 200]}}
    budget = retries(out_of_memory={"retries": 9, "halve": "batch_size"})
    trial = one_trial(big(search=search, points=[{"batch_size": 200, "lr": 0.5}], budget=budget), tmp_path)
    assert (trial.state, trial.attempt, trial.point["batch_size"]) == ("Failed", 3, 32)
    assert trial.message.startswith("batch_size=32 is the lowest: ran out of memory: exit code 1")


class Strict(Batches):
    """Refuses what is too small."""

    def model_post_init(self, context: object, /) -> None:
        """Checks two fields together."""
        if self.batch_size * self.lr < 50:
            raise ValueError("batch_size * lr must be 50 or more")


def test_values_that_the_class_refuses_are_not_tried(tmp_path):
    a_study = big(
        hparams=Strict, search=SPACE, points=[{"batch_size": 150, "lr": 0.5}], budget=retries(out_of_memory="smaller")
    )
    trial = one_trial(a_study, tmp_path)
    assert (trial.state, trial.attempt) == ("Failed", 1)
    first = trial.message.splitlines()[0]
    assert first.startswith("batch_size=75 is not tried, since Strict refuses it (")
    assert "batch_size * lr must be 50 or more" in first


def test_values_that_another_trial_has_are_passed_over(tmp_path):
    points = [{"batch_size": size, "lr": 0.5} for size in (16, 32)]
    search = {"batch_size": {"choice": [8, 16, 32]}}
    run(big(search=search, points=points, trials=2, budget=retries(out_of_memory="smaller")), tmp_path)
    trials = trials_in(tmp_path)
    assert [(trial.state, trial.attempt, trial.point["batch_size"]) for trial in trials] == [
        ("Succeeded", 1, 16),
        ("Succeeded", 2, 8),
    ]
    assert [trial.retried.proposed for trial in trials] == [{}, {"batch_size": 32}]


def test_without_smaller_values_that_are_new_the_trial_fails_and_says_so(tmp_path):
    points = [{"batch_size": size, "lr": 0.5} for size in (64, 128)]
    search = {"batch_size": {"choice": [64, 128]}}
    run(big(search=search, points=points, trials=2, budget=retries(out_of_memory="smaller")), tmp_path)
    first, second = trials_in(tmp_path)
    assert first.message.startswith("batch_size=64 is the lowest: ran out of memory")
    assert second.message.startswith("other trials have all smaller values of batch_size: ran out of memory")
    assert (second.state, second.attempt, second.point) == ("Failed", 1, points[1])


@pytest.mark.parametrize("algorithm", ["random", "tpe", "multivariate-tpe", "sobol", "cmaes"])
def test_algorithms_take_the_values_that_ran(tmp_path, algorithm):
    budget = {"parallel": 2, "max_failed": 9, **retries(out_of_memory={"retries": 9, "halve": "batch_size"})}
    a_study = big(search=SPACE, trials=8, algorithm={"name": algorithm}, budget=budget)
    outcome, _ = run(a_study, tmp_path)
    assert outcome.counts == {"Succeeded": 8}
    trials = trials_in(tmp_path)
    assert max(trial.point["batch_size"] for trial in trials) <= 20
    assert len({tuple(trial.assignment.items()) for trial in trials}) == 8
    assert all(trial.assignment["batch_size"] == str(trial.point["batch_size"]) for trial in trials)
    outcome, _ = run(big(search=SPACE, trials=10, algorithm={"name": algorithm}, budget=budget), tmp_path)
    assert outcome.counts == {"Succeeded": 10}


@pytest.mark.parametrize(
    ("domain", "value", "next_one"),
    [
        (IntUniform(4, 256), 150, 75),
        (IntUniform(4, 256), 7, 4),
        (IntUniform(4, 256), 4, None),
        (IntUniform(8, 512, step=8), 104, 48),
        (IntUniform(8, 512, log=True), 511, 255),
        (Choice(16, 32, 64), 64, 32),
        (Choice(64, 16, 48), 64, 16),
        (Choice(24, 32), 32, 24),
        (Choice(24, 32), 24, None),
        (QUniform(10, 100, 10), 90, 40),
        (Uniform(0.5, 8), 3.0, 1.5),
        (Uniform(2, 8), 3.0, 2.0),
        (LogUniform(1e-3, 1), 1e-3, None),
    ],
)
def test_half_is_rounded_down_to_a_value_of_the_domain_but_not_below_its_lowest(domain, value, next_one):
    assert halved(domain, value) == next_one
    assert next_one is None or domain.contains(next_one)


# -- kills of kftune -----------------------------------------------------------------------------------------------


def test_a_kill_of_kftune_between_tries_keeps_the_counts(tmp_path):
    folder, mark = tmp_path / "results", tmp_path / "mark"
    script = f"""echo loss=1; n=$(ls -d $KFTUNE_OUTPUT_DIR.attempt* 2>/dev/null | wc -l)
[ $n -ne 1 ] || {{ touch {mark}; sleep 60; }}; exit 3"""
    with Runs(folder, command=sh(script), trials=1, budget=retries(failed=2)) as runs:
        runner = runs.start()
        wait_until(mark.exists)
        wait_until(lambda: trials_in(folder)[0].attempt == 2)
        os.kill(runner, signal.SIGKILL)
        runs.wait()
        (cut,) = trials_in(folder)
        assert (cut.state, cut.attempt, cut.retried.counted()) == ("Running", 2, {"failed": 1})
        runs.start()
        runs.wait()
    (trial,) = trials_in(folder)
    # The try that the kill cut short does not count; the one after it was the second and last retry.
    assert (trial.state, trial.attempt, trial.retried.counted()) == ("Failed", 4, {"failed": 2})


@pytest.mark.nightly  # tests/crash aims kills at the same
def test_kills_of_kftune_at_any_time_neither_lose_nor_add_retries(tmp_path):
    folder, counts = tmp_path / "results", tmp_path / "tries"
    counts.mkdir()
    # Each trial fails in all tries that run to their end: one and two retries.
    script = f"sleep 0.01; echo loss=1; echo try >> {counts}/$KFTUNE_TRIAL_NAME; exit 3"
    budget = {"parallel": 3, "max_failed": 40, **retries(failed=2)}
    before: dict[int, tuple[object, ...]] = {}
    with Runs(folder, command=sh(script), trials=30, budget=budget) as runs:
        for moment in range(8):
            runner = runs.start()
            time.sleep(0.02 + 0.02 * moment)
            with suppress(ProcessLookupError):
                os.kill(runner, signal.SIGKILL)
            runs.wait()
            after = stored_rows(folder)
            assert {number: after.get(number) for number in before} == before
            before = after
        runs.start()
        runs.wait()
    trials = trials_in(folder)
    assert [(trial.number, trial.state) for trial in trials] == [(number, "Failed") for number in range(1, 31)]
    assert {trial.retried.failed for trial in trials} == {2}
    ended = [len((counts / trial.name).read_text().splitlines()) for trial in trials]
    assert min(ended) == 3


class StoppedError(Exception):
    """Ends a run as a kill does: nothing more is stored."""


def test_a_run_that_ends_before_the_smaller_values_run_does_not_forget_them(tmp_path, monkeypatch):
    a_study = big(search=SPACE, points=[{"batch_size": 150, "lr": 0.5}], budget=retries(out_of_memory="smaller"))

    def stop(*arguments: object) -> None:
        raise StoppedError

    monkeypatch.setattr(RunFolder, "move_aside", stop)
    with pytest.raises(StoppedError):
        run(a_study, tmp_path)
    monkeypatch.undo()
    (cut,) = trials_in(tmp_path)
    assert (cut.state, cut.attempt, cut.point["batch_size"]) == ("Killed", 1, 150)
    assert cut.retried == Retried(out_of_memory=1, proposed={"batch_size": 150}, smaller={"batch_size": 75})
    run(a_study, tmp_path)
    (trial,) = trials_in(tmp_path)
    assert (trial.state, trial.attempt, trial.point["batch_size"]) == ("Succeeded", 4, 18)
    assert trial.retried.counted() == {"out_of_memory": 3}
