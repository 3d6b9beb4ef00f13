"""Properties of lint: what kftune renders is right, and what is changed in it is told."""

from __future__ import annotations

from typing import Any

from domain_examples import DOMAINS
from hypothesis import given
from hypothesis import strategies as st
from render_examples import ALGORITHMS, ENCODINGS, VERSIONS, make_study, study_of

from kftune import yaml_text
from kftune.errors import KftuneError
from kftune.katib.admission.cluster import Cluster
from kftune.katib.admission.defaults import KatibVersion
from kftune.lint.judging import Judgement, judge
from kftune.lint.sources import Source, documents
from kftune.render import render

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


def lint(text: str, version: str) -> list[Judgement]:
    cluster = Cluster()
    katib: KatibVersion = version  # type: ignore[assignment]
    return [judge(document, cluster, katib) for document in documents(Source("rendered", text, named=True))]


def serious(judgements: list[Judgement]) -> list[Any]:
    """Findings that are no habits. KT210: a normal domain without bounds is meant to leave them."""
    return [
        found
        for judgement in judgements
        for found in judgement.findings
        if found.severity != "habit" and found.code != "KT210"
    ]


def assert_right(study: Any, version: str) -> None:
    try:
        text = yaml_text.dump_all(render(study).documents)
    except KftuneError:
        return  # kftune says itself that this cannot be rendered
    judgements = lint(text, version)
    assert [judgement.verdict.admitted for judgement in judgements] == [True], text
    assert serious(judgements) == [], text


@given(DOMAINS, st.sampled_from(ALGORITHMS), st.sampled_from(VERSIONS), st.sampled_from(ENCODINGS))
def test_whatever_domain_is_rendered_is_right(domain: Any, algorithm: str, version: str, encoding: str):
    space = {"x": domain} if algorithm == "grid" else {"x": domain, "y": {"uniform": [0, 1]}}
    try:
        study = study_of(space, algorithm, version=version, encoding=encoding)
    except KftuneError:
        return
    assert_right(study, version)


@given(STEPS, BUDGETS, OBJECTIVES, TARGETS, st.lists(METRICS, max_size=2, unique=True), WORDS)
def test_whatever_step_is_rendered_is_right(
    step: dict[str, Any],
    budget: dict[str, Any],
    objective: dict[str, Any],
    target: dict[str, Any],
    metrics: list[str],
    name: str,
):
    try:
        study = make_study(
            name=name or "x",
            step={"module": "train", **step} if "command" not in step else step,
            budget=budget,
            objective=objective,
            katib=target,
            metrics=[{"name": each} for each in metrics],
        )
    except KftuneError:
        return
    assert_right(study, target["version"])
