"""A trial's object, its container and the Experiment's status, beyond the recorded cases."""

from __future__ import annotations

import json
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from katib_as_run import collector_args, expanded_variables, restarted
from kubeflow_katib_api.models import V1beta1Experiment
from lint_examples import EXAMPLE
from recorded import first

from kftune.katib.admission import admit
from kftune.katib.trial.conditions import is_restartable
from kftune.katib.trial.kubelet import expanded
from kftune.katib.trial.status import status_of
from kftune.katib.trial.stopping import StopRule
from kftune.katib.trial.substitution import SubstitutionError, SubstitutionPanic, config_map_text, run_object
from kftune.katib.trial.wrapper import (
    WrapperError,
    WrapperPanic,
    image_problem,
    is_full_reference,
    wrap,
)

STDOUT = {"collector": {"kind": "StdOut"}}
plain_texts = st.text(st.characters(exclude_characters='"\\', exclude_categories=["Cc", "Cs"]), max_size=12)

# -- substitution ------------------------------------------------------------------------------------------------------


def template_of(trial: Any, **parameters: str) -> dict[str, Any]:
    declared = [{"name": name, "reference": reference} for name, reference in parameters.items()]
    return {"spec": {"trialTemplate": {"trialParameters": declared, "trialSpec": trial}}}


def made(experiment: dict[str, Any], *assignments: tuple[str, str], **named: Any) -> dict[str, Any]:
    return run_object(experiment, assignments, name="exp-x", namespace="ns", **named)


@given(plain_texts)
def test_a_text_without_quotes_and_backslashes_arrives_in_an_inline_template(value):
    experiment = template_of({"kind": "Job", "spec": {"x": "<${trialParameters.a}>"}}, a="pa")
    found = made(experiment, ("pa", value))
    assert found == {"kind": "Job", "spec": {"x": f"<{value}>"}, "metadata": {"name": "exp-x", "namespace": "ns"}}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_any_text_gives_an_object_or_an_error(value):
    experiment = template_of({"kind": "Job", "spec": {"x": "${trialParameters.a}"}}, a="pa")
    is_plain = all(character not in '"\\\n\x85\u2028\u2029' and character.isprintable() for character in value)
    with nullcontext() if is_plain else suppress(SubstitutionError):
        assert made(experiment, ("pa", value))["metadata"]["name"] == "exp-x"


def test_the_template_is_not_changed():
    experiment = template_of({"kind": "Job", "metadata": {"labels": {"a": "${trialParameters.a}"}}}, a="pa")
    before = json.dumps(experiment)
    assert made(experiment, ("pa", "1"))["metadata"] == {"labels": {"a": "1"}, "name": "exp-x", "namespace": "ns"}
    assert json.dumps(experiment) == before


@pytest.mark.parametrize(
    ("value", "received"),
    [
        (r"a\tb", "a\tb"),
        (r"\x41", "A"),
        (r"it\'s", "it's"),
        ("a\nb", "a b"),
        (r"\ud800", "\ufffd"),
        ('x", "y": "z', "x"),
    ],
)
def test_values_that_arrive_changed_without_an_error(value, received):
    assert made(template_of({"kind": "Job", "x": "${trialParameters.a}"}, a="pa"), ("pa", value))["x"] == received


@pytest.mark.parametrize(
    ("text", "value"),
    [("y", True), ("010", 8), ("1E5", 100000), ("", None), ("# c", None), ("12:30", "12:30"), ("1.0", 1), ("'1'", "1")],
)
def test_a_config_map_is_read_as_yaml_after_the_values_are_in(text, value):
    experiment = template_of(None, a="pa")
    template = "kind: Job\nspec:\n  x: ${trialParameters.a}\n---\nkind: Other\n"
    found = made(experiment, ("pa", text), config_map=template)
    assert found["spec"]["x"] == value
    assert found["kind"] == "Job"


