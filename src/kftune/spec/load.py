"""Loads YAML files into models, with overrides from a command line, and errors with file, line and column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from kftune import yaml_text
from kftune.errors import KftuneError, UsageError, near_names, suggestion
from kftune.near import meant
from kftune.spec.part import Part
from kftune.validation import InputProblem, findings, inner_keys

Loaded = TypeVar("Loaded", bound=Part)
Keys = tuple[str, ...]
_NULLS = frozenset({"", "~", "null"})


@dataclass(frozen=True, kw_only=True)
class FileType(Generic[Loaded]):
    """What `load_part` needs to know of one kind of file.

    Attributes:
        name: What messages call it, such as "study".
        keys: Its first keys, as an example.
        model: The class to load.
        dotted: Sections with keys that may hold dots.
        named: Sections with entries that the user named. An override cannot add a part of a new entry.
        elsewhere: Returns dotted names that a first key could have been meant for, given the content of a file and the
            folders of its modules; only mistakes need them.
        further: Returns what is wrong beyond the fields of the class, given the same.
    """

    name: str
    keys: str
    model: type[Loaded]
    dotted: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    elsewhere: Callable[[Mapping[str, Any], Sequence[Path]], Iterable[str]] = lambda data, folders: ()
    further: Callable[[Mapping[str, Any], Sequence[Path]], Sequence[InputProblem]] = lambda data, folders: ()


def load_part(path: Path, file_type: FileType[Loaded], overrides: Sequence[str] = ()) -> Loaded:
    """Returns what a file describes.

    Args:
        path: The YAML file.
        file_type: Its kind.
        overrides: ``key.key=value`` sets a key, ``~key`` removes one; values are YAML.

    Raises:
        KftuneError: The content is invalid; the class is `model.ERROR`, with file, line and column.
        YamlError: The file is not YAML.
        UsageError: An override has another form, or names something that does not exist.
        OSError: The file cannot be read.
    """
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    data = yaml_text.load(text, file=str(path))
    if not isinstance(data, dict):
        what = f"{_with_article(file_type.name)} file"
        message = f"{what} holds a mapping ({file_type.keys}, …), but this one holds {data!r:.80}"
        raise file_type.model.ERROR(message, str(path), 1, 1)
    folders = _folders_of(path)
    changed = {}
    for override in overrides:
        _check_section(data, override, file_type, folders)
        changed[_override(data, override, file_type)] = override
    made, found, cause = _made(data, file_type, folders)
    if made is None or found:
        message, place = _placed(found, text, str(path), changed)
        raise file_type.model.ERROR(message, str(path), *place) from cause
    return made


def part_from_dict(data: Mapping[str, Any], file_type: FileType[Loaded], folders: Sequence[Path] = ()) -> Loaded:
    """Returns what nested values describe, with all checks of a file of that kind.

    Args:
        data: The values.
        file_type: The kind.
        folders: Where the modules and files that they name are looked for.

    Raises:
        KftuneError: They are invalid; the class is `model.ERROR`.
    """
    made, found, cause = _made(data, file_type, folders)
    if made is None or found:
        raise file_type.model.ERROR("\n".join(map(str, found))) from cause
    return made


def _made(
    data: Mapping[str, Any], file_type: FileType[Loaded], folders: Sequence[Path]
) -> tuple[Loaded | None, list[InputProblem], ValidationError | None]:
    """Returns what values describe, or all that is wrong with them."""
    made: Loaded | None = None
    cause: ValidationError | None = None
    found = [InputProblem(path, "a text cannot hold the character NUL; remove it") for path in _with_nul(data)][:1]
    if found:
        return None, found, None
    try:
        made = file_type.model.model_validate(dict(data), context={"folders": tuple(folders)})
    except ValidationError as error:
        cause, found = error, findings(error, file_type.model, file_type.elsewhere(data, folders))
    return made, [*found, *file_type.further(data, folders)], cause


def _with_nul(data: Any) -> Iterator[Keys]:
    """Yields where a text, or a key, has the character NUL, which no argument, variable and path can have."""
    waiting: list[tuple[Keys, Any]] = [((), data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str) and "\0" in value:
            yield path
        elif isinstance(value, Mapping):
            waiting += [((*path, key), part) for key, inner in value.items() for part in (inner, key)]
        elif isinstance(value, (list, tuple)):
            waiting += [((*path, str(index)), inner) for index, inner in enumerate(value)]


def part_of(model: type[Loaded], data: Mapping[str, Any], folders: Sequence[Path] = ()) -> Loaded:
    """Returns what nested values describe, as a file of them would.

    Args:
        model: The class.
        data: The values.
        folders: Where the modules and files that they name are looked for.

    Raises:
        KftuneError: They are invalid; the class is `model.ERROR`.
    """
    try:
        return model.model_validate(dict(data), context={"folders": tuple(folders)})
    except ValidationError as error:
        raise model.own_error(error) from error


def keys_to(values: Mapping[str, Any], name: str) -> Keys:
    """Returns the keys that lead to a dotted name in a mapping.

    Args:
        values: A mapping that may be nested, have dotted keys, or both.
        name: The dotted name.
    """
    if name in values:
        return (name,)
    for key, inner in values.items():
        if isinstance(inner, Mapping) and name.startswith(f"{key}."):
            return (key, *keys_to(inner, name.removeprefix(f"{key}.")))
    return (name,)


def keys_of(path: Path, file_type: FileType[Any]) -> list[str]:
    """Returns the dotted names that an override of a file can set; for a hint, so an invalid file has only some.

    Args:
        path: The YAML file.
        file_type: Its kind.
    """
    try:
        data = yaml_text.load(path.read_text(encoding="utf-8", errors="surrogateescape"), file=str(path))
    except (KftuneError, OSError):
        data = None
    return _known(data if isinstance(data, dict) else {}, file_type, _folders_of(path))


def _known(data: Mapping[str, Any], file_type: FileType[Any], folders: Sequence[Path]) -> list[str]:
    """Returns what an override can set, without the sections themselves."""
    inner = inner_keys(file_type.model)
    sections = {name.rpartition(".")[0] for name in inner}
    return [name for name in (*file_type.model.model_fields, *inner) if name not in sections] + [
        *file_type.elsewhere(data, folders)
    ]


def _check_section(data: Mapping[str, Any], override: str, file_type: FileType[Any], folders: Sequence[Path]) -> None:
    """Rejects an override that sets a first key which files of this kind do not have."""
    name, equals, text = override.partition("=")
    section = name.partition(".")[0]
    if not equals or override.startswith("~") or section in {"", *file_type.model.model_fields, *data}:
        return
    near = [f"{each}={text}" for each in meant(name, _known(data, file_type, folders), keys=True)]
    hint = f"did you mean {' or '.join(near)}?" if near else suggestion(section, file_type.model.model_fields)
    raise UsageError(f"{override}: {_with_article(file_type.name)} has no key {section!r}; {hint}")


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _override(data: dict[str, Any], override: str, file_type: FileType[Any]) -> Keys:
    """Changes `data` as an override says; returns the keys to the value that it changed."""
    removes = override.startswith("~")
    name, equals, text = override.removeprefix("~").partition("=")
    if not name or bool(equals) == removes:
        raise UsageError(f"an override is key=value or ~key, for example budget.max_trials=4, but got {override!r}")
    section, _, rest = name.partition(".")
    entries = data.get(section)
    keys = tuple(name.split("."))
    if rest and section in file_type.dotted:
        keys = (section, *keys_to(entries if isinstance(entries, dict) else {}, rest))
    if len(keys) > 2 and section in file_type.named and isinstance(entries, dict) and keys[1] not in entries:
        near = suggestion(keys[1], map(str, entries))
        raise UsageError(f"{override}: an override changes what exists, but {section} has no {keys[1]!r}; {near}")
    parent = _parent(data, keys, override, create=not removes)
    if not removes:
        parent[keys[-1]] = yaml_text.load(text, file=f"override {override!r}")
    elif keys[-1] in parent:
        del parent[keys[-1]]
    else:
        where = ".".join(keys[:-1]) or f"the {file_type.name}"
        known = [*file_type.model.model_fields, *inner_keys(file_type.model)] if len(keys) == 1 else ()
        near = near_names(keys[-1], {*map(str, parent), *known} - {keys[-1]}, keys=True)
        raise UsageError(f"{override} removes a key, but {where} has no {keys[-1]!r}{near and f'; {near}'}")
    return keys


def _parent(data: dict[str, Any], keys: Keys, override: str, *, create: bool) -> dict[str, Any]:
    """Returns the mapping that holds the last key; an empty one for a mapping that is missing."""
    inner: Any = data
    for key in keys[:-1]:
        if inner.get(key) is None and create:
            inner[key] = {}
        inner = inner.get(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{override} changes a key of {key}, but {key} is {inner!r}; set {key} as a whole")
    return inner  # type: ignore[no-any-return]


def _placed(
    found: Sequence[InputProblem], text: str, file: str, overridden: Mapping[Keys, str]
) -> tuple[str, tuple[int, int]]:
    """Returns one message for all findings, and the place of the first; the others have theirs in the message."""
    lines, first = [], (1, 1)
    for index, finding in enumerate(found):
        place = yaml_text.locate(text, finding.path, key=finding.at_key)
        note = _cause([override for keys, override in overridden.items() if _concerns(finding, keys)])
        if index == 0:
            first = place
        lines.append(f"{f'{file}:{place[0]}:{place[1]}: ' if index else ''}{finding}{note}")
    return "\n".join(lines), first


def _cause(overrides: Sequence[str]) -> str:
    """Returns what a message says of the overrides that a finding is about."""
    parts = [each.partition("=") for each in overrides]
    nulls = [name for name, equals, text in parts if equals and text.strip().lower() in _NULLS]
    if nulls:
        return f" (set by an override; '~{nulls[0]}' removes the key)"
    return " (set by an override)" if overrides else ""


def _concerns(finding: InputProblem, changed: Keys) -> bool:
    """Returns whether a finding is about keys that an override changed."""
    if finding.at_key:  # an unknown key, of which the override may have set a part
        return changed[: len(finding.path)] == finding.path
    return finding.path[: len(changed)] == changed


def _folders_of(path: Path) -> tuple[Path, ...]:
    """Returns where the modules that a file names are looked for: its own folder, then the current one."""
    return tuple(dict.fromkeys((path.resolve().parent, Path.cwd())))
