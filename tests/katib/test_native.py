"""Which domains kftune renders natively, against recorded runs of Katib's engines: in both directions.

A domain is to be native exactly if the recorded run kept it: values of the domain, on the lattice, within the bounds.
The exceptions are meant, and each has a name here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from recorded_spaces import space_cases

from kftune.domains import IntUniform, LogNormal, LogUniform, Normal, QUniform, Uniform, same
from kftune.katib.engines import ALGORITHMS
from kftune.katib.engines.native import Feasible, _checked, _feasible, _is_ordinary, native, number_text


class Meant(NamedTuple):
    """A difference between native and kept that is meant."""

    algorithms: str
    """The algorithms that have it, with blanks between them."""
    pattern: str
    """Matches kftune's reason; of a native domain, what went wrong in the run."""

    def explains(self, algorithm: str, text: str) -> bool:
        return algorithm in self.algorithms.split() and re.search(self.pattern, text) is not None


PLAIN_DECIMAL = re.compile(r"-?\d+(\.\d+)?")

# Why a domain is not native though the recorded run kept it.
UNFAITHFUL = {
    "rounding gives the ends of a few values half their share": Meant(
        "random tpe bayesianoptimization hyperband", "both ends half the share"
    ),
    "the least of logarithmic integers comes too rarely": Meant("random tpe", r"it draws \d+ in \d+% of the trials"),
    "the greatest integer never comes": Meant("sobol", "sobol rounds down"),
    "another distribution is drawn within the same bounds": Meant(
        "bayesianoptimization cmaes sobol hyperband pbt", r"this engine draws 'x' \w+, not \w+"
    ),
    "a normal distribution is cut": Meant("cmaes", "it cuts a normal distribution"),
    "the run was too short for very small values": Meant("multivariate-tpe", "nothing below 1e-10"),
    "the run did not come to the last digits of very large integers": Meant(
        "random bayesianoptimization hyperband", "integers beyond 9007199254740992"
    ),
    "the run ended before the grid's last point was missed": Meant("grid", "rounding loses"),
    "values leave lattice and type in later generations": Meant("pbt", "when it perturbs a value"),
}
# What went wrong in the recorded run though the domain is native.
NOT_OF_THE_DOMAIN = {
    "a normal domain without bounds is not to be cut": Meant("random tpe", r"Normal\("),
    "a study with fewer than two numbers is refused": Meant("cmaes", "CMA-ES only supports two"),
    "maxTrialCount is rendered no greater than the grid": Meant("grid", "Max Trial Count"),
    "a study with a large grid is refused": Meant("grid", "TIMEOUT|GiB"),
    "a study with such a budget for hyperband is refused": Meant("hyperband", "returned|not in the list"),
}
ALL = {**UNFAITHFUL, **NOT_OF_THE_DOMAIN}