def test_metadata_that_is_not_a_mapping_gets_no_name():
    assert made(template_of({"kind": "Job", "metadata": None})) == {"kind": "Job", "metadata": None}
    assert made(template_of(None), config_map="# only this\n---\nkind: Job\n") == {
        "metadata": {"name": "exp-x", "namespace": "ns"}
    }


def test_an_index_is_kept_from_one_reference_to_the_next():
    trial = {
        "kind": "Job",
        "metadata": {"labels": {"team": "core"}, "annotations": {"team": "x"}},
        "a": "${trialParameters.m}",
    }
    leaking = template_of(trial, n="${trialSpec.Labels[team]}", m="${trialSpec.Annotations}")
    assert made(leaking)["a"] == "x"
    with pytest.raises(SubstitutionError, match=r"failed to fetch Annotation: $"):
        made(template_of(trial, m="${trialSpec.Annotations}"))
    trial["metadata"]["labels"]["n"] = 5  # type: ignore[index]
    with pytest.raises(SubstitutionError, match="failed to fetch Label: team"):
        made(template_of(trial, m="${trialSpec.Labels[team]}"))


def test_numbers_of_assignments_and_references_must_agree():
    experiment = template_of({"kind": "Job"}, a="pa", b="pa")
    with pytest.raises(SubstitutionError, match="non-meta trial parameter count: 2"):
        made(experiment, ("pa", "1"))
    assert made(experiment, ("pa", "1"), ("unused", "2"))
    with pytest.raises(SubstitutionError, match="unable to find non-meta parameter"):
        made(experiment, ("px", "1"), ("py", "2"))


def test_where_the_template_comes_from():
    place = {"configMapName": "cm", "configMapNamespace": "ns", "templatePath": "t.yaml"}
    experiment = {"spec": {"trialTemplate": {"configMap": place}}}
    assert config_map_text(experiment, {("ns", "cm"): {"t.yaml": "kind: Job"}}) == "kind: Job"
    assert config_map_text(template_of({"kind": "Job"}), {}) is None
    with pytest.raises(SubstitutionError, match='ConfigMap "cm" not found'):
        config_map_text(experiment, {("other", "cm"): {}})
    with pytest.raises(SubstitutionError, match=r"TemplatePath: t\.yaml"):
        config_map_text(experiment, {("ns", "cm"): {"u.yaml": ""}})


@pytest.mark.parametrize("experiment", [{}, {"spec": {"trialTemplate": {}}}])
def test_katib_crashes_without_a_template(experiment):
    with pytest.raises(SubstitutionPanic):
        config_map_text(experiment, {})
    with pytest.raises(SubstitutionPanic):
        made(experiment)


def test_an_admitted_experiment_makes_its_job():
    experiment: Any = first(EXAMPLE)
    assert admit(experiment).admitted
    job = made(experiment, ("learning_rate", "0.001"), ("units", "64"))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["python train.py --lr=0.001 --units=64"]


# -- wrapper -----------------------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(st.lists(words, min_size=1, max_size=3), st.lists(words, max_size=3))
def test_any_command_becomes_one_line_of_its_words(command, args):
    assume([*command, *args] not in (["sh"], ["bash"]))
    wrapped = wrap(command, args, STDOUT)
    tokens = [*command, *args]
    script = tokens[2:] if tokens[0] in ("sh", "bash") and tokens[1:2] == ["-c"] else tokens
    assert wrapped.args[0].startswith(" ".join(script))
    assert wrapped.command == (tuple(tokens[:2]) if script != tokens else ("sh", "-c"))


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_alone_crashes_the_webhook(shell):
    with pytest.raises(WrapperPanic, match="must be followed by -c"):
        wrap([shell], [], STDOUT)
    assert wrap([shell], ["-c"], STDOUT).command == (shell, "-c")


