"""What is written in any form of arguments, a hyperparameter class reads, as far as it knows the form."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kftune import Hparam, Hparams
from kftune.argv import Style, to_arguments
from kftune.errors import HparamsError
from kftune.hparams.fields import kinds_of
from kftune.hparams.registry import BUILT_IN, load_hparams

FORMS: tuple[tuple[Any, ...], ...] = (
    ("underscores", "dashes"),
    ("--name=value", "--name value"),
    ("value", "flag-no"),
    ("omit", "value"),
)
STYLES = list(itertools.starmap(Style, itertools.product(*FORMS)))


class Wide(Hparams):
    """A field of each kind; null is the default of each optional one."""

    amp: bool = False
    maybe: bool | None = None
    rate: float = 0.5
    limit: int | None = None
    label: str = ""
    sizes: list[int] = Hparam(default_factory=list)


@given(
    st.builds(
        Wide,
        amp=st.booleans(),
        maybe=st.none() | st.booleans(),
        rate=st.floats(allow_nan=False, allow_infinity=False),
        limit=st.none() | st.integers(),
        label=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).filter(
            lambda text: not text.startswith("--")
        ),
        sizes=st.lists(st.integers(), max_size=2),
    ),
    st.sampled_from(STYLES),
)
def test_a_class_reads_what_it_gets_in_a_form(made, style):
    assert Wide.from_args(to_arguments(made.to_assignments(), style, kinds_of(Wide.leaves()))) == made


@pytest.mark.parametrize("style", STYLES, ids=str)
@pytest.mark.parametrize("name", [entry["class_name"] for entry in BUILT_IN])
def test_each_registered_class_reads_its_values_in_each_form(name, style):
    hparams = load_hparams(name)
    leaves = hparams.leaves()
    for quantile in (0.1, 0.9):
        drawn = {leaf.name: leaf.encode(leaf.domain.quantile(quantile)) for leaf in leaves.values() if leaf.domain}
        made = hparams.from_assignments({**dict.fromkeys(required(leaves), "x"), **drawn})
        assert hparams.from_args(to_arguments(made.to_assignments(), style, kinds_of(leaves))) == made


def required(leaves):
    return [leaf.name for leaf in leaves.values() if leaf.is_required]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--amp"], {"amp": True}),
        (["--amp", "--rate=1"], {"amp": True, "rate": 1.0}),
        (["--amp", "false"], {"amp": False}),
        (["--no-amp", "--maybe"], {"amp": False, "maybe": True}),
        (["--no-maybe", "--limit", "-3"], {"maybe": False, "limit": -3}),
    ],
)
def test_a_flag_alone_is_true_and_its_opposite_false(argv, expected):
    assert Wide.from_args(argv) == Wide(**expected)


@pytest.mark.parametrize("argv", [["--rate"], ["--no-rate"], ["--limit", "--amp"], ["--no-amp=1"], ["--amp", "maybe"]])
def test_only_a_bool_is_a_flag(argv):
    with pytest.raises(HparamsError):
        Wide.from_args(argv)
