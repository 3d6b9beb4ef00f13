"""Runs a pipeline twice, by its plan and by the reimplemented Argo controller, and compares the pods."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping

import argo_controller
import pipeline_semantics

from kftune.pipeline import Pipeline
from kftune.render.argo import render_argo
from kftune.render.argo.container import INPUTS, OUTPUTS
from kftune.render.argo.text import wire

_TEXTS = ("plain", "two words", "very good", "1e-05", "y", "ü/😀", "it's", '[1,"x"]', 'say "hi" <b>\\', "a\nb")


def outputs_of(pipeline: Pipeline, seed: int, *, on_wire: bool):
    """Returns what steps write: the same for the same step, argv and seed in both runs."""
    nodes = dict(pipeline.plan.nodes)
    if pipeline.plan.exit is not None:
        nodes[pipeline.plan.exit.name] = pipeline.plan.exit

    def writes(step: str, argv: list[str]) -> Mapping[str, str]:
        digest = hashlib.sha256(json.dumps([seed, step, argv]).encode()).digest()
        chance = random.Random(digest)
        made = {name: _written(output.type, chance) for name, output in nodes[step].outputs.items()}
        return {wire(name) if on_wire else name: text for name, text in made.items() if text is not None}

    return writes


def _written(kind: str, chance: random.Random) -> str | None:
    match kind:
        case "float":
            return chance.choice(("0.25", "1e-5", "0.75", "12.5", "2.0", "3"))
        case "int":
            return str(chance.randint(-1, 3))
        case "bool":
            return chance.choice(("true", "false"))
        case "str":
            return chance.choice(_TEXTS)
        case "list":
            return json.dumps([chance.choice(_TEXTS) for _ in range(chance.randint(0, 3))], ensure_ascii=False)
        case "dict":
            return '{"a":{"b":[1,2.5,"x"]}}'
    return None


def compare_pods(pipeline: Pipeline, seed: int) -> int:
    """Runs a pipeline both ways and compares the pods. Returns the number of started steps."""
    template = render_argo(pipeline).documents[0]
    pods = argo_controller.run(template, outputs_of(pipeline, seed, on_wire=True))
    started = pipeline_semantics.run(pipeline, outputs_of(pipeline, seed, on_wire=False), INPUTS, OUTPUTS)
    seen = sorted((pod.template, pod.argv, sorted(pod.artifacts.items())) for pod in pods)
    meant = sorted((one.step, one.argv, sorted(one.artifacts.items())) for one in started)
    assert seen == meant
    return len(seen)