@pytest.mark.parametrize("kind", ["File", "TensorFlowEvent"])
def test_a_collector_of_files_without_a_path_crashes_the_webhook(kind):
    with pytest.raises(WrapperPanic, match=kind):
        wrap(["train"], [], {"collector": {"kind": kind}})


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/a/b/m.log", "/a/b"),
        ("/m.log", "/"),
        ("m.log", "."),
        ("/a/b/", "/a/b"),
        ("/a//b/./../m.log", "/a"),
        ("../m.log", ".."),
        ("/../m.log", "/"),
        ("a/../../m.log", ".."),
    ],
)
def test_the_mount_is_the_folder_of_the_file_as_go_writes_it(path, folder):
    collecting = {"collector": {"kind": "File"}, "source": {"fileSystemPath": {"path": path}}}
    wrapped = wrap(["train"], [], collecting)
    assert [mount.path for mount in wrapped.mounts] == [folder]
    mark = wrapped.args[0].rpartition("> ")[2]
    assert mark == ("/" if folder == "/" else "" if folder == "." else f"{folder}/") + "$$$$.pid"


@pytest.mark.parametrize("kind", ["Push", "Custom", "PrometheusMetric", "None"])
def test_other_collectors_leave_the_command_alone(kind):
    assert wrap(["/bin/sh", "-c"], ["x\n"], {"collector": {"kind": kind}}) == (("/bin/sh", "-c"), ("x\n",), ())


def test_a_custom_collector_mounts_the_folder_of_its_file_or_its_folder():
    custom: dict[str, Any] = {
        "collector": {"kind": "Custom"},
        "source": {"fileSystemPath": {"path": "/a/m.log", "kind": "File"}},
    }
    assert [mount.path for mount in wrap(["x"], [], custom).mounts] == ["/a"]
    custom["source"]["fileSystemPath"]["kind"] = "Directory"
    assert [mount.path for mount in wrap(["x"], [], custom).mounts] == ["/a/m.log"]


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("registry.example/a/b:1", True),
        ("registry.example:5000/ab:1", True),
        ("registry.example:5000/a:1", False),  # one character is too short
        ("localhost:5000/ab:1", True),
        ("localhost/ab:1", False),
        ("docker.io/library/python:3.11", True),
        ("registry.example/a/b@sha256:" + "0" * 64, True),
        ("registry.example/a/b:1@sha256:" + "0" * 64, True),
        ("docker.io/python:3.11", False),
        ("python:3.11", False),
        ("python", False),
        ("user/python:3.11", False),
        ("registry.example:5000/ab", False),
        ("registry.example/a/b:", False),
        ("registry.example/A/b:1", False),
        ("registry.example/a/b@sha256:0", False),
        ("", False),
    ],
)
def test_an_image_whose_command_is_looked_up_needs_its_full_name(image, full):
    assert is_full_reference(image) is full
    with pytest.raises(WrapperError, match="give a command" if full else "could not parse reference"):
        wrap([], ["--a"], STDOUT, image=image)


@pytest.mark.parametrize(
    ("image", "readable"),
    [
        *dict.fromkeys(
            ["python", "python:3.9", "docker.io/python:3.9", "localhost/ab", "someone/trainer:1.0"], True
        ).items(),
        *dict.fromkeys(["r.example/ab", "localhost:5000/ab"], True).items(),
        *dict.fromkeys(["r.example/a", ""], False).items(),
        *dict.fromkeys(
            ["r.example/AB:1", "r.example/ab:", "r.example/a b:1", "r.example/ab@sha256:0", "a"], False
        ).items(),
    ],
)
def test_0_18_takes_docker_hub_and_latest_for_what_a_name_lacks(image, readable):
    assert (not image_problem(image, strict=False)) is readable