def unexplained(algorithm: str, meant: dict[str, Meant], texts: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Returns the texts that no exception explains, with the case of each."""
    return [
        (case, text)
        for case, found in texts.items()
        for text in found
        if not any(exception.explains(algorithm, text) for exception in meant.values())
    ]


def refused_though_kept(algorithm: str) -> dict[str, tuple[str, ...]]:
    return {case.id: case.reasons for case in space_cases(algorithm) if case.kept and not case.is_native}


def native_though_not_kept(algorithm: str) -> dict[str, tuple[str, ...]]:
    return {
        case.id: (f"{case.why} of {case.domains}",)
        for case in space_cases(algorithm)
        if not case.kept and case.is_native
    }


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_domain_that_the_recorded_run_kept_is_native(algorithm):
    assert unexplained(algorithm, UNFAITHFUL, refused_though_kept(algorithm)) == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_recorded_run_kept_every_domain_that_is_native(algorithm):
    assert unexplained(algorithm, NOT_OF_THE_DOMAIN, native_though_not_kept(algorithm)) == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_has_recorded_cases_of_both_sorts(algorithm):
    cases = space_cases(algorithm)
    assert sum(case.kept for case in cases) >= 40
    assert sum(not case.kept for case in cases) >= 2


@pytest.mark.parametrize(
    ("name", "algorithm"), [(name, algorithm) for name, meant in ALL.items() for algorithm in meant.algorithms.split()]
)
def test_every_exception_is_needed(name, algorithm):
    found = {**refused_though_kept(algorithm), **native_though_not_kept(algorithm)}
    assert any(ALL[name].explains(algorithm, text) for texts in found.values() for text in texts)


@pytest.mark.parametrize(
    ("algorithm", "domain"),
    [
        ("cmaes", IntUniform(-5, 5, step=2)),  # cmaes-lattice-0437
        ("cmaes", IntUniform(2, 8, step=3)),  # cmaes-lattice-0434
        ("cmaes", IntUniform(1, 9, step=4)),  # cmaes-lattice-5220
        ("cmaes", QUniform(-1, 1, 0.5)),
        ("sobol", QUniform(-1, 1, 0.5)),
        ("sobol", QUniform(0.01, 0.05, 0.02)),
    ],
)
def test_goptuna_keeps_lattices(algorithm, domain):
    found = native("x", domain, algorithm, "0.19")
    assert isinstance(found, Feasible)
    assert found.space["step"] == number_text(float(getattr(domain, "q", 0) or domain.step))


@pytest.mark.parametrize("domain", [Normal(0.3, 0.07), Normal(-1e6, 1e-3)])
def test_a_normal_domain_keeps_mean_and_deviation_as_hyperopt_computes_them(domain):
    found = native("x", domain, "random", "0.19")
    assert isinstance(found, Feasible)
    low, high = float(found.space["min"]), float(found.space["max"])
    assert math.isclose((low + high) / 2, domain.mean, rel_tol=1e-12)
    assert math.isclose((high - low) / 6, domain.std, rel_tol=1e-6)


def test_a_log_normal_domain_keeps_mean_and_deviation_of_its_logarithm():
    domain = LogNormal(-7.5, 0.8)
    found = native("x", domain, "random", "0.19")
    assert isinstance(found, Feasible)
    low, high = (math.log(float(found.space[end])) for end in ("min", "max"))
    assert math.isclose((low + high) / 2, domain.mean, rel_tol=1e-12)
    assert math.isclose((high - low) / 6, domain.std, rel_tol=1e-6)


@given(st.integers(-(10**6), 10**6), st.integers(3, 400), st.integers(1, 50))
def test_an_integer_range_is_native_only_if_no_value_has_a_share_far_off(low, size, step):
    domain = IntUniform(low * step, low * step + (size - 1) * step, step)
    found = native("x", domain, "random", "0.19")
    off = 1 / size - 1 / (2 * (size - 1))
    greatest = int(found.space["max"]) if isinstance(found, Feasible) else None
    assert greatest == (domain.quantile(1.0) if off <= 0.025 else None)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_is_a_plain_decimal_that_reads_back(number):
    text = number_text(number)
    assert PLAIN_DECIMAL.fullmatch(text)
    assert same(float(text), number + 0.0)


@pytest.mark.parametrize(
    ("number", "text"), [(1e-5, "0.00001"), (10.0, "10"), (1e22, "1" + "0" * 22), (-0.0, "0"), (0.1, "0.1")]
)
def test_numbers_read_as_people_write_them(number, text):
    assert number_text(number) == text


@given(
    st.sampled_from(["uniform", "loguniform"]),
    st.floats(1e-5, 1e5),
    st.floats(1e-5, 1e5),
    st.sampled_from(ALGORITHMS),
    st.sampled_from(["0.18", "0.19", "main"]),
)
def test_an_ordinary_range_is_native_exactly_if_checking_it_alone_says_so(kind, one, other, algorithm, version):
    assume(abs(one - other) > 1e-3)
    domain = (Uniform if kind == "uniform" else LogUniform)(min(one, other), max(one, other))
    assert _is_ordinary(domain)
    feasible = _feasible(domain)
    assert isinstance(feasible, Feasible)
    alone = _checked("x", feasible, algorithm, version)
    assert isinstance(native("x", domain, algorithm, version), Feasible) == isinstance(alone, Feasible)
