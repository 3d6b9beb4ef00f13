"""Study files: YAML to `Study`, with overrides from a command line, and errors with file, line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from kftune import yaml_text
from kftune.errors import KftuneError, StudyError, UsageError, suggestion
from kftune.spec.part import Part
from kftune.study.model import Study
from kftune.study.values import keys_to
from kftune.validation import Finding, findings

Loaded = TypeVar("Loaded", bound=Part)


class _Error(Protocol):
    def __call__(self, message: str, file: str | None, line: int | None, column: int | None, /) -> KftuneError: ...


# Sections whose keys are hyperparameter names, which may hold dots.
_NAMED_BY_HPARAMS = ("values", "search")
# Sections whose entries people name: who changes a part of one that is not there has misspelt it.
_NAMED_BY_PEOPLE = ("steps", "loops", "parameters")


def load_study(path: str | Path, overrides: Sequence[str] = ()) -> Study:
    """The study that a file describes.

    Args:
        path: The YAML file.
        overrides: ``budget.max_trials=4`` sets a key, ``~points`` takes one out; values are YAML.

    Raises:
        StudyError: The file describes no study; file, line and column are on it.
        YamlError: The file is not YAML.
        UsageError: An override is not of those forms.
        OSError: The file cannot be read.
    """
    return load_part(Path(path), Study, StudyError, "a study file holds a mapping (name:, hparams:, …)", overrides)


def load_part(path: Path, model: type[Loaded], error: _Error, rule: str, overrides: Sequence[str] = ()) -> Loaded:
    """What a file describes.

    Args:
        path: The YAML file.
        model: Its class.
        error: Makes the error for a file that describes none, from a message, file, line and column.
        rule: What the file must hold.
        overrides: As for `load_study`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        given = f"byte {problem.start + 1} is {problem.object[problem.start]:#04x}"
        raise error(f"the file must be UTF-8 text, but {given}; save it as UTF-8", str(path), None, None) from problem
    data = yaml_text.load(text, file=str(path))
    if not isinstance(data, Mapping):
        raise error(f"{rule}, but this one holds {data!r}", str(path), 1, 1)
    changed = [_apply(data, override) for override in overrides]  # type: ignore[arg-type]
    try:
        return model.model_validate(data, context={"folders": _folders_of(path)})
    except ValidationError as problem:
        message, place = _placed(findings(problem, model), text, str(path), changed)
        raise error(message, str(path), *place) from problem


def study_from_dict(data: Mapping[str, Any], folders: Sequence[Path] = ()) -> Study:
    """The study that nested values describe, as a study file would.

    Raises:
        StudyError: They describe none.
    """
    try:
        return Study.model_validate(dict(data), context={"folders": tuple(folders)})
    except ValidationError as error:
        raise Study.own_error(error) from error


def _apply(data: dict[str, Any], override: str) -> tuple[str, ...]:
    """Changes `data` as an override says; gives the path of keys that it changed."""
    dropped = override.startswith("~")
    name, equals, text = override.removeprefix("~").partition("=")
    if not name or bool(equals) == dropped:
        raise UsageError(f"an override is key=value or ~key, for example budget.max_trials=4, but got {override!r}")
    section, _, rest = name.partition(".")
    named = rest and section in _NAMED_BY_HPARAMS
    inner: Any = data.get(section)
    keys = (section, *keys_to(inner if isinstance(inner, dict) else {}, rest)) if named else tuple(name.split("."))
    _check_entry(inner, keys, override)
    inner = data
    for key in keys[:-1]:
        if inner.get(key) is None:
            inner[key] = {}
        inner = inner[key]
        if not isinstance(inner, dict):
            raise UsageError(f"{override} sets a key of {key}, but {key} is {inner!r}; write {key}=… whole")
    if dropped:
        if keys[-1] not in inner:
            raise UsageError(f"~{name} takes out a key of the study, but it has none of that name")
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = yaml_text.load(text, file=f"override {override!r}")
    return keys


def _check_entry(entries: Any, keys: Sequence[str], override: str) -> None:
    if len(keys) > 2 and keys[0] in _NAMED_BY_PEOPLE and isinstance(entries, dict) and keys[1] not in entries:
        raise UsageError(
            f"{override} changes what is there, but {keys[0]} has no {keys[1]!r}; "
            f"{suggestion(keys[1], map(str, entries))}"
        )


def _placed(
    found: Sequence[Finding], text: str, file: str, overridden: Sequence[tuple[str, ...]]
) -> tuple[str, tuple[int, int]]:
    """One message for all findings, and the place of the first; the others stand under it with theirs."""
    lines, first = [], (1, 1)
    for index, finding in enumerate(found):
        place = yaml_text.locate(text, finding.path, key=finding.at_key)
        by_override = any(_concerns(finding, keys) for keys in overridden)
        note = " (set by an override)" if by_override else ""
        if index == 0:
            first = place
            lines.append(f"{finding}{note}")
        else:
            lines.append(f"{file}:{place[0]}:{place[1]}: {finding}{note}")
    return "\n".join(lines), first


def _concerns(finding: Finding, changed: tuple[str, ...]) -> bool:
    """Whether a finding is about keys that an override changed."""
    if finding.at_key:  # an unknown key, of which the override may have set a part
        return changed[: len(finding.path)] == finding.path
    return finding.path[: len(changed)] == changed


def _folders_of(path: Path) -> tuple[Path, ...]:
    """Where the modules that a study file names are looked for: its own folder, then the current one."""
    return tuple(dict.fromkeys((path.resolve().parent, Path.cwd())))