def test_the_collectors_arguments_name_rules_filters_and_waiting():
    collecting = {**STDOUT, "source": {"filter": {"metricsFormat": ["a;b", "c"]}}}
    objective = {"type": "maximize", "objectiveMetricName": "acc", "additionalMetricNames": ["loss"]}
    rules = [StopRule("acc", "0.5", "less", 4)]
    found = collector_args(
        "t1", objective, collecting, rules=rules, early_stopping_service="es:6788", wait_all_processes=False
    )
    assert found[:8] == ["-t", "t1", "-m", "acc;loss", "-o-type", "maximize", "-s-db", "katib-db-manager.kubeflow:6789"]
    assert found[8:12] == ["-path", "/var/log/katib/metrics.log", "-f", "a;b;c"]
    assert found[12:] == ["-format", "TEXT", "-w", "false", "-stop-rule", "acc;0.5;less;4", "-s-earlystop", "es:6788"]


@pytest.mark.parametrize(
    ("text", "found"),
    [("$$", "$"), ("$$(A)", "$(A)"), ("$(A)", "1"), ("$(B)", "$(B)"), ("$A $", "$A $"), ("$$$(A)", "$1"), ("$(", "$(")],
)
def test_references_are_expanded_as_kubernetes_does(text, found):
    assert expanded(text, {"A": "1"}) == found


def test_a_variable_sees_those_above_it():
    given = [("A", "1"), ("B", "$(A)$(C)"), ("C", "3"), ("A", "$(C)")]
    assert expanded_variables(given) == {"A": "3", "B": "1$(C)", "C": "3"}
    assert expanded_variables([("A", "$(B)")], {"B": "2"}) == {"A": "2", "B": "2"}


# -- status ------------------------------------------------------------------------------------------------------------


def experiment_of(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "e"},
        "spec": {"objective": {"type": "minimize", "objectiveMetricName": "loss"}, **spec},
    }


def trial(name: str, state: str, value: str | None = None, strategy: str = "min") -> dict[str, Any]:
    status: dict[str, Any] = {"conditions": [{"type": "Created", "status": "True"}, {"type": state, "status": "True"}]}
    if value is not None:
        status["observation"] = {"metrics": [{"name": "loss", "min": value, "max": value, "latest": value}]}
    objective = {
        "type": "minimize",
        "objectiveMetricName": "loss",
        "metricStrategies": [{"name": "loss", "value": strategy}],
    }
    return {"metadata": {"name": name}, "spec": {"objective": objective}, "status": status}


def kinds(status: dict[str, Any]) -> list[tuple[str, str]]:
    return [(condition["type"], condition["status"]) for condition in status["conditions"]]


states = st.sampled_from(["Running", "Succeeded", "Failed", "EarlyStopped", "Killed", "MetricsUnavailable", "Created"])
many_trials = st.lists(st.tuples(states, st.none() | st.floats(-9, 9).map(str)), max_size=8).map(
    lambda found: [trial(f"t{index}", state, value) for index, (state, value) in enumerate(found)]
)


@given(many_trials, st.none() | st.integers(0, 8), st.none() | st.integers(0, 8), st.none() | st.floats(-9, 9))
def test_a_status_counts_every_trial_once_and_is_one_that_clients_read(trials, most, most_failed, goal):
    experiment = experiment_of(maxTrialCount=most, maxFailedTrialCount=most_failed)
    experiment["spec"]["objective"]["goal"] = goal
    status = status_of(experiment, trials)
    listed = [name for key, names in status.items() if key.endswith("TrialList") for name in names]
    assert sorted(listed) == sorted(each["metadata"]["name"] for each in trials)
    counts = [
        count for key, count in status.items() if key.startswith("trial") and key != "trials" and type(count) is int
    ]
    assert sum(counts) == status.get("trials", 0) == len(trials)
    V1beta1Experiment.from_dict({**experiment, "status": status})
    assert status_of(experiment, trials, status) == status


@given(many_trials, st.none() | st.floats(-9, 9))
def test_the_best_trial_has_the_least_value_and_may_reach_the_goal(trials, goal):
    values = [
        float(each["status"]["observation"]["metrics"][0]["min"]) for each in trials if "observation" in each["status"]
    ]
    assume(values)
    experiment = experiment_of()
    experiment["spec"]["objective"]["goal"] = goal
    status = status_of(experiment, trials)
    assert float(status["currentOptimalTrial"]["observation"]["metrics"][0]["min"]) == min(values)
    reached = goal is not None and min(values) <= goal
    assert (status["conditions"][-1]["reason"] == "ExperimentGoalReached") == reached


