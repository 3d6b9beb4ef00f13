"""Hera's models of Argo's objects take what we render and lose no key; our table of fields is theirs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from argo_examples import EXAMPLES
from argo_fields import FIELDS, table
from hera.workflows import models

from kftune.render.argo import render_argo

MODELS: dict[str, Any] = {
    "WorkflowTemplate": models.WorkflowTemplate,
    "CronWorkflow": models.CronWorkflow,
    "Workflow": models.Workflow,
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_heras_models_take_every_object_and_lose_no_key(name):
    rendering = render_argo(EXAMPLES[name]())
    for document in (*rendering.documents, *rendering.created):
        taken = MODELS[document["kind"]].model_validate(document)
        assert taken.model_dump(mode="json", by_alias=True, exclude_none=True) == document


def test_the_table_of_fields_is_what_heras_models_say():
    assert json.loads(FIELDS.read_text(encoding="utf-8")) == table()
