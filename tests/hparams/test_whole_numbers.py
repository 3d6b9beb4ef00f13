"""A field of ints takes every domain whose points are whole numbers, and writes them without a decimal point."""

from __future__ import annotations

from typing import Any

import pytest
from domain_examples import U
from hypothesis import given
from hypothesis import strategies as st
from render_examples import container_of, make_study, parameters_of

from kftune import (
    Choice,
    Conditional,
    Discrete,
    Domain,
    Hparam,
    Hparams,
    IntUniform,
    QLogNormal,
    QLogUniform,
    QNormal,
    QUniform,
)
from kftune.domains import encoding
from kftune.render import render
from kftune.render.tuning import _best

STEPS = st.integers(1, 99)
LATTICES = st.builds(
    lambda make, low, q, count: make(low, low + q * count, q),
    st.sampled_from([QUniform, QLogUniform]),
    st.integers(1, 9999),
    STEPS,
    STEPS,
)
BELLS = st.builds(QNormal, st.floats(-50, 50), st.floats(0.5, 99), STEPS) | st.builds(
    QLogNormal, st.floats(0, 3), st.floats(0.5, 1.5), STEPS, low=st.none() | st.integers(1, 3)
)
LISTS = st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=5, unique=True).map(
    lambda whole: Choice(*map(float, whole))
)
WHOLE = LATTICES | BELLS | LISTS
ANNOTATIONS = st.sampled_from([int, int | None, int | str])


def searched(domain: Domain, annotation: Any = int) -> type[Hparams]:
    """Returns a class with one field, which is searched."""
    return type("Searched", (Hparams,), {"__annotations__": {"n": annotation}, "n": Hparam(search=domain)})


@given(WHOLE, ANNOTATIONS, U)
def test_a_whole_value_reaches_an_int_as_an_integer_however_it_travels(domain, annotation, u):
    cls = searched(domain, annotation)
    text = cls.leaf("n").encode(domain.quantile(u))
    assert text == str(int(text))
    here = cls.from_args([f"--n={text}"])
    on_katib = cls.from_args([f"--n={encoding.encode_value('quantile', domain, repr(u))}"])
    assert here == on_katib
    assert type(here["n"]) is type(on_katib["n"]) is int
    assert here.to_args() == on_katib.to_args() == [f"--n={text}"]
    assert domain.contains(here["n"])


@pytest.mark.parametrize("annotation", [float, float | None, int | float])
def test_the_same_domain_gives_floats_to_a_field_of_floats(annotation):
    cls = searched(QUniform(16, 512, 16), annotation)
    assert cls.leaf("n").encode(32.0) == "32.0"
    assert type(cls.from_args(["--n=32.0"])["n"]) is float


@pytest.mark.parametrize("encoding_", ["auto", "encoded"])
@pytest.mark.parametrize("algorithm", ["random", "grid", "tpe", "multivariate-tpe", "bayesianoptimization", "sobol"])
def test_katib_gets_a_range_with_whole_steps_as_integers(algorithm, encoding_):
    def parts(domain):
        study = make_study(
            hparams=searched(domain),
            algorithm={"name": algorithm},
            budget={"max_trials": 100},
            katib={"encoding": encoding_},
        )
        experiment = render(study).documents[0]
        return parameters_of(experiment), container_of(experiment)["args"]

    for high, count in ((128, 8), (1000, 62)):
        assert parts(QUniform(16, high, 16)) == parts(IntUniform(16, 16 * count, step=16))


def test_katib_gets_a_list_of_whole_floats_as_integers():
    experiment = render(make_study(hparams=searched(Discrete(16.0, 32, 1e3)))).documents[0]
    assert parameters_of(experiment)["n"]["feasibleSpace"]["list"] == ["16", "32", "1000"]


@pytest.mark.parametrize("annotation", [int, int | None])
def test_the_best_value_of_a_tune_step_is_an_integer(annotation):
    domain = Conditional(QLogUniform(16, 512, 16), {"k": 1})
    cls = type(
        "Searched",
        (Hparams,),
        {"__annotations__": {"k": int, "n": annotation}, "k": 1, "n": Hparam(64, search=domain)},
    )
    assert _best(make_study(hparams=cls))["n"]["type"] == "int"


def test_a_list_with_texts_is_not_taken_for_integers_by_a_tune_step():
    cls = searched(Choice("auto", 3, weights=[1, 2]), int | str)
    assert _best(make_study(hparams=cls))["n"]["type"] == "str"
