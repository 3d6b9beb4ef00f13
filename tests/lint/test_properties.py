"""Properties of lint: rendered studies have no findings, and a harmful change of one has."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from domain_examples import DOMAINS
from hypothesis import given
from hypothesis import strategies as st
from mutations import MUTATIONS, mutated, places
from render_examples import ALGORITHMS, ENCODINGS, VERSIONS, make_study, study_of

from kftune import yaml_text
from kftune.errors import KftuneError
from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.defaults import KatibVersion
from kftune.lint.experiment import CheckedDocument, check_experiment
from kftune.lint.sources import SourceText, documents
from kftune.render import render
from kftune.study import Study

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
METRICS = st.sampled_from(["loss", "val/loss", "val_acc", "yolo:mAP_0.5", "a b", "x", "F1-score", "é"])
RESOURCES = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.sampled_from([1, 2, "500m"]),
        "memory": st.sampled_from(["512Mi", "4Gi"]),
        "gpu": st.integers(0, 8),
        "nodes": st.integers(1, 3),
    },
)
STEPS = st.fixed_dictionaries(
    {"image": st.sampled_from(["registry.example/a:1", "registry.example/a", "a:1", "a@sha256:" + "0" * 64])},
    optional={
        "command": st.lists(
            st.sampled_from(["python", "-m", "a b", "it's", "$HOME", "x;y", "--n=1", "#", "$(A)", "*", "a\nb"]),
            min_size=1,
            max_size=4,
        ),
        "args": st.lists(st.one_of(st.sampled_from(["--a", "b c", "{{x}}", "$$"]), WORDS), max_size=3),
        "env": st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), WORDS, max_size=3),
        "resources": RESOURCES,
        "volumes": st.lists(
            st.fixed_dictionaries(
                {"name": NAMES, "mount": st.sampled_from(["/data", "/out/x", "/var/log"]), "empty_dir": st.just(True)}
            ),
            max_size=2,
        ),
    },
)
BUDGETS = st.integers(1, 200).flatmap(
    lambda most: st.fixed_dictionaries(
        {"max_trials": st.just(most), "parallel": st.integers(1, min(most, 20))},
        optional={"max_failed": st.integers(0, most), "trial_timeout": st.sampled_from(["30m", "4h", 90])},
    )
)
OBJECTIVES = st.fixed_dictionaries(
    {"metric": METRICS, "direction": st.sampled_from(["minimize", "maximize"])},
    optional={"goal": st.floats(-10, 10), "reduce": st.sampled_from(["min", "max", "latest"])},
)
TARGETS = st.fixed_dictionaries(
    {"version": st.sampled_from(VERSIONS)},
    optional={
        "trial_kind": st.sampled_from(["Job", "PyTorchJob", "TrainJob"]),
        "encoding": st.sampled_from(ENCODINGS),
        "namespace": NAMES,
        "retain": st.booleans(),
        "labels": st.dictionaries(NAMES, NAMES, max_size=2),
        "annotations": st.dictionaries(NAMES, WORDS, max_size=2),
    },
)


def lint(text: str, version: str) -> list[CheckedDocument]:
    cluster = Cluster()
    katib: KatibVersion = version  # type: ignore[assignment]
    return [
        check_experiment(document, cluster, katib) for document in documents(SourceText("rendered", text, named=True))
    ]


def serious(judgements: list[CheckedDocument]) -> list[Any]:
    """Findings that are no advices. KT210: a normal domain without bounds is meant to leave them."""
    return [
        found
        for judgement in judgements
        for found in judgement.findings
        if found.severity != "advice" and found.code != "KT210"
    ]


def assert_right(study: Callable[[], Study], version: str) -> None:
    try:
        text = yaml_text.dump_all(render(study()).documents)
    except KftuneError:
        return  # an invalid study, or one that cannot be rendered
    judgements = lint(text, version)
    assert [judgement.verdict.admitted for judgement in judgements] == [True], text
    assert serious(judgements) == [], text


@given(DOMAINS, st.sampled_from(ALGORITHMS), st.sampled_from(VERSIONS), st.sampled_from(ENCODINGS))
def test_a_rendered_domain_has_no_findings(domain: Any, algorithm: str, version: str, encoding: str):
    space = {"x": domain} if algorithm == "grid" else {"x": domain, "y": {"uniform": [0, 1]}}
    assert_right(lambda: study_of(space, algorithm, version=version, encoding=encoding), version)


@given(STEPS, BUDGETS, OBJECTIVES, TARGETS, st.lists(METRICS, max_size=2, unique=True), WORDS)
def test_a_rendered_step_has_no_findings(
    step: dict[str, Any],
    budget: dict[str, Any],
    objective: dict[str, Any],
    target: dict[str, Any],
    metrics: list[str],
    name: str,
):
    start = {} if "command" in step else {"module": "train"}
    assert_right(
        lambda: make_study(
            name=name or "x",
            step={**start, **step},
            budget=budget,
            objective=objective,
            katib=target,
            metrics=[{"name": each} for each in metrics],
        ),
        target["version"],
    )


# ------------------------------------------------------------------------------------------------------ one change

OFF = "removed|null|an empty list|an empty map|an empty text"
TEXTS = (
    "a blank at the end|a newline at the end|another case|a quote inside|a semicolon at the end|a comment at the end|"
    "a placeholder of nobody|a pipe at the end|exec in front|very long|letters not in ASCII"
)
# What lint lets pass: the field's path, the mutations, and why the trial comes to no harm.
HARMLESS = [
    (r"objective\.goal", OFF, "a search without a goal ends at maxTrialCount"),
    (r"objective\.metricStrategies", OFF, "the webhook fills in the strategy of the objective's type"),
    (r"metricStrategies\.0", "removed|doubled", "the webhook fills it in; the same twice is the same"),
    (r"spec\.parallelTrialCount", OFF, "3 at a time by default"),
    (r"spec\.maxFailedTrialCount", OFF + "|zero", "the search goes on whatever fails, or ends at the first failure"),
    (r"spec\.resumePolicy", OFF, "Never by default"),
    (r"metricsCollectorSpec(\.collector)?", OFF, "StdOut by default, and `loss` is found by its filter"),
    (r"metricsCollectorSpec\.source(\.filter(\.metricsFormat)?)?", OFF, "the default filter finds `loss` too"),
    (r"metricsFormat\.0", "removed|doubled", "the default filter, or the same one twice"),
    (r"metricsFormat\.0", TEXTS, "a filter for other logs; `kftune lint --sample-log` holds it against one"),
    (r"feasibleSpace\.(min|max)", "a (blank|newline) at the end|a bound with a blank", "random reads it with Python"),
    (r"parameters\.2\.feasibleSpace\.min", "a negative bound", "another range"),
    (r"feasibleSpace\.distribution", OFF, "uniform by default: another search"),
    (r"feasibleSpace\.list\.\d", OFF + "|doubled|very long|letters not in ASCII", "another list of values"),
    (r"feasibleSpace\.list\.\d", "a number that is no number|a negative bound|an endless bound", "another value"),
    (r"trialTemplate\.retain", OFF + "|the other flag", "finished trials stay or go"),
    (r"trialTemplate\.(success|failure)Condition", OFF, "the webhook fills in the kind's own"),
    (r"primaryPodLabels", OFF, "the webhook fills in the kind's own"),
    (r"primaryPodLabels\..*", "removed", "the other label, or the kind's own, finds the same pod"),
    (r"trialParameters\.\d\.description", OFF + "|" + TEXTS, "nobody reads it"),
    (r"activeDeadlineSeconds", "removed|null|a huge number", "no deadline, or a far one"),
    (r"sidecar\.istio\.io/inject", "another case", "Istio takes FALSE too"),
    (r"args\.0", "a blank at the end|very long|letters not in ASCII", "another argument, which arrives as written"),
    (r"env(\.0)?", OFF + "|doubled", "the program gets another environment; of two the last counts"),
    (r"env\.0\.(name|value)", OFF + "|" + TEXTS, "the program gets another environment, as it is written"),
    (r"(resources|resourcesPerNode)(\.requests|\.limits)?", OFF, "requests are as limits, and a runtime has its own"),
    (r"(requests|limits)\.\w+(\.com/gpu)?", "removed|a number (for a text|without its quotes)", "another amount"),
    (r"volumeMounts(\.0)?", OFF, "the program has no such folder"),
    (r"mountPath", TEXTS, "another folder, called as it is written"),
    (
        r"allowPrivilegeEscalation|automountServiceAccountToken",
        OFF + "|the other flag",
        "training needs neither",
    ),
    (r"capabilities(\.drop(\.0)?)?", OFF + "|doubled|" + TEXTS, "fewer are dropped; training needs none"),
    (r"seccompProfile", OFF, "the node's own profile"),
    (r"emptyDir", OFF, "a volume without a source is an empty folder"),
    # PyTorchJob
    (r"runPolicy(\.\w+)?", OFF, "the operator's own policy"),
    (r"runPolicy\.backoffLimit", "a negative number", "read as no limit"),
    (r"runPolicy\.cleanPodPolicy", TEXTS, "the operator knows None, Running and All, and else does nothing"),
    (r"nprocPerNode", OFF + "|" + TEXTS + "|a number that is no number|a.* bound( with a blank)?", "torchrun reads it"),
    (r"Master\.(replicas|restartPolicy)", OFF, "one, never restarted"),
    # TrainJob
    (r"trainer\.image", OFF, "the runtime's own image"),
    (r"trainer\.num(Nodes|ProcPerNode)", OFF + "|zero", "the runtime's own number"),
    (r"runtimePatches.*", OFF, "a smaller patch"),
    (r"runtimePatches\.0\.manager", "a semicolon at the end", "Trainer's webhook takes it in a path"),
    (r"runtimePatches.*inject", ".*", "Trainer's runtime decides"),
    (r"runtimePatches.*containers\.0\.name", TEXTS, "another container of the runtime"),
    (r"runtimePatches.*runAsNonRoot", "the other flag", "the runtime's container decides"),
]


def _manifest(kind: str) -> str:
    study = make_study(
        objective={"metric": "loss", "direction": "minimize", "goal": 0.1},
        algorithm={"name": "random"},
        budget={"max_trials": 12, "parallel": 2, "max_failed": 3, "trial_timeout": "4h"},
        step={
            "image": "registry.example/plain:1",
            "command": ["train"],
            "env": {"A": "b"},
            "resources": {"cpu": 2, "memory": "4Gi", "gpu": 1},
            "volumes": [{"name": "data", "mount": "/data", "empty_dir": True}],
        },
        katib={"trial_kind": kind},
    )
    return yaml_text.dump_all(render(study).documents)


def _is_harmless(path: str, mutation: str) -> bool:
    return any(
        re.search(rf"(^|\.)(?:{place})$", path) and re.fullmatch(named, mutation) for place, named, _ in HARMLESS
    )


def test_there_are_mutations_of_many_kinds():
    assert len(MUTATIONS) >= 30


@pytest.mark.parametrize("kind", ["Job", "PyTorchJob", "TrainJob"])
def test_a_change_of_one_field_is_reported_or_does_no_harm(kind: str):
    (document,) = documents(SourceText("rendered", _manifest(kind), named=True))
    assert check_experiment(document, Cluster(), "0.19").findings == ()
    changes = [
        (".".join(map(str, path)), name, mutated(document.value, path, mutation))
        for path, _ in places(document.value)
        for name, mutation in MUTATIONS.items()
    ]
    silent = [
        (path, name)
        for path, name, changed in changes
        if changed is not None and not check_experiment(document._replace(value=changed), Cluster(), "0.19").findings
    ]
    assert [(path, name) for path, name in silent if not _is_harmless(path, name)] == []


def test_every_row_of_the_table_is_needed():
    used = set()
    for kind in ("Job", "PyTorchJob", "TrainJob"):
        (document,) = documents(SourceText("rendered", _manifest(kind), named=True))
        for path, _ in places(document.value):
            text = ".".join(map(str, path))
            used |= {place for place, _, _ in HARMLESS if re.search(rf"(^|\.)(?:{place})$", text)}
    assert {place for place, _, _ in HARMLESS} == used
