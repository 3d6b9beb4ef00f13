"""A study for each of several entities: their order, what they share, and how a run ends."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import pytest
from entity_runs import counts, many, run
from local_study import log_of, trials_in
from places import SUPPORT

from kftune.errors import RunError, StoreError, StudyError, UnknownNameError
from kftune.local import Note, StudyStarted, TrialFinished, TrialStarted, run_study
from kftune.local.entities import scheduler
from kftune.local.entities.events import EntitiesFinished, EntitiesStarted
from kftune.local.entities.run import run_entities
from kftune.results import open_results
from kftune.results.entities import EntitiesFolder, folder_name

NAMES = ["PLANT001/CIRCUIT01", "PLANT001/CIRCUIT02", "PLANT002/CIRCUIT01"]


def test_each_entity_has_results_of_its_own_that_are_those_of_any_study(tmp_path):
    outcome, events = run(many(NAMES, script='echo "for $0"; echo loss=0.5'), tmp_path / "runs")
    assert (outcome.state, outcome.reason, outcome.exit_code) == ("Succeeded", "Completed", 0)
    assert outcome.message == "9 of 9 trials of 3 entities have finished"
    assert outcome.counts == {"Succeeded": 9}
    for name in NAMES:
        folder = tmp_path / "runs" / name.replace("/", "+")
        with open_results(folder) as results:
            assert results.meta.name == f"Small study {name}"
            assert results.reason() == "MaxTrialsReached"
        assert [log_of(folder, trial).splitlines()[0] for trial in trials_in(folder)] == [f"for {name}"] * 3
    ended = [event.entity for event in events if isinstance(event, TrialFinished)]
    assert sorted(ended) == sorted(NAMES * 3)


def test_each_entity_has_its_next_trial_when_all_have_had_theirs(tmp_path):
    _, events = run(many("abcde", trials=3, budget={"parallel": 2}), tmp_path / "runs")
    started = [(event.number, event.entity) for event in events if isinstance(event, TrialStarted)]
    assert started == [(number, name) for number in (1, 2, 3) for name in "abcde"]


def test_slots_are_shared_and_an_entity_has_no_more_than_its_own(tmp_path):
    script = 'touch "$TOP/$0.$$"; ls "$TOP" | wc -l; sleep 0.2; rm "$TOP/$0.$$"; echo loss=1'
    (tmp_path / "top").mkdir()
    a_study = many(
        {"items": ["a", "b", "c"], "budget": {"parallel": 3}},
        trials=2,
        script=script,
        step={"env": {"TOP": str(tmp_path / "top")}},
    )
    _, events = run(a_study, tmp_path / "runs")
    running: set[tuple[str, int]] = set()
    most = 0
    for event in (each for each in events if isinstance(each, TrialStarted | TrialFinished)):
        running ^= {(event.entity, event.number)}
        assert len({entity for entity, _ in running}) == len(running)
        most = max(most, len(running))
    assert most == 3


def test_the_shared_number_of_trials_is_exact_and_given_out_in_turn(tmp_path):
    a_study = many({"items": list("abcd"), "budget": {"max_trials": 6, "parallel": 2}}, trials=3)
    outcome, _ = run(a_study, tmp_path / "runs")
    assert (outcome.state, outcome.reason) == ("Succeeded", "SharedBudget")
    assert {name: sum(found.values()) for name, found in counts(tmp_path / "runs").items()} == {
        "a": 2,
        "b": 2,
        "c": 1,
        "d": 1,
    }
    again, events = run(a_study, tmp_path / "runs")
    assert [event for event in events if isinstance(event, TrialStarted)] == []
    assert again.counts == {"Succeeded": 6}
    more = many({"items": list("abcd"), "budget": {"max_trials": 9, "parallel": 2}}, trials=3)
    run(more, tmp_path / "runs")
    assert sorted(sum(found.values()) for found in counts(tmp_path / "runs").values()) == [2, 2, 2, 3]


def test_what_is_not_reached_is_named_and_is_no_failure(tmp_path):
    outcome, _ = run(many({"items": list("abc"), "budget": {"max_trials": 2}}), tmp_path / "runs")
    assert outcome.message == (
        "2 of 2 trials of 3 entities have finished; the budget of all entities is used up; 1 entity has no trial yet: c"
    )
    assert outcome.exit_code == 0


def test_trials_of_entities_that_do_not_run_count_too(tmp_path):
    first = many({"items": list("ab"), "budget": {"max_trials": 4}}, trials=3)
    run(first, tmp_path / "runs", entities=["a"])
    assert counts(tmp_path / "runs") == {"a": {"Succeeded": 3}}
    without_a = many({"items": list("bc"), "budget": {"max_trials": 4}}, trials=3)
    run(without_a, tmp_path / "runs")
    assert counts(tmp_path / "runs") == {"b": {"Succeeded": 1}, "a": {"Succeeded": 3}}
    assert [each.listed for each in EntitiesFolder(tmp_path / "runs").entities()] == [True, True, False]


def test_a_limit_of_failures_ends_one_entity_and_not_the_others(tmp_path):
    script = '[ "$0" = b ] && [ ! -e "$REPAIRED" ] && exit 3; echo loss=0.5'
    env = {"REPAIRED": str(tmp_path / "repaired")}
    a_study = many("abc", trials=4, script=script, budget={"max_failed": 2}, step={"env": env})
    outcome, _ = run(a_study, tmp_path / "runs")
    assert (outcome.state, outcome.reason, outcome.exit_code) == ("Failed", "Completed", 1)
    assert outcome.failed == ["b"]
    assert "1 entity has failed: b" in outcome.message
    assert counts(tmp_path / "runs") == {"a": {"Succeeded": 4}, "b": {"Failed": 2}, "c": {"Succeeded": 4}}
    (tmp_path / "repaired").touch()
    again, events = run(a_study, tmp_path / "runs", retry_failed=True)
    assert again.state == "Succeeded"
    assert [event.entity for event in events if isinstance(event, TrialFinished)] == ["b"] * 4


def test_too_many_failures_of_all_end_the_run(tmp_path):
    each = {"items": list("abcdef"), "budget": {"max_failed": 3}}
    outcome, _ = run(many(each, script="exit 1"), tmp_path / "runs")
    assert (outcome.state, outcome.reason) == ("Failed", "MaxFailedReached")
    assert outcome.counts == {"Failed": 3}


def test_the_wall_clock_of_all_is_over_all_runs(tmp_path):
    each = {"items": list("abcd"), "budget": {"wall_clock": 1.0}}
    began = time.monotonic()
    a_study = many(each, trials=2, script="sleep 30", step={"grace_period": 1})
    outcome, _ = run(a_study, tmp_path / "runs")
    assert (outcome.state, outcome.reason) == ("Failed", "WallClock")
    assert time.monotonic() - began < 15
    _, events = run(a_study, tmp_path / "runs")
    assert [event for event in events if isinstance(event, TrialStarted)] == []


def test_the_time_of_an_entity_is_that_in_which_its_trials_run(tmp_path):
    run(many(list("abc"), trials=2, script="sleep 0.3; echo loss=1"), tmp_path / "runs")
    for name in "abc":
        with open_results(tmp_path / "runs" / name) as results:
            assert 0.6 <= results.active_seconds() < 1.5


def test_a_goal_ends_an_entity_and_its_places_go_to_others(tmp_path):
    script = '[ "$0" = a ] && echo loss=0.1 || echo loss=0.9'
    a_study = many({"items": list("ab"), "budget": {"max_trials": 5}}, 5, objective={"goal": 0.5}, script=script)
    run(a_study, tmp_path / "runs")
    assert counts(tmp_path / "runs") == {"a": {"Succeeded": 1}, "b": {"Succeeded": 4}}


def test_what_a_goal_stops_leaves_its_place_to_others(tmp_path):
    script = (
        'case "$0" in a) [ -e "$FLAG" ] && sleep 20; touch "$FLAG"; sleep 0.3; echo loss=0.1;; *) echo loss=0.9;; esac'
    )
    each = {"items": ["a", "b"], "budget": {"max_trials": 4, "parallel": 3}}
    a_study = many(
        each,
        trials=3,
        script=script,
        objective={"goal": 0.5},
        budget={"parallel": 2},
        step={"env": {"FLAG": str(tmp_path / "flag")}},
    )
    for _ in range(2):
        outcome, _ = run(a_study, tmp_path / "runs")
        assert counts(tmp_path / "runs") == {"a": {"Killed": 1, "Succeeded": 1}, "b": {"Succeeded": 3}}
        assert outcome.reason == "Completed"


def test_few_files_are_open_however_many_entities_there_are(tmp_path, monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(scheduler, "_MOST_OPEN", 3)
    most = 0

    def look(event: object) -> None:
        nonlocal most
        most = max(most, len(list(Path("/proc/self/fd").iterdir())))

    before = len(list(Path("/proc/self/fd").iterdir()))
    a_study = many([f"e{index}" for index in range(40)], trials=2, budget={"parallel": 2})
    outcome = run_entities(a_study, tmp_path / "runs", on_event=look)
    assert outcome.counts == {"Succeeded": 80}
    assert most - before < 60  # 40 studies have 200
    assert (soft, hard) == resource.getrlimit(resource.RLIMIT_NOFILE)


def test_the_files_of_the_studies_count_where_few_may_be_open(tmp_path):
    code = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))
sys.path.insert(0, {str(SUPPORT)!r})
from entity_runs import many, run
names = [f"e{{index}}" for index in range(24)]
outcome, events = run(many(names, trials=1, budget={{"parallel": 20}}), {str(tmp_path)!r})
print(outcome.counts, [event.message for event in events if "wait for their start" in getattr(event, "message", "")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{'Succeeded': 24} []\n"


@pytest.mark.parametrize(
    "name",
    ["..", "a/../../b", "/etc/passwd", ".hidden", "lock", "entities.json", "ü", "a b", "x" * 200, "*", "a\\b", "-rf"],
)
def test_a_folder_is_safe_whatever_an_entity_is_called(tmp_path, name):
    outcome, _ = run(
        many([name, "plain"], trials=1, script='printf "%s\\n" "$0"; echo loss=1'), tmp_path / "all" / "runs"
    )
    assert outcome.counts == {"Succeeded": 2}
    assert [path.name for path in (tmp_path / "all").iterdir()] == ["runs"]
    (trial,) = trials_in(tmp_path / "all" / "runs" / folder_name(name))
    assert log_of(tmp_path / "all" / "runs" / folder_name(name), trial).splitlines()[0] == name


def test_no_two_names_have_the_same_folder():
    names = ["a/b", "a+b", "a-b", "a b", "a//b", "A/b", "a/b/", "a.b", "a\\/b", "\u00e4", "a\u0308", "lock", "Lock"]
    assert len({folder_name(name) for name in names}) == len(names)
    assert all(Path(folder_name(name)).name == folder_name(name) not in ("", ".", "..") for name in names)


def test_notes_that_are_the_same_for_all_are_said_once(tmp_path):
    _, events = run(many("abc", trials=2, budget={"parallel": 4}), tmp_path / "runs")
    notes = [event.message for event in events if isinstance(event, Note)]
    assert len([note for note in notes if "budget.parallel=4" in note]) == 1
    assert len(notes) == len(set(notes))


def test_gpus_are_shared_by_all_and_no_two_trials_have_the_same(tmp_path):
    each = {"items": list("abcd"), "budget": {"parallel": 4}}
    a_study = many(
        each, trials=2, script="echo gpu=$CUDA_VISIBLE_DEVICES; sleep 0.2; echo loss=1", step={"resources": {"gpu": 1}}
    )
    _, events = run(a_study, tmp_path / "runs", gpus=("0", "1"))
    held = {event.trial: event.gpus for event in events if isinstance(event, TrialStarted)}
    running: list[str] = []
    for event in (each for each in events if isinstance(each, TrialStarted | TrialFinished)):
        running = [trial for trial in (*running, event.trial) if trial != event.trial or trial not in running]
        assert len({held[trial] for trial in running}) == len(running) <= 2
    assert {*held.values()} == {("0",), ("1",)}
    assert "2 of 4 trials at once: each has 1 of the 2 GPUs here" in [e.message for e in events if isinstance(e, Note)]


def test_strict_refuses_what_a_note_would_be_said_about_before_anything_runs(tmp_path):
    with pytest.raises(RunError, match=r"budget\.parallel=4"):
        run(many("ab", trials=2, budget={"parallel": 4}), tmp_path / "runs", strict=True)
    assert counts(tmp_path / "runs") == {}


def test_events_say_which_entity_they_are_about(tmp_path):
    _, events = run(many("ab", trials=1), tmp_path / "runs")
    assert isinstance(events[0], EntitiesStarted)
    assert isinstance(events[-1], EntitiesFinished)
    assert "entity" not in events[0].to_dict()
    assert [event.to_dict()["entity"] for event in events if isinstance(event, StudyStarted)] == ["a", "b"]


def test_only_the_entities_that_are_asked_for_run(tmp_path):
    run(many("abc", trials=1), tmp_path / "runs", entities=["b"])
    assert counts(tmp_path / "runs") == {"b": {"Succeeded": 1}}
    with pytest.raises(UnknownNameError, match="unknown entity 'x'"):
        run(many("abc", trials=1), tmp_path / "runs", entities=["x"])


def test_a_study_that_has_changed_is_refused_before_anything_runs(tmp_path):
    run(many("abc", trials=1), tmp_path / "runs", entities=["c"])
    with pytest.raises(StoreError, match=r"runs/c: all results of a study must come from the same space"):
        run(many("abc", trials=1, script="echo loss=1"), tmp_path / "runs")
    assert counts(tmp_path / "runs") == {"c": {"Succeeded": 1}}


def test_fresh_moves_all_results_aside_or_those_of_one_entity(tmp_path):
    run(many("ab", trials=1), tmp_path / "runs")
    run(many("ab", trials=1, script="echo loss=1"), tmp_path / "runs", fresh=True)
    assert len([path for path in tmp_path.iterdir() if path.name.startswith("runs.old-")]) == 1
    run(many("ab", trials=1, script="echo loss=1"), tmp_path / "runs", fresh=True, entities=["a"])
    assert len([path for path in (tmp_path / "runs").iterdir() if path.name.startswith("a.old-")]) == 1
    (tmp_path / "runs" / "mine.txt").write_text("x")
    with pytest.raises(StoreError, match=r"it has mine\.txt"):
        run(many("ab", trials=1), tmp_path / "runs", fresh=True)


def test_missing_data_of_one_entity_is_found_before_anything_runs(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    a_study = many("ab", step={"data": {"path": "${entity}.csv"}})
    with pytest.raises(RunError, match=r"^b: the step's data must be there"):
        run(a_study, tmp_path / "runs", study_path=tmp_path / "study.yaml")
    assert not (tmp_path / "runs" / "entities.json").exists()


def test_a_run_alone_refuses_entities_and_one_of_entities_needs_them(tmp_path):
    with pytest.raises(StudyError, match="one for each of 2 entities"):
        run_study(many("ab"), tmp_path / "runs")
    with pytest.raises(StudyError, match="has none"):
        run(many("ab").for_entity("a"), tmp_path / "runs")


def test_one_run_at_a_time_writes(tmp_path):
    code = (
        "import fcntl, os, sys, time; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); "
        "print(os.getpid(), file=file, flush=True); print(1, flush=True); time.sleep(60)"
    )
    (tmp_path / "runs").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "runs" / "lock")], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StoreError, match="only one run at a time"):
            run(many("ab", trials=1), tmp_path / "runs")
        holder.kill()


def test_waiting_trials_go_on_when_the_shared_budget_is_used_up(tmp_path):
    script = (
        'i=$(cat "$KFTUNE_OUTPUT_DIR/i" 2>/dev/null || echo 0); trap "exit 0" TERM; while [ $i -lt 9 ]; do i=$((i+1)); '
        'echo $i > "$KFTUNE_OUTPUT_DIR/i"; echo "step=$i loss=0.$i"; sleep 0.05; done'
    )
    rules = {"asha": {"type": "promotion", "min_resource": 1, "reduction_factor": 3}}
    each = {"items": list("ab"), "budget": {"max_trials": 6}}
    outcome, _ = run(many(each, 9, script, stopping=rules), tmp_path / "runs")
    assert sum(outcome.counts.values()) == 6
    assert set(outcome.counts) <= {"Succeeded", "EarlyStopped"}


def test_studies_with_algorithms_that_learn_run_side_by_side(tmp_path):
    _, events = run(many("ab", trials=4, algorithm={"name": "tpe", "seed": 3}), tmp_path / "runs")
    points = {
        name: [event.values for event in group]
        for name, group in groupby(
            sorted((event for event in events if isinstance(event, TrialStarted)), key=lambda each: each.entity),
            key=lambda each: each.entity,
        )
    }
    alone = tmp_path / "alone"
    run_study(many("ab", trials=4, algorithm={"name": "tpe", "seed": 3}).for_entity("b"), alone)
    assert [trial.point for trial in trials_in(alone)] == points["b"]
    assert points["a"] != points["b"]
