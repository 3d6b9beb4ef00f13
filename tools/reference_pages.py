"""Writes the pages of the reference: the keys of each file, and the algorithms. Generated from schemas and engines.

python tools/reference_pages.py docs/reference
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reference_examples import ALGORITHM, EXPERIMENTS, PIPELINE, PROJECT, STUDY
from reference_schema import Section, sections, text

from kftune.experiments.file import experiments_schema
from kftune.katib.engines import engine_of
from kftune.katib.engines.settings import SEED
from kftune.local.samplers import RUNS_ON_KATIB_ONLY
from kftune.pipeline import steps as kinds_of_steps
from kftune.pipeline.schema import pipeline_schema
from kftune.pipeline.steps import EXIT_HAS_NO, StepConfig
from kftune.project.model import project_schema
from kftune.study.algorithms import HERE_ONLY, KNOWN, declared
from kftune.study.schema import study_schema

_GENERATED = "This page is generated: `python tools/reference_pages.py docs/reference`."
_VALUES = {
    "duration": "A **duration** is a number of seconds, or a text such as `90s`, `30m`, `1h30m` or `2d`.",
    "quantity": "A **quantity** is one of Kubernetes: `2` or `500m` cores, `512Mi` or `4Gi` of memory.",
}
_ALGORITHMS = """
The algorithms of a study, under Katib's names. `kftune run` takes the same names and settings. random, grid and
hyperband run here without an extra, the others with `kftune[local]`, bayesianoptimization with `kftune[local,train]`.
A study writes a seed as `seed`, not as a setting. A study without `algorithm` uses multivariate-tpe, which finds the
best values of those that need no other extra: [what searches find](../search.md) compares it with other tools. With
[several objectives](../guides/objectives.md) nsga2, tpe, multivariate-tpe, bayesianoptimization, random, grid and sobol
run here.
"""
_NO_SEED = " Katib's engine takes no seed; `algorithm.seed` has an effect on this machine only."
_STUDY = """
A study file says what is searched, how, and what each trial runs. `kftune schema study` prints the same as JSON
Schema, for editors. Any key can be changed on a command line, as in
`kftune run study.yaml budget.max_trials=4 step.resources.gpu=1`; `~points` removes one.
[A first study](../guides/first-study.md) shows how they work together; [Algorithms](algorithms.md) has their settings.
"""
_PIPELINE = """
A pipeline file says which steps run, with which inputs. `kftune schema pipeline` prints the same as JSON Schema, for
editors. Any key can be changed on a command line, as in
`kftune render pipeline.yaml --target argo steps.train.resources.gpu=1`.
[Pipelines](../guides/pipelines.md) explains references, loops and conditions.
"""
_PROJECT = """
A project file says which studies and pipelines of its folder belong together, and what they need in their namespace.
`kftune schema project` prints the same as JSON Schema, for editors.
[kubectl apply](../guides/kubectl.md) shows how it is used.
"""
_EXPERIMENTS = """
An experiment list names experiments, and what they should reach. `kftune schema experiments` prints the same as JSON
Schema, for editors. Any key can be changed on a command line, as in
`kftune experiments --config experiments.yaml experiments.deep.layers=5`.
[Experiment lists](../guides/experiment-lists.md) shows how it is used.

