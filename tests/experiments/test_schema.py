"""The JSON Schema of an experiment list takes what the loader takes, and refuses unknown keys."""

from __future__ import annotations

import pytest
import yaml
from experiment_lists import LIST
from json_schema import problems
from places import ROOT

from kftune.experiments.file import experiments_schema

PRESETS = (ROOT / "pipelines" / "ocr" / "experiments.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [LIST, PRESETS], ids=["a class", "the presets"])
def test_the_schema_takes_a_list(text: str):
    assert list(problems(yaml.safe_load(text), experiments_schema())) == []


@pytest.mark.parametrize("text", ["experimens: {one: {}}", "experiments: []", "{}", f"{LIST}objectiv: val_loss"])
def test_the_schema_refuses_what_is_no_list(text: str):
    assert list(problems(yaml.safe_load(text), experiments_schema()))


def test_every_key_has_a_meaning():
    assert [name for name, key in experiments_schema()["properties"].items() if not key.get("description")] == []
