from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from kftune.katib.admission import Verdict, admit, not_yaml
from kftune.katib.admission.cluster import Cluster, KatibConfig, cluster_of, config_of
from kftune.katib.admission.defaults import KatibVersion
from kftune.katib.go.reading import NotYamlError, pieces, read
from kftune.lint.example import example_text
from kftune.lint.judging import judge
from kftune.lint.sources import Source, documents

DATA = Path(__file__).parent / "data" / "lint"


def recorded() -> list[dict[str, Any]]:
    with gzip.open(DATA / "admission.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def first(text: str) -> Any:
    piece = next(pieces(text), None)
    return read(piece.text) if piece is not None else None


def cluster(labelled: bool = True) -> Cluster:
    templates = [read(piece.text) for piece in pieces((DATA / "templates.yaml").read_text(encoding="utf-8"))]
    return cluster_of(templates, KatibConfig(), labelled=labelled)


def verdict_of(case: dict[str, Any], version: KatibVersion) -> Verdict:
    try:
        old = first(case["old"]) if "old" in case else None
        return admit(first(case["yaml"]), cluster=cluster(case.get("label", True)), version=version, old=old)
    except NotYamlError as error:
        return not_yaml(error)


@pytest.mark.parametrize("version", ["0.19", "0.18"])
def test_every_recorded_verdict_is_the_same(version: KatibVersion):
    wrong = []
    for case in recorded():
        verdict = verdict_of(case, version)
        told = {
            "admitted": verdict.admitted,
            "stage": verdict.stage,
            "reasons": [(reason.field, reason.type) for reason in verdict.reasons],
        }
        want = case[version]
        expected = {**want, "reasons": [(reason["field"], reason["type"]) for reason in want["reasons"]]}
        expected.pop("message", None)
        if told != expected:
            wrong.append((case["id"], told, expected))
    assert not wrong


def test_details_and_messages_begin_as_recorded():
    wrong = []
    for case in recorded():
        verdict, want = verdict_of(case, "0.19"), case["0.19"]
        for reason, recorded_reason in zip(verdict.reasons, want["reasons"], strict=True):
            if not reason.detail.startswith(recorded_reason["detail"][:80]):
                wrong.append((case["id"], reason.detail[:90], recorded_reason["detail"]))
        message = want.get("message", "")
        # Words for text that is not YAML are our own; the recorded namespace was called "off".
        if want["stage"] not in ("yaml",) and "lacks label" not in message and verdict.message[:150] != message[:150]:
            wrong.append((case["id"], verdict.message, message))
    assert not wrong


def test_a_template_in_a_config_map_that_nobody_gave_is_not_an_error():
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
    for case in recorded():
        if case["kind"].startswith("base/"):
            (document,) = documents(Source("x.yaml", case["yaml"], named=True))
            outcomes[case["kind"].removeprefix("base/")] = judge(document, cluster(), "0.19").outcome
    # Not watched, not installed, and a step that random does not honour; the others are as people write them.
    expected = {"workflow": "hangs", "prometheus": "refused", "wide": "wrong"}
    assert {kind: outcome for kind, outcome in outcomes.items() if outcome != "ok"} == expected
