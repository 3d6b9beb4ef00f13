"""Kills and interrupts of a run for several entities: nothing is lost or repeated, and the shared budget is exact."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress

import entity_runs
import pytest
from entity_runs import NOTING, counts, finished, many, noted, run
from local_study import Runs, is_alive, trials_in, wait_until

from kftune.errors import StoreError
from kftune.results.entities import EntitiesFolder


def killed_and_resumed(tmp_path, *, entities, trials, budget, script, kills, pause, seed):
    """Kills runs, and checks after each that what had ended stays and does not run again; then runs to the end."""
    folder, draw = tmp_path / "runs", random.Random(seed)
    known: dict[tuple[str, str], str] = {}
    ran: Counter[str] = Counter()
    arguments = {"entities": {"items": entities, "budget": budget}, "trials": trials, "script": script}
    with Runs(folder, entity_runs.__file__, **arguments) as runs:
        for _ in range(kills):
            pid = runs.start()
            time.sleep(draw.uniform(*pause))
            with suppress(ProcessLookupError):  # on a quick machine the last runs have ended by then
                os.kill(pid, signal.SIGKILL)
            runs.wait()
            now, so_far = finished(folder), noted(tmp_path / "notes")
            assert known.items() <= now.items()
            assert {key: so_far[" ".join(key)] for key in known} == {key: ran[" ".join(key)] for key in known}
            known, ran = now, so_far
        runs.start()
        runs.wait()
    last = finished(folder)
    assert known.items() <= last.items()
    assert {key: noted(tmp_path / "notes")[" ".join(key)] for key in known} == {
        key: ran[" ".join(key)] for key in known
    }
    return last


def test_kills_at_any_moment_lose_and_repeat_no_trial_of_any_entity_and_keep_the_shared_budget(tmp_path):
    names = ["P/a", "P/b", "c", "d", "e"]
    last = killed_and_resumed(
        tmp_path,
        entities=names,
        trials=3,
        budget={"max_trials": 13, "parallel": 3},
        script=f"sleep 0.05; {NOTING}",
        kills=5,
        pause=(0.05, 0.35),
        seed=7,
    )
    assert len(last) == 13
    assert sorted(Counter(entity for entity, _ in last).values()) == [2, 2, 3, 3, 3]
    assert sum(sum(found.values()) for found in counts(tmp_path / "runs").values()) == 13


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_two_hundred_entities_are_killed_and_resumed(tmp_path):
    names = [f"PLANT{index // 10:03}/CIRCUIT{index % 10:02}" for index in range(200)]
    last = killed_and_resumed(
        tmp_path,
        entities=names,
        trials=3,
        budget={"max_trials": 590, "parallel": 4},
        script=NOTING,
        kills=6,
        pause=(0.5, 4),
        seed=3,
    )
    assert len(last) == 590
    assert sorted(Counter(Counter(entity for entity, _ in last).values()).items()) == [(2, 10), (3, 190)]


def test_a_kill_leaves_no_process_behind_when_the_run_is_resumed(tmp_path):
    script = 'echo $$ >> "$NOTES"; sleep 60; echo loss=1'
    arguments = {"entities": ["a", "b"], "trials": 1, "script": script, "budget": {"parallel": 2, "trial_timeout": 1}}
    with Runs(tmp_path / "runs", entity_runs.__file__, **arguments) as runs:
        pid = runs.start()
        wait_until(lambda: noted(tmp_path / "notes").total() == 2)
        os.kill(pid, signal.SIGKILL)
        runs.wait()
        left = [int(line) for line in noted(tmp_path / "notes")]
        assert any(map(is_alive, left))
        runs.start()
        wait_until(lambda: noted(tmp_path / "notes").total() == 4)
        assert not any(map(is_alive, left))
        runs.wait()


def test_an_interrupt_stops_all_and_the_next_run_goes_on_with_the_same_values(tmp_path):
    script = (
        '[ -e "$NOTES" ] && [ $(wc -l < "$NOTES") -ge 4 ] && { echo loss=1; exit; }; echo "$0" >> "$NOTES"; sleep 60'
    )
    arguments = {"entities": ["a", "b", "c", "d"], "trials": 1, "script": script, "budget": {"parallel": 4}}
    with Runs(tmp_path / "runs", entity_runs.__file__, **arguments) as runs:
        pid = runs.start()
        wait_until(lambda: noted(tmp_path / "notes").total() == 4)
        os.kill(pid, signal.SIGINT)
        runs.wait()
        assert {name: dict(found) for name, found in counts(tmp_path / "runs").items()} == {
            name: {"Killed": 1} for name in "abcd"
        }
        assert EntitiesFolder(tmp_path / "runs").state()[1] == "Interrupted"
        before = [trials_in(tmp_path / "runs" / name)[0].point for name in "abcd"]
        runs.start()
        runs.wait()
    found = [trials_in(tmp_path / "runs" / name) for name in "abcd"]
    assert [[trial.state for trial in trials] for trials in found] == [["Succeeded"]] * 4
    assert [trials[0].point for trials in found] == before


def test_an_empty_store_of_an_entity_is_damage_and_no_beginning(tmp_path):
    # A kill leaves none: the file appears with its study, or not at all.
    run(many("ab", trials=1), tmp_path / "runs", entities=["a"])
    (tmp_path / "runs" / "b").mkdir()
    (tmp_path / "runs" / "b" / "trials.db").touch()
    with pytest.raises(StoreError, match=r"trials\.db is damaged: it is empty; save what can be read"):
        run(many("ab", trials=1), tmp_path / "runs")
