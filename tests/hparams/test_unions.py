"""A union in a hyperparameter class: its errors name the field, the discriminator and the values it allows."""

from __future__ import annotations

import argparse
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from kftune import Hparam, Hparams
from kftune.errors import HparamsError


class Dense(Hparams):
    """A layer."""

    type: Literal["dense", "linear"] = "dense"
    units: int = Hparam(3, ge=1)


class Conv(Hparams):
    """Another layer."""

    type: Literal["conv"] = "conv"
    size: int = Hparam(3, ge=1)


Layer = Annotated[Dense | Conv, Field(discriminator="type")]


class Net(Hparams):
    """Layers."""

    first: Layer = Dense()
    rest: list[Layer] = Hparam(default_factory=list)
    named: dict[str, Layer] = Hparam(default_factory=dict)


UNKNOWN = "type must be one of dense, linear, conv, but got 'cnv'; did you mean 'conv'?"
MISSPELT = "Conv has no key 'sise'; did you mean 'size'?"
MISSING = "needs 'type': one of dense, linear, conv"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"first": {"units": 3}}, f"first: {MISSING}"),
        ({"first": {"type": "cnv"}}, f"first: {UNKNOWN}"),
        ({"rest": [{"type": "conv"}, {"units": 3}]}, f"rest.1: {MISSING}"),
        ({"rest": [{"type": "conv"}, {"type": "cnv"}]}, f"rest.1: {UNKNOWN}"),
        ({"named": {"conv": {}}}, f"named.conv: {MISSING}"),
        ({"named": {"conv": {"type": "conv", "sise": 3}}}, f"named.conv.sise: {MISSPELT}"),
        ({"first": {"type": "linear", "units": 0}}, "first.units: must be greater than or equal to 1, but got 0"),
    ],
    ids=str,
)
def test_a_value_that_fits_no_member_of_a_union_is_refused_with_the_members_that_there_are(values: Any, text):
    with pytest.raises(HparamsError) as caught:
        Net(**values)
    assert str(caught.value) == text


@pytest.mark.parametrize("name", ["first", "rest"])
def test_a_single_field_answers_as_the_class_does(name, capsys):
    parser = argparse.ArgumentParser()
    Net.add_to_argparse(parser)
    value = {"first": '{"type": "cnv"}', "rest": '[{"type": "cnv"}]'}[name]
    with pytest.raises(SystemExit):
        parser.parse_args([f"--{name}={value}"])
    assert f"{name}: {UNKNOWN}" in capsys.readouterr().err


def test_a_union_is_declared_in_messages_without_its_discriminator():
    assert Net.leaf("first").type_name == str(Dense | Conv)
