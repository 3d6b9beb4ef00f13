"""Real runs of studies with several objectives: what ends them, what is the best, and what is resumed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from local_study import Tiny, finished, run, trials_in
from mistake_texts import printed

from kftune.errors import RunError, StoreError, StudyError
from kftune.local import Note, StudyFinished, StudyStarted
from kftune.results import open_results
from kftune.results.export import to_json, to_rows, to_seed_json
from kftune.results.page import results_page
from kftune.study import Study

# Of a in 1, 2, 3 and b: a small loss is large in size, and b makes both worse.
TRADE_OFF = """
for argument; do case $argument in --a=*) a=${argument#--a=};; --b=true|--b=True) b=1;; --b=*) b=0;; esac; done
echo "loss=0.$((5 - a + b)) size=$((10 * a + b))"
"""
LOSS = {"metric": "loss", "direction": "minimize"}
SIZE = {"metric": "size", "direction": "minimize"}


def study(script: str = TRADE_OFF, trials: int = 6, **parts: Any) -> Study:
    data: dict[str, Any] = {"name": "trade off", "hparams": Tiny, "objectives": [LOSS, SIZE], **parts}
    data["algorithm"] = {"name": "random", "seed": 7, **parts.get("algorithm", {})}
    data["budget"] = {"max_trials": trials, **parts.get("budget", {})}
    return Study(**{**data, "step": {"command": ("sh", "-c", script, "sh")}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("objectives") / "runs"
    run(study(), folder)
    return folder


def points(trials: Any) -> list[dict[str, Any]]:
    return [trial.point for trial in trials]


PARETO = [{"a": 3, "b": False}, {"a": 2, "b": False}, {"a": 1, "b": False}]


def test_the_outcome_has_the_pareto_set_and_the_best_in_the_first_objective(tmp_path):
    outcome, events = run(study(), tmp_path)
    assert points(outcome.pareto) == PARETO
    assert outcome.best == outcome.pareto[0]
    started, ended = events[0], events[-1]
    assert isinstance(started, StudyStarted)
    assert [objective["name"] for objective in started.objectives] == ["loss", "size"]
    assert isinstance(ended, StudyFinished)
    assert [trial["values"] for trial in ended.pareto or ()] == PARETO
    assert ended.best is not None
    assert ended.best["values"] == PARETO[0]


def test_a_trial_is_one_of_the_best_when_it_enters_the_set(tmp_path):
    _, events = run(study(), tmp_path)
    seen: list[tuple[float, float]] = []
    for event in finished(events):
        score = (event.metrics["loss"], event.metrics["size"])
        beaten = any(other != score and other[0] <= score[0] and other[1] <= score[1] for other in seen)
        seen.append(score)
        assert event.is_best == (not beaten)


def test_results_have_all_objectives(folder):
    with open_results(folder) as results:
        data, rows, page = to_json(results), to_rows(results), results_page(results)
        assert points(results.pareto()) == PARETO
        assert results.best() == results.pareto()[0]
        assert results.best(1) == results.pareto()[-1]
    assert data["study"]["objectives"] == [
        {"name": "loss", "reduce": "min", "direction": "minimize", "goal": None},
        {"name": "size", "reduce": "min", "direction": "minimize", "goal": None},
    ]
    values = {trial["name"]: trial["values"] for trial in data["trials"]}
    assert [values[name] for name in data["pareto"]] == PARETO
    column = rows[0].index("pareto")
    marked = {row[0] for row in rows[1] if row[column] == "yes"}
    assert marked == {*data["pareto"]}
    assert page.count('<tr class="best">') == page.count('<circle class="best"') == 3
    assert "minimize loss and minimize size" in page


def test_the_form_of_other_tuners_has_the_best_value_of_each_objective(tmp_path):
    objectives = [{**LOSS, "reduce": "latest"}, {**SIZE, "direction": "maximize", "reduce": "latest"}]
    run(study("echo loss=1 size=9; echo loss=2 size=8", 1, objectives=objectives), tmp_path, strict=False)
    with open_results(tmp_path) as results:
        (result,) = to_seed_json(results)["all_results"]
    found = {name: result[name] for name in ("best_loss", "final_loss", "best_size", "final_size")}
    assert found == {"best_loss": 1.0, "final_loss": 2.0, "best_size": 9.0, "final_size": 8.0}


@pytest.mark.parametrize(
    ("goals", "reason", "trials"),
    [
        ((0.3, 25), "GoalReached", None),
        ((0.2, 15), "MaxTrialsReached", 6),  # each is reached, but by no trial both
        ((None, 15), "GoalReached", None),
        ((0.2, None), "GoalReached", None),
    ],
)
def test_a_run_ends_when_one_trial_has_reached_all_goals_that_are_given(tmp_path, goals, reason, trials):
    objectives = [{**each, "goal": goal} for each, goal in zip((LOSS, SIZE), goals, strict=True)]
    outcome, _ = run(study(objectives=objectives), tmp_path)
    assert outcome.reason == reason
    assert trials is None or len(trials_in(tmp_path)) == trials


def test_the_trial_that_reached_the_goals_is_named_with_its_values(tmp_path):
    outcome, _ = run(study("echo loss=0.1 size=3", objectives=[{**LOSS, "goal": 0.2}, {**SIZE, "goal": 5}]), tmp_path)
    assert outcome.message == "trade-off-0001 has reached all goals: loss=0.1 (goal 0.2), size=3.0 (goal 5)"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo loss=0.5 sise=3",
            "it has no value of size, and only trials with all objectives can be compared; size: exit code 0, but the "
            "objective was never reported: the log has no size=<number>; it has loss=, sise=; did you mean 'sise'?",
        ),
        ("echo size=3", "it has no value of loss, and only trials with all objectives can be compared; loss: exit"),
        ("echo hello", "it has no value of loss and size, and only trials with all objectives can be compared; loss:"),
        ("echo loss=1 size=nan", "size: the objective 'size' was reported once, but never as a finite number (nan)"),
        ("echo loss=1; echo 'size: 3'", "give size, under objectives, a regex: "),
    ],
)
def test_a_trial_without_one_of_the_objectives_has_no_metrics_and_says_which(tmp_path, script, message):
    outcome, _ = run(study(script, 1, budget={"max_failed": 5}), tmp_path)
    (trial,) = trials_in(tmp_path)
    assert trial.state == "MetricsUnavailable"
    assert message in trial.message
    assert (outcome.best, outcome.pareto) == (None, ())


def test_a_resumed_run_knows_the_pareto_set(tmp_path):
    run(study(trials=3), tmp_path)
    with open_results(tmp_path) as results:
        before = [trial.name for trial in results.pareto()]
    outcome, events = run(study(), tmp_path)
    (started,) = [event for event in events if isinstance(event, StudyStarted)]
    assert [trial["trial"] for trial in started.pareto or ()] == before
    assert points(outcome.pareto) == PARETO


def test_a_list_of_one_objective_is_the_same_study(tmp_path):
    in_a_list = study(objectives=[LOSS])
    run(in_a_list.replace(budget={"max_trials": 2}), tmp_path)
    written = {**in_a_list.to_dict(), "hparams": Tiny, "objective": LOSS}
    del written["objectives"]
    outcome, _ = run(Study(**written), tmp_path)
    assert len(trials_in(tmp_path)) == 6
    assert outcome.pareto == ()


@pytest.mark.parametrize(
    ("objectives", "change"),
    [
        ([LOSS], 'objective.others: was [{"metric":"size","direction":"minimize"'),
        ([LOSS, {**SIZE, "direction": "maximize"}], '"direction":"maximize"'),
        ([SIZE, LOSS], 'objective.metric: was "loss", is "size"'),
    ],
)
def test_results_of_other_objectives_are_not_mixed_in(tmp_path, objectives, change):
    run(study(trials=1), tmp_path)
    with pytest.raises(StoreError, match="all results of a study must come from the same space") as caught:
        run(study(objectives=objectives), tmp_path)
    assert change in str(caught.value)


def test_results_of_one_objective_are_not_taken_for_those_of_several(tmp_path):
    run(study(trials=1, objectives=[LOSS]), tmp_path)
    with pytest.raises(StoreError, match=r"objective\.others: was not there"):
        run(study(), tmp_path)


def test_a_store_of_one_objective_has_the_keys_that_earlier_versions_know(tmp_path):
    run(study(trials=1, objectives=[LOSS]), tmp_path)
    connection = sqlite3.connect(tmp_path / "trials.db")
    stored = json.loads(connection.execute("SELECT value FROM meta WHERE key = 'study'").fetchone()[0])
    connection.close()
    assert "more_objectives" not in stored
    assert stored["compared"]["objective"] == {"metric": "loss", "direction": "minimize", "reduce": "min"}


TRADES = "case $KFTUNE_TRIAL_NAME in *-0002) size=8;; *) size=9;; esac; echo loss=10 size=$size"


def test_a_study_goes_on_while_its_pareto_set_gets_new_trials(tmp_path):
    outcome, _ = run(study(TRADES, stopping={"no_improvement": 3}), tmp_path)
    assert outcome.message == (
        "no_improvement: nothing new has come into the Pareto set for 3 trials; 5 trials have finished"
    )
    again, events = run(study(TRADES, stopping={"no_improvement": 3}), tmp_path)
    assert (again.message, finished(events)) == (outcome.message, [])


def test_trials_that_were_stopped_before_they_had_all_objectives_are_noted(tmp_path):
    script = "case $KFTUNE_TRIAL_NAME in *-0001) echo loss=1 size=1; exit;; esac; echo loss=5; sleep 9"
    outcome, events = run(study(script, trials=3, stopping={"bandit": {"slack_amount": 1}}), tmp_path)
    assert outcome.counts == {"EarlyStopped": 2, "Succeeded": 1}
    assert [trial.number for trial in outcome.pareto] == [1]
    noted = [event.message for event in events if isinstance(event, Note) and "before they reported" in event.message]
    assert noted == [
        "stopping: 2 trial(s) were stopped before they reported size, and only trials with all objectives can be "
        "compared; report it before the first epoch"
    ]


def test_a_change_of_one_objective_is_not_measured_where_there_are_several():
    with pytest.raises(StudyError, match=r"min_delta is a change of one objective, but the study has 2"):
        study(stopping={"no_improvement": {"trials": 3, "min_delta": 0.1}})


@pytest.mark.parametrize(("trials", "notes"), [(20, 1), (21, 0)])
def test_a_budget_of_one_generation_is_noted(tmp_path, trials, notes):
    a_study = study(trials=trials, algorithm={"name": "nsga2"}, hparams=Tiny)
    _, events = run(a_study, tmp_path)
    said = [event for event in events if isinstance(event, Note) and event.message.startswith("nsga2 draws its first")]
    assert len(said) == notes


def test_an_algorithm_for_one_objective_says_what_to_use(tmp_path):
    with pytest.raises(RunError, match="hyperband learns from one objective, but the study has 2; use nsga2, tpe"):
        run(study(algorithm={"name": "hyperband", "settings": {"r_l": 9, "resource_name": "a"}}), tmp_path)


# -- commands ------------------------------------------------------------------------------------------------------


def test_best_prints_the_pareto_set(folder):
    text = printed(["best", str(folder)], folder)
    assert text.startswith("exit 0\nPareto set of 6 trials of trade off (minimize loss, minimize size): 3\n")
    assert [line.split()[1:] for line in text.splitlines()[3:7]] == [
        ["loss", "size", "a", "b"],
        ["0.2", "30", "3", "false"],
        ["0.3", "20", "2", "false"],
        ["0.4", "10", "1", "false"],
    ]
    assert text.endswith("one of them in full: --metric loss or --metric size\n")


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_best_as_data_has_the_set_and_the_best_in_the_first_objective(folder, form):
    from kftune import yaml_text

    data: Any = yaml_text.load(printed(["best", str(folder), "--format", form], folder).partition("\n")[2])
    assert [trial["values"] for trial in data["pareto"]] == PARETO
    assert data["best"] == data["pareto"][0]


def test_best_chooses_one_trial_by_one_objective(folder):
    arguments = ["best", str(folder), "--metric", "size"]
    assert printed([*arguments, "--format", "args"], folder) == "exit 0\n--a=1\n--b=false\n"
    assert "\nloss    0.4\nsize    10\n" in printed(arguments, folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--metric", "sise"], "unknown objective 'sise'; did you mean 'size'?"),
        (
            ["--format", "args"],
            "a command line is that of one trial, but the Pareto set has 3; choose one: --metric loss or --metric size",
        ),
    ],
)
def test_best_says_what_it_cannot_choose(folder, arguments, message):
    assert printed(["best", str(folder), *arguments], folder) == f"exit 2\nkftune: {message}\n"


def test_status_names_the_set(folder):
    with open_results(folder) as results:
        names = [trial.name for trial in results.pareto()]
    text = printed(["status", str(folder)], folder)
    assert f"  best    {names[0]}: loss=0.2 size=30 (the best in loss)\n" in text
    assert f"  pareto  3: {', '.join(names)}\n" in text
    assert json.loads(printed(["status", str(folder), "-o", "json"], folder).partition("\n")[2])["pareto"] == names


def test_without_a_success_best_says_so(tmp_path):
    run(study("exit 1", 1), tmp_path)
    text = printed(["best", str(tmp_path)], tmp_path)
    assert text.startswith("exit 1\nno trial of trade off has succeeded yet")
    assert (
        printed(["best", str(tmp_path), "--format", "yaml"], tmp_path)
        == "exit 1\nbest: null\npareto: []\ntargets: []\n"
    )
