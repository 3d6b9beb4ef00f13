"""Domains of every kind, drawn by hypothesis: ordinary ones, and domains at the limits of a float."""

from __future__ import annotations

from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from kftune.domains import (
    Choice,
    Conditional,
    Constant,
    Discrete,
    Domain,
    IntUniform,
    LogNormal,
    LogUniform,
    Normal,
    Ordinal,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
    ReverseLogUniform,
    Uniform,
)
from kftune.errors import DomainError

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=5e-324, max_value=1.7e308, allow_nan=False)
# Numbers as people write them, and numbers that only a program would write.
BOUNDS = st.one_of(st.integers(-1000, 1000).map(float), st.integers(-(10**6), 10**6).map(lambda n: n / 1000), FLOATS)
POSITIVE_BOUNDS = st.one_of(st.integers(1, 10**6).map(lambda n: n / 1000), POSITIVE)
MEANS = st.one_of(st.floats(-50, 50), st.floats(-1e300, 1e300))
STEPS = st.one_of(st.sampled_from([0.1, 0.25, 0.5, 1.0, 3.0, 1e-3]), POSITIVE)

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), FLOATS, st.text())
JSON_VALUES = st.recursive(
    SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3))
)


@st.composite
def _made(draw: st.DrawFn, make: Any, *arguments: Any, **options: Any) -> Any:
    """Draws arguments for `make`; arguments that it rejects do not count."""
    try:
        return make(*map(draw, arguments), **{name: draw(option) for name, option in options.items()})
    except DomainError:
        return reject()


def _range(make: Any, bounds: st.SearchStrategy[float], **options: Any) -> st.SearchStrategy[Any]:
    ends = st.tuples(bounds, bounds).map(sorted)
    return ends.flatmap(lambda pair: _made(make, st.just(pair[0]), st.just(pair[1]), **options))


def _normal(make: Any, **options: Any) -> st.SearchStrategy[Any]:
    near = st.floats(-50, 50)
    free = _made(make, MEANS, POSITIVE_BOUNDS, **options)
    cut = _made(make, near, st.floats(0.1, 10), low=st.none() | near, high=st.none() | near, **options)
    return free | cut


@st.composite
def _lattice(draw: st.DrawFn, make: Any) -> Any:
    """Draws a range of a whole number of decimal steps, as people write them."""
    places = draw(st.integers(0, 6))
    low, q, steps = draw(st.integers(1, 999)), draw(st.integers(1, 99)), draw(st.integers(1, 99))
    below = draw(st.sampled_from([1, -1])) if make is QUniform else 1
    first = below * low
    return make(*(float(f"{number}e-{places}") for number in (first, first + q * steps, q)))


@st.composite
def _choice(draw: st.DrawFn) -> Choice:
    options = draw(st.lists(JSON_VALUES, min_size=1, max_size=5))
    weights = draw(st.none() | st.lists(st.floats(1e-300, 1e300), min_size=len(options), max_size=len(options)))
    try:
        return Choice(*options, weights=weights)
    except DomainError:
        return reject()


INTEGERS = st.one_of(st.integers(-100, 100), st.integers(-(2**63) + 1, 2**63 - 1))

BY_KIND: dict[str, st.SearchStrategy[Domain]] = {
    "uniform": _range(Uniform, BOUNDS),
    "loguniform": _range(LogUniform, POSITIVE_BOUNDS),
    "reverse_loguniform": _range(ReverseLogUniform, st.floats(0, 1, exclude_max=True)),
    "quniform": _lattice(QUniform) | _range(QUniform, BOUNDS, q=STEPS),
    "qloguniform": _lattice(QLogUniform) | _range(QLogUniform, POSITIVE_BOUNDS, q=STEPS),
    "normal": _normal(Normal),
    "lognormal": _normal(LogNormal),
    "qnormal": _normal(QNormal, q=STEPS),
    "qlognormal": _normal(QLogNormal, q=STEPS),
    "int": _range(IntUniform, INTEGERS, step=st.integers(1, 2**63 - 1) | st.integers(1, 9), log=st.booleans()),
    "choice": _choice(),
    "ordinal": _made(lambda options: Ordinal(*options), st.lists(JSON_VALUES, min_size=1, max_size=5)),
    "discrete": _made(lambda options: Discrete(*options), st.lists(FLOATS | st.integers(), min_size=1, max_size=5)),
    "constant": JSON_VALUES.map(Constant),
}
UNCONDITIONAL = st.one_of(*BY_KIND.values())
CONDITIONAL = st.builds(
    Conditional,
    UNCONDITIONAL,
    st.dictionaries(st.text(), st.lists(JSON_VALUES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3),
)
DOMAINS = UNCONDITIONAL | CONDITIONAL
U = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 5e-324, 1 - 2**-53, 2**-53, 0.5])
