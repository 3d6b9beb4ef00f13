"""Prints what a study or pipeline searches, runs and needs, with all defaults filled in."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from kftune.cli.arguments import a_path
from kftune.cli.given import given_kind
from kftune.cli.output import write_data
from kftune.cli.shown_command import shown_command
from kftune.cli.table import indented, table
from kftune.errors import UsageError
from kftune.stopping import spec_from_rules
from kftune.study import Objective, Study, load_study
from kftune.study.algorithms import declared

_SHOWN = 4


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("file", type=a_path, help="study or pipeline file")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="changes, such as budget.max_trials=4")
    parser.add_argument("--entity", metavar="NAME", help="of a study with for_each: the study of this entity")
    parser.add_argument("--format", choices=["text", "json"], default="text")


def run(arguments: argparse.Namespace) -> int:
    """Prints the study or the pipeline."""
    kind, _ = given_kind(arguments.file, ("study", "pipeline"))
    if kind.name == "pipeline":
        if arguments.entity is not None:
            raise UsageError(f"--entity is for a study with for_each, but {arguments.file} is {kind}")
        from kftune.cli.show_pipeline import facts, text
        from kftune.pipeline import load_pipeline

        found = facts(load_pipeline(arguments.file, arguments.overrides))
        _print(found, text(found), arguments.format)
        return 0
    study = load_study(arguments.file, arguments.overrides)
    if arguments.entity is not None:
        study = study.for_entity(arguments.entity)
    _print(_facts(study), _text(study), arguments.format)
    return 0


def _print(facts: dict[str, Any], text: str, form: str) -> None:
    if form == "json":
        write_data(f"{json.dumps(facts, indent=2, ensure_ascii=False)}\n")
    else:
        print(text)


def _facts(study: Study) -> dict[str, Any]:
    leaves = study.hparams.leaves()
    regexes = dict(study.metric_definitions)
    return {
        "name": study.name,
        "description": study.description,
        "hparams": f"{study.hparams.__module__}:{study.hparams.__name__}",
        "search": {name: domain.to_spec() for name, domain in study.space.items()},
        "size": None if math.isinf(study.size) else study.size,
        "constraints": list(study.constraints),
        "fixed": study.fixed_values,
        "defaults": {
            name: leaf.default for name, leaf in leaves.items() if leaf.has_default and name not in study.argument_names
        },
        "metrics": [
            {"name": name, "reduce": how, **({"regex": regexes[name]} if name in regexes else {})}
            for name, how in study.reductions.items()
        ],
        "direction": study.objective.direction,
        "goal": study.objective.goal,
        "objectives": [
            {"name": each.metric, "reduce": each.reduction, "direction": each.direction, "goal": each.goal}
            for each in study.objectives
        ],
        "algorithm": study.algorithm.model_dump(),
        "budget": {**study.budget.model_dump(mode="json"), "max_failed": study.budget.failures_allowed},
        "stopping": spec_from_rules(study.stopping),
        "command": shown_command(
            study.step,
            {
                name: f"<{name}>" if name in study.searched_arguments else study.fixed[name]
                for name in study.argument_names
            },
            study.kinds,
        ),
        "for_each": None
        if study.for_each is None
        else {
            "entities": [entity.name for entity in study.for_each.entities],
            "budget": study.for_each.budget.model_dump(mode="json"),
        },
        "step": study.step.model_dump(mode="json", exclude_defaults=True),
        "targets": study.targets.model_dump(mode="json"),
    }


def _retries(study: Study) -> list[str]:
    """Returns a line that says how often a trial runs again, if it does."""
    limits = study.retry_limits
    halved = limits.halve and f" ({limits.halve} is halved)"
    counts = {
        "after a failure": limits.failed,
        "when lost": limits.lost,
        f"without memory{halved}": limits.out_of_memory,
    }
    told = [f"{count} {when}" for when, count in counts.items() if count]
    return [f"  retries    {', '.join(told)}"] if told else []


def _entities(study: Study) -> list[str]:
    """Returns lines about the entities, if there are some."""
    if study.for_each is None:
        return []
    names, shared = [entity.name for entity in study.for_each.entities], study.for_each.budget
    listed = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    limits = (
        f"{shared.max_trials or study.budget.max_trials * len(names)} trials",
        f"{shared.parallel or study.budget.parallel} in parallel",
        f"at most {shared.wall_clock:g} s" if shared.wall_clock else "",
        f"fails after {shared.max_failed} failed" if shared.max_failed else "",
    )
    return [f"  for each   {len(names)} entities: {listed}", f"             {', '.join(filter(None, limits))} in all"]


def _text(study: Study) -> str:
    facts = _facts(study)
    searched = [[name, json.dumps(spec), _about(study, name)] for name, spec in facts["search"].items()]
    fixed = [[name, json.dumps(value), _about(study, name)] for name, value in facts["fixed"].items()]
    objectives = [f"{each.direction} {each.metric} ({_counted(each)})" for each in study.objectives]
    budget = study.budget
    limits = f"{budget.max_trials} trials, {budget.at_once} in parallel, fails after {budget.failures_allowed} failed"
    limited = (("each at most", budget.trial_timeout), ("all at most", budget.wall_clock))
    times = [f"{label} {seconds:g} s" for label, seconds in limited if seconds]
    of = "" if study.for_each is None else f" (of {study.for_each.entities[0].name})"
    size = "infinitely many points" if facts["size"] is None else f"{facts['size']} points"
    return "\n".join(
        [
            f"{study.name}{f': {study.description}' if study.description else ''}",
            f"  class      {facts['hparams']}",
            f"  objective  {objectives[0]}",
            *(f"             {line}" for line in objectives[1:]),
            f"  metrics    {', '.join(study.reductions)}",
            f"  algorithm  {study.algorithm.name}: {declared(study.algorithm.name).summary}",
            f"  budget     {', '.join([limits, *times])}",
            *_entities(study),
            *_retries(study),
            *([f"  stopping   {json.dumps(facts['stopping'])}"] if study.stopping else []),
            f"  command    {' '.join(facts['command'])}",
            f"\nsearched ({size}):",
            indented(table(["name", "domain", "meaning"], searched)),
            *(["\nconstraints:", *(f"  {each}" for each in study.constraints)] if study.constraints else []),
            *([f"\nfixed{of}:", indented(table(["name", "value", "meaning"], fixed))] if fixed else []),
        ]
    )


def _counted(objective: Objective) -> str:
    goal = "" if objective.goal is None else f", goal {objective.goal:g}"
    return f"{objective.reduction} of a trial's values{goal}"


def _about(study: Study, name: str) -> str:
    return study.hparams.leaf(name).description
