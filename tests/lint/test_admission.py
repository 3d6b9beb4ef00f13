from __future__ import annotations

import pytest
from lint_examples import example_text
from recorded import cases, cluster, first

from kftune.katib.admission import admit
from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of, config_of
from kftune.lint.experiment import check_experiment
from kftune.lint.sources import SourceText, documents


def test_a_template_in_a_config_map_that_is_not_in_the_input_is_not_an_error():
    text = example_text(
        "spec: {trialTemplate: {trialSpec: null, successCondition: a, failureCondition: b, "
        "configMap: {configMapName: c, configMapNamespace: elsewhere, templatePath: t}}}"
    )
    assert admit(first(text)).admitted
    assert admit(first(text), cluster=cluster()).admitted


def test_the_main_branch_refuses_logarithms_of_0():
    text = example_text(
        "spec: {parameters: [{name: learning_rate, parameterType: double, "
        "feasibleSpace: {min: '0', max: '1', distribution: logUniform}}, "
        "{name: units, parameterType: categorical, feasibleSpace: {list: ['1']}}]}"
    )
    assert admit(first(text), version="0.19").admitted
    reasons = admit(first(text), version="main").reasons
    assert [(reason.field, reason.type) for reason in reasons] == [("spec.parameters[0].feasibleSpace.min", "Invalid")]


def test_another_katib_config_has_other_algorithms():
    config = config_of(
        "data:\n  katib-config.yaml: |\n    runtime:\n      suggestions:\n      - algorithmName: mine\n"
        "      metricsCollectors:\n      - kind: StdOut\n",
        "config.yaml",
    )
    mine = first(example_text("spec: {algorithm: {algorithmName: mine}}"))
    assert admit(mine, cluster=Cluster(config)).admitted
    assert not admit(mine).admitted
    assert not admit(first(example_text("")), cluster=Cluster(config)).admitted


def test_a_namespace_in_the_input_decides_by_its_label():
    without = cluster_of([{"kind": "Namespace", "metadata": {"name": "a"}}], KatibConfig(), labelled=True)
    text = example_text("metadata: {namespace: a}")
    assert admit(first(text), cluster=without).message.startswith("Cannot create the Experiment")
    assert admit(first(text), cluster=Cluster(labelled=True)).admitted


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ("env: [{name: A, value: ''}]", "value"),
        ("tty: false", "tty"),
        ("volumeMounts: []", "volumeMounts"),
        ("resources: {limits: {}}", "limits"),
        ("securityContext: null", "securityContext"),
    ],
)
def test_a_job_loses_what_go_leaves_out(change: str, lost: str):
    arguments = "'${trialParameters.lr} ${trialParameters.units}'"
    container = f"{{name: main, image: i, args: [{arguments}], {change}}}"
    text = example_text(
        f"spec: {{trialTemplate: {{trialSpec: {{spec: {{template: {{spec: {{containers: [{container}]}}}}}}}}}}}}"
    )
    (reason,) = admit(first(text)).reasons
    assert reason.path[-1] == lost
    assert "unable to convert: /spec/template/spec/containers/0/" in reason.detail


def test_ordinary_experiments_of_all_kinds_raise_no_false_alarm():
    outcomes = {}
    for case in (each for each in cases("admission") if each["kind"].startswith("base/")):
        (document,) = documents(SourceText("x.yaml", case["yaml"], named=True))
        outcomes[case["kind"].removeprefix("base/")] = check_experiment(document, cluster(), "0.19").outcome
    # Not watched, not installed, a step that random does not honour, and stopped trials that are not retained; the
    # others are as people write them.
    expected = {"workflow": "hangs", "prometheus": "refused", "wide": "wrong", "median": "hangs"}
    assert {kind: outcome for kind, outcome in outcomes.items() if outcome != "ok"} == expected
