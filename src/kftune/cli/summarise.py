"""Finds what the trials of many entities have in common: good ranges, shared defaults, a narrowed space.

kftune summarise --across runs/circuits
kftune summarise --across runs/north runs/south runs/east --out narrowed.yaml

An entity is a study with the same objective, such as the circuit of a plant. A place is what kftune results takes, or a
folder that has the results of each entity in a folder of its own. Only the order of trials within an entity counts.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kftune.cli.arguments import a_path, a_source
from kftune.cli.output import write_data
from kftune.cli.places import add_source_options, open_several_given
from kftune.cli.table import fitted
from kftune.errors import UsageError
from kftune.results.across import summarise
from kftune.results.export import to_text
from kftune.results.trials import Trials

_MOST_ENTITIES = 10
_CLEAR = ((0.01, "clear"), (0.05, "likely"))


def configure(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--across",
        nargs="+",
        default=[],
        type=a_source,
        metavar="PLACE",
        help="the results of two or more entities, or a folder that has them",
    )
    parser.add_argument("--metric", help="the metric that counts (default: the objective)")
    parser.add_argument(
        "-o", "--out", type=a_path, metavar="FILE", help="write the study with the narrowed space and the defaults"
    )
    parser.add_argument("--force", action="store_true", help="overwrite that file")
    add_source_options(parser)
    parser.add_argument("--format", choices=["text", "json"], default="text")


def run(arguments: argparse.Namespace) -> int:
    """Prints the summary; the exit code is 1 if no entity has two trials with a result."""
    if not arguments.across:
        raise UsageError("summarise needs --across PLACE …: the results of two or more entities, or a folder of them")
    out: Path | None = arguments.out
    if out is not None and out.exists() and not arguments.force:
        raise UsageError(f"{out} already exists; nothing was written. Give --force to overwrite it, or another --out")
    with ExitStack() as stack:
        opened = [
            stack.enter_context(each) for place in arguments.across for each in open_several_given(arguments, place)
        ]
        found = summarise(opened, arguments.metric)
        notes = [] if out is None else _write(found, opened, arguments.through, out)
    if arguments.format == "json":
        write_data(to_text({**found, "written": None if out is None else str(out), "notes": notes}))
    else:
        print("\n".join([*_text(found), *notes, *([] if out is None else [f"wrote {out}"])]))
    return 0 if found["defaults"] is not None else 1


def _write(found: Mapping[str, Any], opened: Sequence[Trials], file: Path | None, out: Path) -> list[str]:
    """Writes the narrowed study; returns what a reader has to know about it."""
    from kftune import yaml_text
    from kftune.errors import KftuneError
    from kftune.files import write_text
    from kftune.results.across.study_file import narrowed_study
    from kftune.study import load_study, study_from_dict

    if file is None:
        study, notes = narrowed_study(found, opened)
    else:
        given, base = load_study(file), yaml_text.load_file(file)
        one = given if given.for_each is None else given.for_entity(given.for_each.entities[0].name)
        study, notes = narrowed_study(found, opened, base, one.space)  # type: ignore[arg-type]  # it is a mapping
    head = f"# Written by kftune summarise from {found['trials']} trials of {len(found['entities'])} entities.\n"
    write_text(out, head + "".join(f"# {note}\n" for note in notes) + yaml_text.dump(study))
    places = (out.parent, *([] if file is None else [file.parent]), Path.cwd())
    folders = [*dict.fromkeys(each.resolve() for each in places)]
    try:
        study_from_dict(study, folders)
    except KftuneError as error:
        notes.append(f"the study needs a change before it loads: {error}")
    return notes


def _text(found: Mapping[str, Any]) -> Iterator[str]:
    objective, entities = found["objective"], found["entities"]
    yield f"{objective['direction']} {objective['metric']}: {found['trials']} trials of {len(entities)} entities\n"
    if found["ranges"]:
        header = ["hyperparameter", "good values", "evidence", "best in them", "all in them"]
        yield f"{fitted(header, [_range_row(each) for each in found['ranges']], 'json')}\n"
    yield from _about_defaults(found["defaults"], found["order"])
    if found["narrowed"]:
        yield "narrowed space"
        yield from (f"  {name}: {_inline(found['space'][name])}" for name in found["narrowed"])
        yield ""
    yield from _about_entities(found)
    for caution in found["cautions"]:
        yield f"caution: {caution}"


def _range_row(found: Mapping[str, Any]) -> list[str]:
    values = ", ".join(map(str, found["values"])) if "values" in found else f"{found['low']:.4g} to {found['high']:.4g}"
    evidence = next((word for chance, word in _CLEAR if found["chance"] <= chance), "none")
    return [found["name"], values, evidence, f"{found['agree']} of {found['of']}", f"{found['tried']:.0%}"]


def _about_defaults(best: Mapping[str, Any] | None, order: Mapping[str, int] | None) -> Iterator[str]:
    if best is None:
        yield "no shared defaults: no two trials of an entity have a result\n"
        return
    yield "shared defaults"
    yield from (f"  {name}: {_inline(value)}" for name, value in best["values"].items())
    yield f"  tried as {best['trial']} of {best['entity']}"
    yield f"  expected to be better than {1 - best['rank']:.0%} of the trials that an entity has"
    if best["own_rank"] is not None:
        share, count = 1 - best["own_rank"], best["entities"]
        yield f"  better than {share:.0%} of the other trials in the {count} entities that have tried them"
    if order is not None and order["pairs"]:
        yield (
            f"  of two trials of an entity, the others say in {order['right'] / order['pairs']:.0%} of cases which is "
            f"better"
        )
    yield ""


def _about_entities(found: Mapping[str, Any]) -> Iterator[str]:
    known = {each["label"]: each for each in found["entities"]}
    if not found["own"]:
        yield "no entity clearly gains from its own values\n"
        return
    yield f"worth tuning on their own: {len(found['own'])} of {len(known)}"
    header = ["entity", "trials", "best", "gain over defaults", "90 % interval"]
    yield fitted(header, [_entity_row(known[label]) for label in found["own"][:_MOST_ENTITIES]], "json")
    if len(found["own"]) > _MOST_ENTITIES:
        yield f"and {len(found['own']) - _MOST_ENTITIES} more (--format json has all)"
    yield ""


def _entity_row(entity: Mapping[str, Any]) -> list[str]:
    gain = entity["gain"]
    low, high = gain["interval"]
    return [
        entity["label"],
        str(entity["with_result"]),
        f"{entity['best']['value']:.6g}",
        f"{gain['over_defaults']:.4g}{'' if gain['tried_defaults'] else ' (estimated)'}",
        f"{low:.4g} to {high:.4g}",
    ]


def _inline(value: Any) -> str:
    """Returns a value as a study file could have it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_inline(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
