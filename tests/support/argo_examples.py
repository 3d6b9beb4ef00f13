"""Pipelines that together use everything that kftune renders for Argo."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from pipeline_examples import chain, pipeline, step, tune

from kftune.pipeline import Pipeline

IMAGE = "registry.example/toy:1"
HOSTILE = [
    *("{{workflow.name}}", "{{ hello }}", "{{{{x}}}}", "{{=1+1}}", "{{item}}", "{{", "}}", "{{{", "{", "}{{"),
    *("$(HOME)", "$$", "${x}", "$", "${trialParameters.lr}", "$$(x)", "$(KFTUNE_BRACE)", "%s", "`id`", "\\"),
    *('it\'s "quoted"', "a\nb", "tab\there", "#x", "- x", "a: b", "", "grün 😀", "--x=1"),
    *("1e-05", "1.0", "y", "null", "0o17", "1_000", "12:30:45", "2024-01-01", '{"a":{"b":{}}}'),
]
"""Texts that Argo, Kubernetes or YAML could misread."""


def argo(steps: dict[str, Any], **sections: Any) -> Pipeline:
    """Returns a pipeline of these steps that a cluster can run."""
    return pipeline(steps, **{"defaults": {"image": IMAGE}, **sections})


def everyday() -> Pipeline:
    """Returns a pipeline with parameters, a schedule, an exit step, retries, and all settings of a pod."""
    return argo(
        {
            "data": step(
                "data",
                inputs={"rows": "${parameters.rows}", "mode": "full"},
                env={"LEVEL": "debug", "PRICE": "$5"},
                secrets={"TOKEN": {"name": "store", "key": "token"}},
                config_maps={"REGION": {"name": "site", "key": "region"}},
                volumes=[
                    {"name": "raw", "mount": "/raw", "claim": "raw", "read_only": True},
                    {"name": "site", "mount": "/etc/site", "config_map": "site"},
                    {"name": "keys", "mount": "/etc/keys", "secret": "keys"},
                    {"name": "scratch", "mount": "/scratch", "empty_dir": True, "size_limit": "1Gi"},
                ],
                working_dir="/app",
                service_account="reader",
                grace_period="2m",
            ),
            "train": step(
                "train",
                inputs={"data": "${steps.data.outputs.data}", "fast": "${parameters.fast}"},
                outputs={"model": "model", "score": "float"},
                resources={"cpu": "500m", "memory": "4Gi", "memory_limit": "6Gi", "gpu": 2},
                node_selector={"zone": "a"},
                tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                retries={"limit": 3, "backoff": "30s", "factor": 2, "max_backoff": "10m"},
                timeout="90m",
            ),
            "note": step(inputs={"score": "${steps.train.outputs.score}"}, command=["sh", "note.sh"], module=None),
        },
        parameters={
            "rows": {"type": "int", "default": 100, "description": "Rows that are read"},
            "fast": {"type": "bool", "default": True},
            "tags": {"type": "list", "default": ["a", {"b": 1}]},
        },
        exit=step(inputs={"status": "${run.status}", "rows": "${parameters.rows}"}),
        schedule={"cron": "30 2 * * 1-5", "timezone": "Europe/Berlin", "concurrency": "replace"},
        parallel=4,
        timeout="6h",
        description="Trains every night.",
        targets={
            "argo": {
                "namespace": "team-a",
                "service_account": "runner",
                "labels": {"team": "a"},
                "annotations": {"owner": "a@example"},
                "keep_succeeded": "1d",
                "keep_failed": "7d",
                "mutex": "toy",
            }
        },
    )


def choices() -> Pipeline:
    """Returns a pipeline with steps that may be skipped, and steps that use their outputs."""
    return argo(
        {
            "judge": step(
                inputs={"limit": "${parameters.limit}"},
                outputs={"loss": "float", "grade": "str", "ok": "bool", "count": "int"},
            ),
            "by-number": step(
                "train",
                when="${steps.judge.outputs.loss} < ${parameters.limit}",
                outputs={"model": "model", "size": "int"},
            ),
            "by-text": step(when="${steps.judge.outputs.grade} == 'very good'", outputs={"text": "str"}),
            "by-flag": step(when="${steps.judge.outputs.ok} != true", outputs={"table": "dict"}),
            "by-both": step(when="${steps.judge.outputs.count} >= ${steps.by-number.outputs.size}"),
            "needs": step(inputs={"model": "${steps.by-number.outputs.model}"}, outputs={"x": "int"}),
            "needs-too": step(inputs={"x": "${steps.needs.outputs.x}"}),
            "follows": step(after=["by-number", "needs"]),
            "takes": step(
                inputs={
                    "model": {"value": "${steps.by-number.outputs.model}", "optional": True},
                    "size": {"value": "${steps.by-number.outputs.size}", "default": 0},
                    "text": {"value": "${steps.by-text.outputs.text}", "default": "none at all"},
                    "table": {"value": "${steps.by-flag.outputs.table}", "default": {"a": {"b": 1}}},
                }
            ),
        },
        parameters={"limit": 0.5},
    )


CIRCUITS = [
    {"plant": "P1", "circuit": "C1", "threshold": 0.5, "deep": True, "limits": [1, 2]},
    {"plant": "P1", "circuit": 'C "2"/ü\\<b>\n', "threshold": 1e-05, "deep": False, "limits": ['x"', 2.0]},
]


def loops() -> Pipeline:
    """Returns a pipeline with loops over items, parameters and outputs, and their inputs and outputs."""
    in_circuits = {"for_each": "circuits"}
    return argo(
        {
            "data": step("data", outputs={"data": "dataset", "names": "list", "least": "int"}),
            "extra": step("data", when="${parameters.deep} == true", outputs={"more": "dataset", "shift": "float"}),
            "fit": step(
                "train",
                **in_circuits,
                inputs={
                    "data": "${steps.data.outputs.data}",
                    "more": {"value": "${steps.extra.outputs.more}", "optional": True},
                    "shift": {"value": "${steps.extra.outputs.shift}", "default": 0.0},
                    "plant": "${item.plant}",
                    "circuit": "${item.circuit}",
                    "threshold": "${item.threshold}",
                    "deep": "${item.deep}",
                    "limits": "${item.limits}",
                    "whole": "${item}",
                },
                outputs={
                    "model": "model",
                    "loss": "float",
                    "steps": "int",
                    "ok": "bool",
                    "name": "str",
                    "curve": "list",
                },
            ),
            "polish": step(
                **in_circuits,
                when="${steps.fit.outputs.loss} < ${item.threshold}",
                inputs={"model": "${steps.fit.outputs.model}"},
                outputs={"gain": "float", "label": "str"},
            ),
            "compare": step(
                **in_circuits,
                when="${steps.fit.outputs.steps} > ${steps.data.outputs.least}",
                inputs={"gain": {"value": "${steps.polish.outputs.gain}", "default": 0.0}},
                after=["polish"],
            ),
            "each-name": step(
                for_each="names", inputs={"name": "${item}", "deep": "${parameters.deep}"}, outputs={"len": "int"}
            ),
            "each-point": step(
                for_each="points", inputs={"x": "${item.x}", "point": "${item}"}, outputs={"height": "float"}
            ),
            "plain": step(for_each="numbers", inputs={"value": "${item}"}),
            "bare": step(for_each="thrice", outputs={"seed": "int"}),
            "sum": step(
                inputs={
                    "losses": "${steps.fit.outputs.loss}",
                    "counts": "${steps.fit.outputs.steps}",
                    "flags": "${steps.fit.outputs.ok}",
                    "names": "${steps.fit.outputs.name}",
                    "curves": "${steps.fit.outputs.curve}",
                    "gains": "${steps.polish.outputs.gain}",
                    "labels": "${steps.polish.outputs.label}",
                    "lens": "${steps.each-name.outputs.len}",
                    "ys": "${steps.each-point.outputs.height}",
                    "seeds": "${steps.bare.outputs.seed}",
                }
            ),
        },
        parameters={
            "deep": False,
            "points": {"type": "list", "default": [{"x": 1.5}, {"x": 2.0}]},
        },
        loops={
            "circuits": {"items": CIRCUITS, "parallel": 2},
            "names": {"items": "${steps.data.outputs.names}"},
            "points": {"items": "${parameters.points}", "fields": {"x": "float"}},
            "numbers": {"items": [1, 2.5, 1e-05]},
            "thrice": {"items": [{"a": 1}, {"a": 2}, {"a": 3}]},
        },
    )


def loop_after_a_choice() -> Pipeline:
    """Returns a pipeline with a loop that is skipped with the step of its items, and a step that uses its list."""
    return argo(
        {
            "ask": step(outputs={"go": "bool"}),
            "find": step(when="${steps.ask.outputs.go} == true", outputs={"names": "list", "base": "float"}),
            "work": step(for_each="found", inputs={"name": "${item}"}, outputs={"score": "float"}),
            "more": step(
                for_each="fixed",
                inputs={"base": "${steps.find.outputs.base}", "number": "${item}"},
                outputs={"score": "int"},
            ),
            "sum": step(inputs={"scores": "${steps.work.outputs.score}", "others": "${steps.more.outputs.score}"}),
            "again": step(for_each="scores", inputs={"score": "${item}", "all": "${steps.more.outputs.score}"}),
        },
        loops={
            "found": {"items": "${steps.find.outputs.names}"},
            "fixed": {"items": [1, 2]},
            "scores": {"items": "${steps.work.outputs.score}", "item": "float"},
        },
    )


def tuned() -> Pipeline:
    """Returns a pipeline with tune steps: one with data and a value of the run, one for each circuit."""
    launcher = {"image": "registry.example/launcher:1"}
    shared = {"volumes": [{"name": "shared", "mount": "/shared", "claim": "shared"}], "share": "shared"}
    return argo(
        {
            "data": step("data"),
            "tune": tune(
                **launcher, **shared, inputs={"data": "${steps.data.outputs.data}", "circuit": "${parameters.circuit}"}
            ),
            "train": step("train", inputs={"name": "${steps.tune.outputs.best_trial}"}),
            "tune-each": tune(
                **launcher, for_each="circuits", inputs={"circuit": "${item.circuit}", "title": "it's $5"}
            ),
            "tune-name": tune(**launcher, for_each="names", inputs={"name": "${item}"}),
            "best": step(inputs={"values": "${steps.tune-each.outputs.objective}"}),
        },
        parameters={"circuit": "P1/C1", "names": {"type": "list", "default": ["a"]}},
        loops={"circuits": {"items": CIRCUITS}, "names": {"items": "${parameters.names}"}},
    )


def hostile() -> Pipeline:
    """Returns a pipeline with constants, arguments and variables that Argo, Kubernetes or YAML could misread."""
    texts = {f"t{index}": text for index, text in enumerate(HOSTILE) if "${" not in text}
    return argo(
        {
            "values": step(inputs={**texts, "tree": {"value": {"a": {"b": {}}, "c": ["{{item}}"]}}}),
            "command": step(module=None, command=["run", *HOSTILE[1:]], args=[*HOSTILE]),
            "variables": step(env={f"V{index}": text for index, text in enumerate(HOSTILE)}),
        }
    )


EXAMPLES = {
    "chain": lambda: argo(chain()),
    "everyday": everyday,
    "choices": choices,
    "loops": loops,
    "loop-after-a-choice": loop_after_a_choice,
    "tuned": tuned,
    "hostile": hostile,
}


_KINDS = ("int", "float", "bool", "str", "list", "dict", "dataset", "model")
_STANDS_IN: dict[str, Any] = {"int": 0, "float": 0.0, "bool": False, "str": "none", "list": [], "dict": {}}


def drawn(chance: random.Random) -> Pipeline:
    """Draws a pipeline of a few steps and loops that use each other's outputs.

    Raises:
        PipelineError: The drawn parts do not fit together.
    """
    loops: dict[str, Any] = {
        "static": {"items": [{"a": 1, "b": 'x "y"'}, {"a": 2, "b": "y z\\"}]},
        "texts": {"items": ["u", "v w", "1e-05"], "parallel": 2},
        "given": {"items": "${parameters.names}"},
    }
    items = {"static": ("${item.a}", "${item.b}", "${item}"), "texts": ("${item}",), "given": ("${item}",)}
    steps: dict[str, Any] = {}
    for index in range(chance.randint(2, 7)):
        lists = [f"${{steps.{name}.outputs.{port}}}" for name, port, kind in _ports(steps) if kind == "list"]
        if lists and "made" not in loops and chance.random() < 0.4:
            loops["made"], items["made"] = {"items": chance.choice(lists)}, ("${item}",)
        loop = chance.choice(sorted(loops)) if chance.random() < 0.5 else None
        outputs = {f"out{number}": chance.choice(_KINDS) for number in range(chance.randint(1, 3))}
        given: dict[str, Any] = {}
        for number, (name, port, kind) in enumerate(_some(chance, list(_ports(steps)))):
            is_list = steps[name].get("for_each") not in (None, loop)
            if is_list and kind not in _STANDS_IN:
                continue
            value: dict[str, Any] = {"value": f"${{steps.{name}.outputs.{port}}}"}
            if chance.random() < 0.5 and not is_list:
                value |= {"default": _STANDS_IN[kind]} if kind in _STANDS_IN else {"optional": True}
            given[f"in{number}"] = value
        if loop is not None:
            given |= {f"item{number}": text for number, text in enumerate(_some(chance, list(items[loop])))}
        fields: dict[str, Any] = {"inputs": given, "outputs": outputs, "after": list(_some(chance, [*steps])[:1])}
        numbers = [
            f"${{steps.{name}.outputs.{port}}}"
            for name, port, kind in _ports(steps)
            if kind in ("int", "float") and steps[name].get("for_each") in (None, loop)
        ]
        if numbers and chance.random() < 0.4:
            fields["when"] = f"{chance.choice(numbers)} < {chance.choice(['0.5', '1', '${parameters.limit}'])}"
        steps[f"step-{index}"] = step(**fields, **({"for_each": loop} if loop else {}))
    used = {fields.get("for_each") for fields in steps.values()}
    return argo(
        steps,
        loops={name: loop for name, loop in loops.items() if name in used},
        parameters={"names": {"type": "list", "default": chance.choice([[], ["p"], ["q", "r s"]])}, "limit": 0.6},
    )


def _ports(steps: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, fields in steps.items():
        for port, kind in fields["outputs"].items():
            yield name, port, kind


def _some(chance: random.Random, things: list[Any]) -> list[Any]:
    return chance.sample(things, min(len(things), chance.randint(0, 3)))
