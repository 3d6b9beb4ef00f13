"""What `kftune show` prints of a pipeline: steps in order, each field with its origin, and the run parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kftune.cli.shown_command import shown_command
from kftune.cli.table import indented, table
from kftune.pipeline import Argument, FixedValue, Node, Pipeline, TuneStep
from kftune.stopping import spec_from_rules
from kftune.study import Study

FORMAT = "kftune.pipeline/1"

# The keys of these fields may have different origins, so each key has its own line.
_BY_KEY = ("resources", "env", "secrets", "config_maps", "node_selector", "inputs", "outputs", "values")


def facts(pipeline: Pipeline) -> dict[str, Any]:
    """Returns everything about a pipeline as JSON values; docs/guides/pipelines.md documents the keys."""
    levels: dict[str, int] = {}
    for name, node in pipeline.plan.nodes.items():
        levels[name] = 1 + max((levels[other] for other in node.dependencies), default=0)
    written = pipeline.to_dict()
    nodes = [*pipeline.plan.nodes.values(), *([pipeline.plan.exit] if pipeline.plan.exit else [])]
    given = {**written["steps"], **({pipeline.plan.exit.name: written["exit"]} if pipeline.plan.exit else {})}
    return {
        "format": FORMAT,
        "name": pipeline.name,
        "description": pipeline.description,
        "content_hash": pipeline.content_hash(),
        "schedule": None if pipeline.schedule is None else pipeline.schedule.model_dump(mode="json"),
        "parallel": pipeline.parallel,
        "timeout": pipeline.timeout,
        "on_failure": pipeline.on_failure,
        "parameters": {
            name: {"type": parameter.type, "default": parameter.default, "description": parameter.description}
            for name, parameter in pipeline.run_parameters.items()
        },
        "loops": {
            name: {
                "steps": [*pipeline.members(name)],
                "items": None if loop.entries is None else [*loop.entries],
                "from": None if loop.source is None else str(loop.source),
                "parallel": loop.parallel,
                "on_failure": loop.on_failure,
            }
            for name, loop in pipeline.loops.items()
        },
        "shared": written.get("defaults", {}),
        "steps": {node.name: _step(node, given[node.name], written, levels.get(node.name)) for node in nodes},
        "exit": None if pipeline.exit is None else pipeline.exit.name,
        "targets": pipeline.targets.model_dump(mode="json"),
    }


def _step(node: Node, own: Mapping[str, Any], pipeline: Mapping[str, Any], level: int | None) -> dict[str, Any]:
    complete = {**node.step.to_dict(), "job_type": node.step.job_type}
    shared, derived = _by_source(complete, own, pipeline.get("defaults", {}))
    return {
        "kind": own["kind"],
        "own": {name: value for name, value in own.items() if name != "kind"},
        "shared": shared,
        "derived": {
            **derived,
            "level": level,
            "waits_for": [*node.dependencies],
            "takes_nothing_from": [*node.waits_only],
            "skippable": node.skippable,
            "inputs": {name: _argument(given) for name, given in node.inputs.items()},
            "hparams": {name: _argument(given) for name, given in node.hparams.items()},
            "outputs": {name: output.type for name, output in node.outputs.items()},
            **_runs(node),
        },
    }


def _by_source(
    complete: Mapping[str, Any], own: Mapping[str, Any], defaults: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what a complete step has from the defaults, and what from its kind or its instance."""
    shared: dict[str, Any] = {}
    derived: dict[str, Any] = {}
    for name, value in complete.items():
        if name in _BY_KEY:
            rest = {key: inner for key, inner in value.items() if key not in own.get(name, {})}
            from_defaults = {key: inner for key, inner in rest.items() if defaults.get(name, {}).get(key) == inner}
            shared |= {name: from_defaults} if from_defaults else {}
            left = {key: inner for key, inner in rest.items() if key not in from_defaults}
            derived |= {name: left} if left else {}
        elif name in defaults and name not in own:
            shared[name] = value
        elif name not in own:
            derived[name] = value
    return shared, {name: value for name, value in derived.items() if name not in ("kind", "outputs")}


def _argument(given: Argument) -> dict[str, Any]:
    constant = isinstance(given.source, FixedValue)
    told: dict[str, Any] = {"type": given.type, "value" if constant else "from": _source(given)}
    told |= {} if given.default is None else {"default": given.default}
    return told | ({"optional": True} if given.optional else {})


def _source(given: Argument) -> Any:
    return given.source.value if isinstance(given.source, FixedValue) else str(given.source)


def _runs(node: Node) -> dict[str, Any]:
    """Returns what runs: the step's own command line, or the trials of its study."""
    if not isinstance(node.step, TuneStep):
        return {"command": shown_command(node.step, {name: f"<{name}>" for name in node.argument_names}, node.kinds)}
    study = node.step.study
    names = dict.fromkeys((*node.inputs, *node.hparams, *study.argument_names))
    tokens = {
        name: study.fixed[name]
        if name in study.fixed and name not in (*node.hparams, *study.searched_arguments)
        else f"<{name}>"
        for name in names
    }
    return {
        "trials": {
            "study": study.name,
            "search": {name: domain.to_spec() for name, domain in study.space.items()},
            "objective": ", ".join(f"{each.direction} {each.metric}" for each in study.objectives),
            "algorithm": study.algorithm.name,
            "max_trials": study.budget.max_trials,
            "parallel": study.budget.at_once,
            **_conditions(study),
            "command": shown_command(study.step, tokens, node.kinds),
            "container": {
                name: value
                for name, value in study.step.model_dump(mode="json", exclude_defaults=True).items()
                if name not in ("name", "module", "command", "args")
            },
        }
    }


