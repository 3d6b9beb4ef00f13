"""What to write instead of a wrong command line: names that are near, keys of the file, and files that are here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from kftune.errors import KftuneError, near_names
from kftune.near import meant
from kftune.spec.kind import KindName, kind_of_file

_MOST_FILES, _MOST_BYTES, _SHOWN = 60, 100_000, 6
# A command's argument for a file -> the kinds that it takes.
_KINDS: dict[str, tuple[KindName, ...]] = {
    "file": ("study", "pipeline", "Experiment"),
    "study": ("study", "Experiment"),
}


def unknown_arguments(
    unknown: Sequence[str], arguments: Sequence[str], options: Sequence[str], files: Iterable[Path]
) -> str:
    """Returns what is wrong with arguments that a command does not have, one line each.

    Args:
        unknown: The arguments that it does not have.
        arguments: All that it was given.
        options: The options that it has, and those with choices also as ``--format json``.
        files: The files whose keys a ``key=value`` of the command sets.
    """
    keys = [key for file in files for key in file_keys(file)]
    value_of = dict(pairwise(arguments))
    lines = []
    for argument in unknown:
        name, equals, value = argument.partition("=")
        if not equals and not value_of.get(argument, "-").startswith("-"):
            value = value_of[argument]
        if argument.startswith("-"):
            lines.append(f"unknown option {name}{_meant(name, value, options, keys)}")
        elif not any(value_of.get(option) == argument for option in unknown):
            lines.append(f"unknown argument {argument!r}")
    return "\n".join(lines)


def in_the_file(file: Path, option: str, value: object) -> str:
    """Returns ``; `` and the change of a file that an option of other files stands for there, or an empty text.

    Args:
        file: The file.
        option: The option, such as ``--parallel``.
        value: What it was given.
    """
    text = str(value[0] if isinstance(value, list) else value)
    near = [] if "=" in text else meant(option, file_keys(file), keys=True)
    return f"; write {near[0]}={text}" if near else ""


def file_keys(file: Path) -> list[str]:
    """Returns the names that a ``key=value`` can set in a file; none if its kind is unknown."""
    try:
        kind, _ = kind_of_file(file)
    except (KftuneError, OSError):
        return []
    if kind.name == "study":
        from kftune.study.load import study_keys

        return study_keys(file)
    if kind.name == "pipeline":
        from kftune.pipeline.load import pipeline_keys

        return pipeline_keys(file)
    if kind.name == "Experiment":
        from kftune.cli.experiment import EDITABLE

        return [*EDITABLE]
    return []


def missing_file(argument: str) -> str:
    """Returns a line that names the files here that a command could be given, or says that there are none.

    Args:
        argument: The name of the argument: file, or study.
    """
    kinds = _KINDS.get(argument)
    if kinds is None:
        return ""
    found = list(_files_here(kinds))
    if argument == "study":
        from kftune.results.reading import folders_with_results
        from kftune.runs import RUNS

        found += folders_with_results(Path(RUNS))
    if not found:
        return "\nthere is none in this folder; kftune new hparams NAME creates a study"
    return f"\nin this folder: {', '.join(found[:_SHOWN])}{', …' if len(found) > _SHOWN else ''}"


def _files_here(kinds: Iterable[KindName]) -> Iterator[str]:
    """Yields the files of some kinds in the current folder and two levels below it."""
    levels = ("", "[!.]*/", "[!.]*/[!.]*/")
    for path in [path for level in levels for path in sorted(Path().glob(f"{level}[!.]*.y*ml"))][:_MOST_FILES]:
        try:
            if path.stat().st_size <= _MOST_BYTES and kind_of_file(path)[0].name in kinds:
                yield str(path)
        except (KftuneError, OSError):
            continue


def _meant(option: str, value: str, options: Sequence[str], keys: Sequence[str]) -> str:
    near = [each for each in options if each.partition(" ")[2] in (option.lstrip("-"), value) and " " in each]
    near = near or meant(option, [*(each for each in options if " " not in each), *keys], keys=True)
    as_option = " or ".join(each for each in near if each in options)
    as_key = " or ".join(f"{each}={value or '…'}" for each in near if each not in options)
    option_hint = as_option and f"; did you mean {as_option}?"
    return f"{option_hint}{as_key and f'; to change the file, write {as_key}'}"


def choice_problem(value: object, choices: Iterable[object]) -> str:
    """Returns what is wrong with a value that is not one of the choices of an argument.

    Args:
        value: The value.
        choices: What the argument takes.
    """
    names = [str(choice) for choice in choices]
    if len(names) == 1:
        return f"must be {names[0]}, but got {value!r}"
    near = near_names(str(value), names)
    return f"must be one of {', '.join(names)}, but got {value!r}{near and f'; {near}'}"