@given(many_trials)
def test_there_is_a_best_trial_where_a_trial_has_a_value(trials):
    status = status_of(experiment_of(), trials)
    has_value = any("observation" in each["status"] for each in trials)
    assert ("bestTrialName" in status["currentOptimalTrial"]) == has_value


def test_failures_win_over_the_last_trial_and_the_goal_over_both():
    experiment = experiment_of(maxTrialCount=2, maxFailedTrialCount=1)
    trials = [trial("a", "Failed"), trial("b", "MetricsUnavailable", "unavailable")]
    assert status_of(experiment, trials)["conditions"][-1]["reason"] == "ExperimentFailed"
    experiment["spec"]["objective"]["goal"] = 1
    trials[0] = trial("a", "Failed", "0.5")
    assert status_of(experiment, trials)["conditions"][-1]["reason"] == "ExperimentGoalReached"


def test_running_stays_with_false_when_it_was_there_and_time_moves_on():
    experiment = experiment_of(maxTrialCount=1)
    running = status_of(experiment, [trial("a", "Running")], now="2024-05-06T07:00:00Z")
    assert kinds(running) == [("Created", "True"), ("Running", "True")]
    done = status_of(experiment, [trial("a", "Succeeded", "1")], running, now="2024-05-06T08:00:00Z")
    assert kinds(done) == [("Created", "True"), ("Running", "False"), ("Succeeded", "True")]
    assert (done["startTime"], done["completionTime"]) == ("2024-05-06T07:00:00Z", "2024-05-06T08:00:00Z")
    assert kinds(running) == [("Created", "True"), ("Running", "True")]
    at_once = status_of(experiment, [trial("a", "Succeeded", "1")])
    assert kinds(at_once) == [("Created", "True"), ("Succeeded", "True")]


def test_the_best_trial_stays_when_it_is_gone():
    experiment = experiment_of(maxTrialCount=9)
    status = status_of(experiment, [trial("a", "Succeeded", "1")])
    later = status_of(experiment, [trial("b", "Running")], status)
    assert later["currentOptimalTrial"]["bestTrialName"] == "a"


@pytest.mark.parametrize(
    ("values", "strategy", "best"),
    [
        (["0.5", "0.5"], "min", "a"),
        (["nan", "0.1"], "min", "a"),
        (["x", "0.1"], "min", "a"),
        (["x", "-0.1"], "min", "b"),
        (["0.1", "x"], "min", "b"),
        (["0.1", "0.2"], "", None),
        (["unavailable", "0.2"], "min", "b"),
    ],
)
def test_which_trial_is_the_best(values, strategy, best):
    trials = [trial(name, "Succeeded", value, strategy) for name, value in zip("ab", values, strict=True)]
    assert status_of(experiment_of(), trials)["currentOptimalTrial"].get("bestTrialName") == best


@pytest.mark.parametrize("policy", ["Never", "LongRunning", "FromVolume"])
def test_a_restart_needs_the_policy_and_a_higher_maximum_or_none(policy):
    experiment = experiment_of(maxTrialCount=1, resumePolicy=policy)
    done = status_of(experiment, [trial("a", "Succeeded", "1")])
    goes_on = policy != "Never"
    assert is_restartable(experiment["spec"], done) is goes_on
    assert restarted(experiment, done) is None
    higher = experiment_of(maxTrialCount=2, resumePolicy=policy)
    assert (restarted(higher, done) is not None) is goes_on
    without = restarted(experiment_of(resumePolicy=policy), done)
    assert without is not None
    assert kinds(without) == [("Created", "True"), ("Restarting", "True")]
    assert without["completionTime"] is not None
    assert restarted(higher, without) is None