def _conditions(study: Study) -> dict[str, Any]:
    """Returns what a study refuses, stops and starts again, where it does."""
    found = {
        "constraints": list(study.constraints),
        "retries": {kind: limit for kind, limit in study.retry_limits._asdict().items() if limit},
        "stopping": spec_from_rules(study.stopping),
    }
    return {name: value for name, value in found.items() if value}


def text(found: Mapping[str, Any]) -> str:
    """Returns what `facts` found as text."""
    parameters = [
        [name, about["type"], _default(about["default"]), about["description"]]
        for name, about in found["parameters"].items()
    ]
    limits = [(name, found[name]) for name in ("schedule", "parallel", "timeout") if found[name] is not None]
    limits += [("on_failure", found["on_failure"])] if found["on_failure"] != "continue" else []
    parts = [
        ": ".join(part for part in (found["name"], found["description"]) if part),
        *(f"  {name:<10} {_short(value)}" for name, value in limits),
        "\ngraph (steps with the same number can run at the same time):",
        _columns([_place(found, name) for name in found["steps"]]),
        "\nrun parameters:",
        indented(table(["name", "type", "default", "meaning"], parameters)) if parameters else "  none",
    ]
    if found["shared"]:
        parts += ["\nshared by all steps:", _columns(_rows(found["shared"]))]
    for name, step in found["steps"].items():
        parts += [f"\n{name} ({step['kind']}{', at the end' if name == found['exit'] else ''})", _fields(step)]
    return "\n".join(parts)


def _place(found: Mapping[str, Any], name: str) -> list[str]:
    derived, own = found["steps"][name]["derived"], found["steps"][name]["own"]
    only_after, loop = derived["takes_nothing_from"], own.get("for_each") or derived.get("for_each")
    takes = [other for other in derived["waits_for"] if other not in only_after]
    notes = [
        f"takes from {', '.join(takes)}" if takes else "",
        f"after {', '.join(only_after)}" if only_after else "",
        f"for each of {_loop(found, loop)}" if loop else "",
        f"when {own['when']}" if "when" in own else "",
        "may be skipped" if derived["skippable"] and "when" not in own else "",
        "always, at the end" if name == found["exit"] else "",
    ]
    return [str(derived["level"] or ""), name, "; ".join(note for note in notes if note)]


def _loop(found: Mapping[str, Any], name: str) -> str:
    loop = found["loops"][name]
    items = loop["from"] if loop["items"] is None else f"{len(loop['items'])} items"
    limit = "" if loop["parallel"] is None else f", {loop['parallel']} in parallel"
    limit += "" if loop["on_failure"] == "continue" else f", on_failure: {loop['on_failure']}"
    return f"{name} ({items}{limit})"


def _fields(step: Mapping[str, Any]) -> str:
    derived = step["derived"]
    own = {name: value for name, value in step["own"].items() if name not in _SHOWN_ELSEWHERE}
    rest = {name: value for name, value in derived.items() if name not in (*_SHOWN_ELSEWHERE, "hparams")}
    categories = {
        "own": _rows(own),
        "shared": [[", ".join(name for name, _ in _rows(step["shared"])), ""]] if step["shared"] else [],
        "takes": [[name, _described(given)] for part in ("inputs", "hparams") for name, given in derived[part].items()],
        "writes": [[name, kind] for name, kind in derived["outputs"].items()],
        "derived": _rows(rest),
    }
    lines = [
        f"{'' if index else category:<8} {line}"
        for category, rows in categories.items()
        for index, line in enumerate(_columns(rows).splitlines())
    ]
    return "\n".join(f"  {line}" for line in lines)


# The graph, or the inputs and outputs of a step, show these.
_SHOWN_ELSEWHERE = (
    *("level", "waits_for", "takes_nothing_from", "skippable", "when", "for_each", "after"),
    *("inputs", "outputs", "values"),
)


def _rows(fields: Mapping[str, Any]) -> list[list[str]]:
    """Returns one row for each field, or for each key if keys may have different origins."""
    rows = []
    for name, value in fields.items():
        by_key = isinstance(value, dict) and name in (*_BY_KEY, "trials")
        rows += (
            [[f"{name}.{key}", _short(inner)] for key, inner in value.items()] if by_key else [[name, _short(value)]]
        )
    return rows


def _described(given: Mapping[str, Any]) -> str:
    """Returns an argument as text: its type, its source, and its value if the source was skipped."""
    source = f"from {given['from']}" if "from" in given else _short(given["value"])
    absent = (
        f", else {_short(given['default'])}" if "default" in given else ", or nothing" if "optional" in given else ""
    )
    return f"{given['type']} {source}{absent}"


def _default(value: object) -> str:
    return "must be given" if value is None else _short(value)


def _short(value: object) -> str:
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return " ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _columns(rows: list[list[str]]) -> str:
    """Returns rows without a header."""
    return indented("\n".join(table([""] * len(rows[0]), rows).splitlines()[1:])) if rows else ""
