"""What kftune renders is what kftune's own lint calls right: admitted, and neither failing, hanging nor wrong."""

from __future__ import annotations

from typing import Any

import pytest
from render_examples import ALGORITHMS, VERSIONS, study_of

from kftune import yaml_text
from kftune.errors import RenderError, StudyError
from kftune.katib.admission.cluster import KatibConfig, cluster_of
from kftune.lint.experiment import check_experiment
from kftune.lint.sources import SourceText, documents
from kftune.render import render

SPECS: dict[str, Any] = {
    "uniform": {"uniform": [0, 1]},
    "loguniform": {"loguniform": [1e-5, 1e-1]},
    "reverse_loguniform": {"reverse_loguniform": [0.9, 0.999]},
    "quniform": {"quniform": [0.1, 0.7], "q": 0.1},
    "qloguniform": {"qloguniform": [0.001, 0.5], "q": 0.001},
    "normal": {"normal": [0, 1]},
    "truncated normal": {"normal": [0, 1], "low": -1, "high": 1},
    "lognormal": {"lognormal": [0, 1]},
    "qnormal": {"qnormal": [8, 4], "q": 2, "low": 0, "high": 16},
    "int": {"int": [1, 5]},
    "int with step": {"int": [1, 10], "step": 4},
    "int, log": {"int": [1, 1024], "log": True},
    "choice": {"choice": ["a", "b", 'say "hi" $x\n']},
    "weighted choice": {"choice": ["a", "b"], "weights": [1, 3]},
    "discrete": {"discrete": [1, 2.5, 4]},
    "conditional": {"uniform": [0, 1], "when": {"optimizer": ["sgd"]}},
}


def _rendered(spec: Any, algorithm: str, version: str) -> str | None:
    """The manifest, or None where the algorithm cannot take the domain and kftune says so."""
    space = {"x": spec} if algorithm == "grid" else {"x": spec, "y": {"uniform": [0, 1]}}
    try:
        return yaml_text.dump_all(render(study_of(space, algorithm, version=version)).documents)
    except (RenderError, StudyError):
        return None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
def test_a_rendered_domain_lints_as_right_for_every_algorithm(spec: Any, algorithm: str, version: str) -> None:
    # No text where the algorithm does not support the domain and kftune says so.
    for text in filter(None, [_rendered(spec, algorithm, version)]):
        [document] = documents(SourceText(file="rendered", text=text, named=True))
        checked = check_experiment(document, cluster_of([document.value], KatibConfig(), labelled=True), version)  # type: ignore[arg-type]
        # KT210 says that draws leave min and max; a normal domain without bounds is meant to.
        serious = {found.code for found in checked.findings if found.severity != "advice"} - {"KT210"}
        assert (checked.verdict.admitted, serious) == (True, set()), checked.findings
        assert "normal" in next(iter(spec)) or checked.outcome == "ok"


@pytest.mark.parametrize("algorithm", ["random", "tpe", "multivariate-tpe", "bayesianoptimization", "sobol"])
def test_every_domain_goes_out_for_algorithms_that_take_numbers_and_lists(algorithm: str) -> None:
    assert [name for name, spec in SPECS.items() if _rendered(spec, algorithm, "0.19") is None] == []