`objective`, `metrics` and `step` have the keys that they have in a study: [`objective`](study.md#objective),
[`metrics[]`](study.md#metrics), [`step`](study.md#step); `katib` has those of [`targets.katib`](study.md#targetskatib).
"""
# What `study.md` describes.
_OF_STUDIES = ("Domain", "KatibTarget", "MetricSpec", "Objective", "Step")


def main(arguments: list[str]) -> int:
    """Writes all pages into a folder."""
    (folder,) = arguments
    for name, page in all_pages():
        Path(folder, name).write_text(page, encoding="utf-8")
    return 0


def all_pages() -> Iterator[tuple[str, str]]:
    """Yields file name and text of each page."""
    yield "study.md", _file_page("study.yaml", _STUDY, study_sections(), STUDY)
    yield "pipeline.md", _file_page("pipeline.yaml", _PIPELINE, pipeline_sections(), PIPELINE, [_kinds()])
    yield "project.md", _file_page("project.yaml", _PROJECT, project_sections(), PROJECT)
    yield "experiments.md", _file_page("experiments.yaml", _EXPERIMENTS, experiments_sections(), EXPERIMENTS)
    yield "algorithms.md", _algorithms()


def study_sections() -> list[Section]:
    """Returns the sections of a study file."""
    return sections(study_schema(), skip=("Domain",))


def project_sections() -> list[Section]:
    """Returns the sections of a project file."""
    return sections(project_schema())


def experiments_sections() -> list[Section]:
    """Returns the one section of an experiment list."""
    return sections(experiments_schema(), skip=_OF_STUDIES)


def pipeline_sections() -> list[Section]:
    """Returns the sections of a pipeline file, with one for all kinds of steps."""
    schema = pipeline_schema()
    definitions = schema["$defs"]
    kinds = {step.__name__: definitions[step.__name__] for step in _steps()}
    definitions["AnyStep"] = _any_step(kinds)
    schema["properties"]["steps"]["additionalProperties"] = {"$ref": "#/$defs/AnyStep"}
    found = sections(schema, first=("steps",), skip=("Domain", "Study"))
    like_steps = {"defaults": ", ".join(f"`{name}`" for name in definitions["SharedFields"]["properties"])}
    like_steps["exit"] = f"all but {', '.join(f'`{name}`' for name in EXIT_HAS_NO)}"
    return [
        each._replace(keys=[], same_as=f"steps.NAME: {like_steps[each.path]}") if each.path in like_steps else each
        for each in found
        if not each.path.startswith(("defaults.", "exit."))
    ]


def _steps() -> list[type[StepConfig]]:
    names = ("DataStep", "TuneStep", "TrainStep", "EvaluateStep", "RegisterStep", "ContainerStep")
    return [getattr(kinds_of_steps, name) for name in names]


def _any_step(kinds: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns a definition with the keys of all kinds of steps."""
    properties: dict[str, Any] = {}
    for definition in kinds.values():
        for name, field in definition["properties"].items():
            own = [kind for kind, other in kinds.items() if name in other["properties"]]
            which = {len(kinds): "", 1: " Only in a tune step."}.get(len(own), " Not in a tune step.")
            properties.setdefault(name, {**field, "description": field["description"] + which})
    kind, job_type = properties.pop("kind"), properties["job_type"]
    del job_type["default"]
    names = [definition["properties"]["kind"]["const"] for definition in kinds.values()]
    first = {"kind": {"enum": names, "description": f"{kind['description']}: see the table above."}}
    meaning = "One step. It is run by `module` or by `command`, a tune step by its study."
    return {"description": meaning, "properties": {**first, **properties}, "required": ["kind"]}


def _kinds() -> str:
    """Returns the table of the kinds of steps."""
    rows = [
        "## Kinds of steps",
        "",
        "| kind | what it does | outputs that it has unless others are given |",
        "|---|---|---|",
    ]
    for step in _steps():
        fields = step.model_fields
        outputs = fields["outputs"].get_default(call_default_factory=True)
        written = ", ".join(f"`{name}` ({output.type})" for name, output in outputs.items())
        if "study" in fields:
            written = "`best.NAME`, `best_trial`, `objective`, `metrics`, `report`: always these"
        rows.append(f"| `{fields['kind'].default}` | {text(str(step.__doc__).partition(chr(10))[0])} | {written} |")
    return "\n".join(rows)


def _file_page(
    name: str, about: str, found: list[Section], examples: dict[str, str], more: list[str] | None = None
) -> str:
    """Returns the page of a file."""
    own, *others = found
    kinds = {key.kind for section in found for key in section.keys}
    values = [meaning for kind, meaning in _VALUES.items() if kind in kinds]
    contents = ", ".join(f"[`{section.path}`](#{_anchor(section.path)})" for section in others)
    parts = [f"# {name}", about.strip(), " ".join(values), f"Sections: {contents}." if others else "", _GENERATED]
    parts += ["## Keys of the file", _keys(own, examples), *(more or [])]
    for section in others:
        parts += [f"## `{section.path}`", section.meaning, _keys(section, examples)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _keys(section: Section, examples: dict[str, str]) -> str:
    if section.same_as:
        path, _, which = section.same_as.partition(": ")
        line = f"The keys are those of [`{path}`](#{_anchor(path)}){f': {which}' if which else ''}."
        return f"{line}{_example(examples.get(section.path))}"
    return "\n".join(key.line() for key in section.keys) + _example(examples.get(section.path))


def _anchor(path: str) -> str:
    return "".join(letter for letter in path.lower() if letter.isalnum() or letter in "_-")


def _example(code: str | None) -> str:
    return "" if code is None else f"\n\n```yaml\n{code.strip()}\n```"


def _algorithms() -> str:
    """Returns the page of the algorithms."""
    parts = [
        "# Algorithms",
        _ALGORITHMS.strip(),
        _GENERATED,
        "\n".join(["| name | what it does | runs on |", "|---|---|---|", *(_algorithm_row(name) for name in KNOWN)]),
    ]
    for name in KNOWN:
        summary = declared(name).summary
        settings = {key: setting for key, setting in declared(name).settings.items() if key != SEED}
        lines = [
            f"- **`{key}`** ({setting.values.rule}{'; required' if setting.required else ''}): {setting.meaning}"
            for key, setting in settings.items()
        ]
        seed = "" if name in HERE_ONLY or engine_of(name).seeded else _NO_SEED
        parts += [f"## {name}", f"{summary[:1].upper()}{summary[1:]}.{seed}"]
        parts.append(("\n".join(lines) if lines else "It has no settings.") + _example(ALGORITHM[name]))
    return "\n\n".join(parts) + "\n"


def _algorithm_row(name: str) -> str:
    where = "Katib; here in Experiments only" if name in RUNS_ON_KATIB_ONLY else "this machine and Katib"
    where = "this machine" if name in HERE_ONLY else where
    return f"| [`{name}`](#{name}) | {declared(name).summary} | {where} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
