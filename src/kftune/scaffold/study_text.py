"""Writes the text of a study over a script's own arguments."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kftune.scaffold.class_text import lines_of
from kftune.scaffold.fields import Fields, WrittenField
from kftune.scaffold.names import class_name_of
from kftune.scripts.prints import Printed, Stored
from kftune.scripts.script import Script

_TUNED_FIRST = ("lr", "learning_rate", "rate", "batch_size")


def study_text(name: str, command: Sequence[str], script: Script, fields: Fields, metrics: Metrics) -> str:
    """Returns a study.

    Args:
        name: The model's name.
        command: The command line that runs the script.
        script: What the script takes.
        fields: What the class has of it.
        metrics: What the script prints, and what it only stores.
    """
    dashed = name.replace("_", "-")
    parts = [
        f"# Written by `kftune new hparams {name} --from {script.file}`, which stays as it is. Change it as you like.\n"
        "# yaml-language-server: $schema=study.schema.json\n"
        "# (kftune schema study > study.schema.json lets an editor complete and check this file)\n"
        f"name: {dashed}\n"
        f"hparams: {name}_hparams:{class_name_of(name)}\n",
        _values(fields, searched_first(fields)),
        _search(fields),
        _objective(script, *metrics),
        "algorithm: {name: random, seed: 1}\n"
        "budget: {max_trials: 8, parallel: 1, trial_timeout: 1h}\n"
        "step:\n"
        "  name: train\n"
        f"  image: registry.example/{dashed}:1 # for a cluster: an image with the script and what it imports\n"
        f"  command: {_flow(command)}\n",
        _args(script, fields),
        f"  arguments: {_flow_mapping(fields.style())} # how the script takes them\n" if fields.style() else "",
        "  resources: {cpu: 1, memory: 2Gi}\n",
    ]
    return "".join(parts)


Metrics = tuple[list[Printed], list[Stored]]


def needed_of(fields: Fields) -> list[tuple[str, str]]:
    """Returns the place of each group of which one argument must be given, and what to do about it.

    Args:
        fields: What the class has of the script.
    """
    groups: dict[str, list[str]] = {}
    for each in fields.fields:
        if each.argument.alternative:
            groups.setdefault(each.argument.alternative, []).append(each.name)
    return [
        (place, f"one of {', '.join(names)} must be given: write it under values") for place, names in groups.items()
    ]


def _values(fields: Fields, searched: WrittenField | None) -> str:
    required = [each for each in fields.fields if each.default is None and each is not searched]
    lines = [f"  {each.name}: # {each.argument.name} must be given ({each.argument.place})\n" for each in required]
    notes = lines_of([f"{text[0].upper()}{text[1:]} ({place})." for place, text in needed_of(fields)], "")
    return f"{notes}values:\n{''.join(lines)}" if lines else notes


def searched_first(fields: Fields) -> WrittenField | None:
    """Returns the hyperparameter that the study searches: the likeliest to matter of those with a proposed domain.

    Args:
        fields: What the class has of the script.
    """
    return min((each for each in fields.fields if each.domain), key=_order, default=None)


def _search(fields: Fields) -> str:
    """Returns the domains: the likeliest one to search, the others as comments."""
    proposed = [each for each in fields.fields if each.domain]
    first = searched_first(fields)
    if first is None:
        names = [each.name for each in fields.fields]
        example = f", for example {names[0]}: {{choice: […]}}" if names else ""
        return f"# Write what to search{example}; docs/guides/domains.md lists the domains.\nsearch: {{}}\n"
    rest = "".join(f"  # {each.name}: {each.domain}{_default(each)}\n" for each in proposed if each is not first)
    more = " Take the # away to search more." if rest else ""
    head = f"# Proposed from names and defaults: check each.{more}\nsearch:\n"
    return f"{head}  {first.name}: {first.domain}{_default(first)}\n{rest}"


def _default(each: WrittenField) -> str:
    return f" # default {each.default}" if each.default is not None else ""


def _order(each: WrittenField) -> int:
    last = each.name.rpartition(".")[2]
    if last in _TUNED_FIRST:
        return _TUNED_FIRST.index(last)
    return len(_TUNED_FIRST) + ("lr" not in last) + 2 * (each.annotation != "float")


def _objective(script: Script, printed: Sequence[Printed], stored: Sequence[Stored]) -> str:
    notes: list[str] = []
    chosen = next((each for each in printed if each.of_validation), None)
    for each in printed:
        if each is not chosen:
            notes.append(f"{each.place} prints {_metric(each)}")
    for one in stored:
        notes.append(f"{one.place} gives {one.name} to a logger; a study reads what is printed, such as {_plain(one)}")
    if chosen:
        return f"objective: {_metric(chosen)} # {chosen.place} prints it\n{lines_of(notes, '')}"
    why = f"{script.file} prints {'none about validation data' if printed else 'none that is known'}"
    head = lines_of([f"Write the metric that counts: {why}.", *notes], "")
    return f"{head}objective:\n  metric:\n  direction: minimize\n"


def _plain(stored: Stored) -> str:
    return f"{stored.name}=0.5"


def _metric(each: Printed) -> str:
    regex = f", regex: '{each.regex.replace(chr(39), chr(39) * 2)}'" if each.regex else ""
    return f"{{metric: {_scalar(each.name)}, direction: {each.direction}{regex}}}"


def _args(script: Script, fields: Fields) -> str:
    """Returns what comes before the hyperparameters: a subcommand, and arguments that have a position."""
    needed = [each.position or "VALUE" for each in fields.positions if each.required]
    start = f"  args: {_flow(script.start)}\n" if script.start else ""
    if not needed:
        return start
    example = _flow([*script.start, *(name.upper() for name in needed)])
    return f"{start}  # The script also needs {', '.join(needed)}: write args: {example}\n"


def _flow(tokens: Sequence[str]) -> str:
    return f"[{', '.join(map(_scalar, tokens))}]"


def _flow_mapping(values: dict[str, str]) -> str:
    return f"{{{', '.join(f'{key}: {value}' for key, value in values.items())}}}"


def _scalar(text: str) -> str:
    plain = text.replace("/", "").replace("_", "").replace(".", "").replace("-", "").isalnum()
    return text if plain and text[0].isalpha() and text.lower() not in ("true", "false", "null") else json.dumps(text)
