"""A damaged file of results gives what was stored, or an error that says what to do; what can be saved is right."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from local_study import run, sh, study, trials_in

from kftune.cli import main
from kftune.errors import KftuneError, StoreError
from kftune.local import Event, Note, TrialFinished, run_study
from kftune.results import FINISHED, Meta, Trial, TrialStart, open_results, store
from kftune.results.export import to_json
from kftune.results.salvage import Salvaged, salvage
from kftune.results.sources.find import open_trials
from kftune.results.store import Store

TRIALS = 30
SCRIPT = sh("for i in 1 2 3; do echo step=$i loss=0.$$; done")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results as a kill leaves them: half of the trials are in the database, the others in its write-ahead log."""
    folder = tmp_path_factory.mktemp("whole") / "runs"
    killed = folder.with_name("killed")
    run(study(SCRIPT, trials=TRIALS // 2), folder)

    def copy_at_the_end(event: Event) -> None:
        is_last = isinstance(event, TrialFinished) and event.finished == TRIALS
        [shutil.copytree(folder, killed) for _ in range(is_last)]

    run_study(study(SCRIPT, trials=TRIALS), folder, on_event=copy_at_the_end)
    return killed


def all_of(folder: Path) -> dict[str, Any]:
    """What can be read of results that a loss of the last change may not change."""
    with open_results(folder) as results:
        best = results.best()
        data = to_json(results, curves=True)
    for trial in (data["best"], *data["trials"]):
        del trial["log"], trial["output"]
    return {**{name: data[name] for name in ("best", "trials", "counts")}, "the best": best}


def damages(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """Yields a file as a bad disk leaves it."""
    page = chance.randrange(0, len(data), 4096)
    place = chance.randrange(len(data))
    bit = 1 << chance.randrange(8)
    yield data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
    some = bytearray(data)
    for _ in range(chance.randrange(2, 200)):
        some[chance.randrange(len(data))] = chance.randrange(256)
    yield bytes(some)
    yield data[:page] + bytes(len(data[page : page + 4096])) + data[page + 4096 :]
    yield data[:place]
    yield data[:page] + data[page + 4096 :]
    other = chance.randrange(0, len(data), 4096)
    yield data[:page] + data[other : other + 4096] + data[page + 4096 :]


def copied(whole: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for path in whole.glob("trials*"):
        shutil.copy(path, target) if path.is_file() else (target / path.name).mkdir()
    (target / "logs").mkdir()
    return target


def read_or_refused(folder: Path) -> dict[str, Any] | None:
    """What can be read; None if that is refused with what to do."""
    with suppress(StoreError):
        return all_of(folder)
    with pytest.raises(StoreError, match=r"--salvage|its log has what was reported"):
        all_of(folder)
    return None


def finished_of(trials: list[Trial]) -> dict[int, Trial]:
    return {trial.number: trial for trial in trials if trial.state in FINISHED}


def saved_of(folder: Path) -> dict[int, Trial]:
    """What is saved; nothing if the study cannot be."""
    with suppress(StoreError):
        salvage(folder)
        return finished_of(trials_in(folder))
    with pytest.raises(StoreError, match="still has the study"):
        salvage(folder)
    return {}


def check(whole: Path, folder: Path, name: str, content: bytes) -> bool:
    """Checks what is read of a damaged file, and what is saved of it; returns whether it was refused."""
    (folder / name).write_bytes(content)
    found = read_or_refused(folder)
    assert found in (None, all_of(whole))
    (folder / "trials.jsonl").unlink()
    before = finished_of(trials_in(whole))
    saved = saved_of(folder)
    assert saved.items() <= before.items(), "a value that was not stored"
    return found is None


@pytest.mark.parametrize("rounds", [4, pytest.param(150, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("name", ["trials.db", "trials.db-wal"])
def test_physical_damage_is_refused_or_changes_nothing(whole, tmp_path, name, rounds):
    chance, data = random.Random(rounds), (whole / name).read_bytes()
    contents = [content for _ in range(rounds) for content in damages(data, chance)]
    refused = [check(whole, copied(whole, tmp_path / "runs"), name, content) for content in contents]
    assert any(refused)


@pytest.mark.parametrize("content", [b"", b"S", b"SQLite format 3\0", b"no database" * 1000])
def test_what_is_no_database_is_refused_by_every_command_and_saved_from_the_second_copy(whole, tmp_path, content):
    folder = copied(whole, tmp_path / "runs")
    (folder / "trials.db").write_bytes(content)
    for use in (all_of, lambda folder: run(study(SCRIPT, trials=TRIALS), folder)):
        with pytest.raises(StoreError, match=r"trials.db is damaged: it is .*; save .* --salvage\)"):
            use(folder)
    (folder / "trials.db-wal").unlink()
    assert found(folder).finished == TRIALS
    assert trials_in(folder) == trials_in(whole)
    assert next(folder.glob("trials.db.damaged-*")).read_bytes() == content


def test_a_damaged_second_copy_changes_nothing_and_is_completed(whole, tmp_path):
    folder = copied(whole, tmp_path / "runs")
    lines = (folder / "trials.jsonl").read_bytes()
    (folder / "trials.jsonl").write_bytes(lines[:1000] + b"x" + lines[1001:-30])
    assert all_of(folder) == all_of(whole)
    run(study(SCRIPT, trials=TRIALS), folder)
    (folder / "trials.db").write_bytes(b"")
    salvage(folder)
    assert trials_in(folder) == trials_in(whole)


def test_a_file_that_lost_its_last_changes_is_noticed_and_the_next_run_completes_it(whole, tmp_path):
    folder = copied(whole, tmp_path / "runs")
    (folder / "trials.db-wal").unlink()
    names = [trial.name for trial in trials_in(whole)][TRIALS // 2 :]
    with pytest.raises(
        StoreError, match=rf"it has lost the end of {names[-1]}, which trials.jsonl has and the next run"
    ):
        trials_in(folder)
    _, events = run(study(SCRIPT, trials=TRIALS), folder)
    assert [event.message for event in events if isinstance(event, Note)] == [
        f"trials.jsonl has the end of {', '.join(names[:3])} and 12 more, which trials.db lost"
    ]
    assert trials_in(folder) == trials_in(whole)


def open_meta(folder: Path) -> Meta:
    with open_results(folder) as results:
        return results.meta


def test_the_next_run_goes_on_after_a_salvage(whole, tmp_path, capsys):
    folder = copied(whole, tmp_path / "runs")
    (folder / "trials.db").write_bytes(b"")
    assert main(["results", str(folder), "--salvage"]) == 0
    assert f"{TRIALS} finished trials are saved" in capsys.readouterr().out
    outcome, _ = run(study(SCRIPT, trials=TRIALS + 2), folder)
    assert outcome.counts == {"Succeeded": TRIALS + 2}
    assert trials_in(folder)[:TRIALS] == trials_in(whole)


def test_an_unfinished_trial_runs_again_after_a_salvage(tmp_path):
    run(study(trials=2), tmp_path)
    with Store(tmp_path, open_meta(tmp_path)) as store:
        store._connection.execute("DELETE FROM trials WHERE number = 2")
        store.start(start_of(store.trial(1)))
    (tmp_path / "trials.jsonl").unlink()
    (tmp_path / "trials.db").write_bytes(b"damaged" + (tmp_path / "trials.db").read_bytes()[7:])
    saved = found(tmp_path)
    assert (saved.finished, saved.again) == (1, ["small-study-0002"])
    run(study(trials=2), tmp_path)
    assert [(trial.state, trial.attempt) for trial in trials_in(tmp_path)] == [("Succeeded", 1), ("Succeeded", 2)]


def start_of(trial: Trial) -> TrialStart:
    return TrialStart(2, 1, trial.assignment, trial.point, trial.started or "", trial.origin)


def found(folder: Path) -> Salvaged:
    """What is saved of a damaged file."""
    saved = salvage(folder)
    assert saved is not None
    return saved


def test_what_is_not_damaged_stays_as_it_is(whole, tmp_path, capsys):
    folder = copied(whole, tmp_path / "runs")
    before = (folder / "trials.db").read_bytes()
    assert main(["results", str(folder), "--salvage"]) == 0
    assert "everything can be read, so nothing is written" in capsys.readouterr().out
    assert (folder / "trials.db").read_bytes() == before


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.nightly)])
def test_a_run_on_a_damaged_file_is_refused_or_changes_nothing(whole, tmp_path, rounds):
    chance, data = random.Random(rounds), (whole / "trials.db").read_bytes()
    contents = [content for _ in range(rounds) for content in damages(data, chance)]
    for content in contents:
        folder = copied(whole, tmp_path / "runs")
        (folder / "trials.db").write_bytes(content)
        with suppress(StoreError):
            run(study(SCRIPT, trials=TRIALS + 1), folder)
            assert trials_in(folder)[:TRIALS] == trials_in(whole)


def test_a_damaged_file_can_be_moved_aside(whole, tmp_path):
    folder = copied(whole, tmp_path / "runs")
    (folder / "trials.db").write_bytes(b"")
    outcome, _ = run(study(trials=2), folder, fresh=True)
    assert outcome.counts == {"Succeeded": 2}
    (aside,) = tmp_path.glob("runs.old-*")
    assert found(aside).finished == TRIALS


def test_without_anything_to_save_nothing_is_written(tmp_path):
    with pytest.raises(StoreError, match="nothing to save"):
        salvage(tmp_path)
    (tmp_path / "trials.db").write_bytes(b"")
    with pytest.raises(StoreError, match=r"neither trials.db nor trials.jsonl still has the study"):
        salvage(tmp_path)
    assert (tmp_path / "trials.db").read_bytes() == b""


# -- a file that is gone while a run writes to it ----------------------------------------------------------------------


def delete(folder: Path) -> None:
    for path in folder.glob("trials.db*"):
        path.unlink()


def replace(folder: Path) -> None:
    (folder / "other").write_bytes((folder / "trials.db").read_bytes())
    (folder / "other").replace(folder / "trials.db")


def rename(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


@pytest.mark.parametrize("after", [3, 6])
@pytest.mark.parametrize("lose", [delete, shutil.rmtree, rename, replace])
def test_a_run_whose_file_is_gone_ends_with_an_error_and_leaves_what_it_knows(tmp_path, lose, after):
    folder, seen = tmp_path / "runs", list[str]()

    def on_event(event: Event) -> None:
        is_end = isinstance(event, TrialFinished)
        seen.extend(event.trial for _ in range(is_end))  # type: ignore[attr-defined]
        [lose(folder) for _ in range(is_end and len(seen) == after)]

    with pytest.raises(KftuneError, match=r"was deleted, moved or replaced .*\.jsonl\); put the") as caught:
        run_study(study(trials=6), folder, on_event=on_event)
    (left,) = tmp_path.glob("runs.saved-*.jsonl")
    assert str(left) in str(caught.value)
    with open_trials(left) as results:
        assert {trial.name for trial in results.trials()} >= set(seen)
        assert main(["best", str(left)]) == 0


def test_the_second_copy_gets_the_last_try_that_a_kill_kept_from_it(tmp_path):
    folder, fails = tmp_path / "runs", tmp_path / "fails"
    fails.touch()
    a_study = study(sh(f"[ ! -e {fails} ] || exit 3; echo loss=0.5"), trials=1)
    run(a_study, folder)
    lines = (folder / "trials.jsonl").read_bytes()
    fails.unlink()
    run(a_study, folder, retry_failed=True)
    (folder / "trials.jsonl").write_bytes(lines)
    run(a_study, folder)
    with open_trials(folder / "trials.jsonl") as results:
        assert [(trial.state, trial.attempt) for trial in results.trials()] == [("Succeeded", 2)]


def test_a_file_that_goes_while_it_is_opened_is_missed(tmp_path, monkeypatch):
    def remove() -> str:
        (tmp_path / "runs" / "trials.db").unlink()
        return ""

    monkeypatch.setattr(store, "boot_id", remove)
    with pytest.raises(StoreError, match="was deleted, moved or replaced while this run wrote to it"):
        run(study(trials=2), tmp_path / "runs")
