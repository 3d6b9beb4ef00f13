"""What a hyperparameter class gets for each argument of a script, and how its step writes the arguments."""

from __future__ import annotations

import keyword
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kftune.hparams import Hparams
from kftune.scaffold.proposals import proposed
from kftune.scripts.script import UNKNOWN, Script, ScriptArgument

# Names that the text of the class uses.
_USED = frozenset({"bool", "float", "int", "list", "str", "Hparam", "Hparams", "Literal", "help"})
_PLAIN: dict[str, type] = {"int": int, "float": float, "text": str, "bool": bool, "flag": bool}


class WrittenField(NamedTuple):
    """A field of the class."""

    name: str
    """Its dotted name."""
    annotation: str
    default: str | None
    """As Python text; None if it has none."""
    argument: ScriptArgument
    domain: str
    """The domain to propose, as a study has it; empty for none."""


class OpenField(NamedTuple):
    """A field that the user has to complete, because its default is computed."""

    name: str
    annotation: str
    argument: ScriptArgument


@dataclass(frozen=True)
class Fields:
    """What became of the arguments of a script."""

    fields: list[WrittenField] = field(default_factory=list)
    open: list[OpenField] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """A line for each argument that is left out, with the reason."""
    positions: list[ScriptArgument] = field(default_factory=list)
    names: str = "underscores"
    form: str = "--name=value"
    booleans: str = "value"

    def style(self) -> dict[str, str]:
        """Returns the settings of `step.arguments` that are not its defaults."""
        own = {"names": "underscores", "style": "--name=value", "booleans": "value"}
        return {key: value for key, value in self._settings().items() if value != own[key]}

    def _settings(self) -> dict[str, str]:
        return {"names": self.names, "style": self.form, "booleans": self.booleans}


_NO_NAME = "it has no name that begins with --"


class _LeftOutError(Exception):
    """An argument that a study cannot set."""


def fields_of(script: Script) -> Fields:
    """Returns what a hyperparameter class gets for each argument of a script.

    Args:
        script: What the script takes.
    """
    options = [argument for argument in script.arguments if argument.flags]
    found = Fields(
        names=_names(script, options),
        form=script.form,
        booleans=_booleans(options),
        positions=[argument for argument in script.arguments if not argument.flags],
    )
    taken: set[str] = set()
    for argument in options:
        try:
            name, made = _field(script, argument, found)
            _check_place(name, taken)
        except _LeftOutError as reason:
            found.left.append(f"{argument.name} ({argument.place}): {reason}")
            continue
        taken.add(name)
        if isinstance(made, OpenField):
            found.open.append(made)
        else:
            found.fields.append(made)
    return found


def _check_place(name: str, taken: Iterable[str]) -> None:
    for other in taken:
        if other == name:
            raise _LeftOutError("another argument has this name too")
        if other.startswith(f"{name}.") or name.startswith(f"{other}."):
            raise _LeftOutError(f"it is both a value and the group of another argument, {max(other, name, key=len)}")


def _field(script: Script, argument: ScriptArgument, style: Fields) -> tuple[str, WrittenField | OpenField]:
    if argument.early:
        raise _LeftOutError(f"it comes before {script.start[0]} on the command line: write it into step.args")
    typed = None if argument.reading.kind == "flag" else _typed(argument)
    flag = _flag(argument, style, swaps=script.swaps_dashes)
    name = flag.removeprefix("--").replace("-", "_")
    for part in name.split("."):
        _check_name(part)
    if typed is None:
        default = argument.default is True and flag not in argument.off and argument.switch == "both"
        if argument.default is None and argument.switch == "both" and style.booleans == "flag-no":
            return name, WrittenField(name, "bool | None", "None", argument, proposed(name, default, None))
        return name, WrittenField(name, "bool", repr(default), argument, proposed(name, default, None))
    annotation, default = typed
    if default is UNKNOWN and not argument.required:
        return name, OpenField(name, annotation, argument)
    if default is None and not argument.required:
        annotation = f"{annotation} | None"
    choices = _known(argument.reading.choices)
    domain = (
        ""
        if choices == ()
        else proposed(name, default, choices, argument.bounds)
        if default is not UNKNOWN or choices
        else ""
    )
    text = None if argument.required and default in (UNKNOWN, None) else _python(default)
    return name, WrittenField(name, annotation, text, argument, domain)


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name) or name in _USED:
        raise _LeftOutError(f"a field of a class cannot be called {name!r}")
    if name.startswith("_") or hasattr(Hparams, name):
        raise _LeftOutError(f"a hyperparameter class has an attribute {name!r} of its own")


# -- how names and switches are written ------------------------------------------------------------------------


def _long(argument: ScriptArgument) -> list[str]:
    return [flag for flag in argument.flags if flag.startswith("--") and flag not in argument.off]


def _usable(argument: ScriptArgument, style: Fields, *, swaps: bool) -> list[str]:
    """Returns the flags that a study can write."""
    if style.form == "name=value":
        return list(argument.flags)
    return [flag for flag in _long(argument) if swaps or _fits(flag, style.names)]


def _fits(flag: str, names: str) -> bool:
    return ("_" if names == "dashes" else "-") not in flag.removeprefix("--")


def _names(script: Script, options: Sequence[ScriptArgument]) -> str:
    """Returns the spelling of names that fits most arguments."""
    if script.swaps_dashes or script.form == "name=value":
        return "underscores"
    counts = {
        # Where both fit as many, the flags that turn something off, which have dashes, decide.
        names: (
            sum(any(_fits(flag, names) for flag in _long(each)) for each in options),
            sum(_fits(flag, names) for each in options for flag in each.off if each.default is True),
        )
        for names in ("underscores", "dashes")
    }
    return "dashes" if counts["dashes"] > counts["underscores"] else "underscores"


def _booleans(options: Sequence[ScriptArgument]) -> str:
    """Returns how most booleans are written."""
    booleans = [each for each in options if each.reading.kind == "flag" or isinstance(each.default, bool)]
    # Those that a study may search decide: --dry-run and --verbose say nothing about the others.
    options = [each for each in booleans if proposed(_plain(each), default=False, choices=None)] or booleans
    switches = [each.switch for each in options if each.switch in ("true", "false", "both") and _is_name(each)]
    values = sum(each.reading.kind != "flag" for each in options)
    if not switches or len(switches) < values:
        return "value"
    plain = all(off == f"--no-{flag[2:]}" for each in options if each.off for flag, off in _pairs(each))
    return "flag-no" if set(switches) == {"both"} and plain else "flag"


def _plain(argument: ScriptArgument) -> str:
    return argument.name.lstrip("-").replace("-", "_")


def _is_name(argument: ScriptArgument) -> bool:
    return any(flag.removeprefix("--").replace("-", "_").isidentifier() for flag in _long(argument))


def _pairs(argument: ScriptArgument) -> list[tuple[str, str]]:
    return list(zip(_long(argument), argument.off, strict=False))


def _flag(argument: ScriptArgument, style: Fields, *, swaps: bool) -> str:
    """Returns the flag that a study writes."""
    usable = _usable(argument, style, swaps=swaps)
    if argument.reading.kind != "flag":
        if not usable:
            raise _LeftOutError(_why_unusable(argument, style))
        if style.booleans != "value" and isinstance(argument.default, bool):
            raise _LeftOutError("it takes true or false as a value, but most switches of the script take none")
        return usable[0]
    if not any(flag.startswith("--") for flag in argument.flags) and style.form != "name=value":
        raise _LeftOutError(_NO_NAME)
    if argument.switch in ("", "other"):
        raise _LeftOutError("it counts, or stores a constant, which a study cannot set")
    if style.booleans == "value":
        raise _LeftOutError("it is a switch without a value, but most booleans of the script have a value")
    return _switch(argument, usable, style)


def _switch(argument: ScriptArgument, usable: Sequence[str], style: Fields) -> str:
    """Returns the flag of a switch that changes what the script does without it."""
    if argument.switch == "both" and style.booleans == "flag-no":
        if not usable:
            raise _LeftOutError(_why_unusable(argument, style))
        return usable[0]
    changes = {"true": argument.default is not True, "false": argument.default is not False}
    if not changes.get(argument.switch, True):
        raise _LeftOutError("it is a switch that changes nothing: its default is what it stores")
    if argument.switch == "both" and argument.default is True:
        usable = [flag for flag in argument.off if flag.startswith("--") and _fits(flag, style.names)]
    if not usable:
        raise _LeftOutError(_why_unusable(argument, style))
    return usable[0]


def _known(choices: Sequence[Any] | None) -> tuple[Any, ...] | None:
    """Returns the choices of an argument but null; none of them if the source does not show them all."""
    if choices is None:
        return None
    return () if UNKNOWN in choices else tuple(each for each in choices if each is not None)


def _why_unusable(argument: ScriptArgument, style: Fields) -> str:
    if not any(flag.startswith("--") for flag in argument.flags):
        return _NO_NAME
    other = "dashes" if style.names == "underscores" else "underscores"
    return f"its name has {other}, but most names of the script have {style.names}"


# -- types and defaults ----------------------------------------------------------------------------------------


def _typed(argument: ScriptArgument) -> tuple[str, Any]:
    """Returns the annotation and the default of an argument with a value."""
    kind, many, choices = argument.reading.kind, argument.reading.many, _known(argument.reading.choices)
    default = argument.default
    reasons = {
        "truthy": "type=bool reads every text but '' as true; use a switch, or a function that reads true and false",
        "characters": "its type makes a list of the text's characters",
        "dict": "its type makes a dict of a text",
    }
    if kind in reasons:
        raise _LeftOutError(reasons[kind])
    if many:
        raise _LeftOutError("it takes several values")
    if choices:
        return _of_choices(choices, default)
    if kind in _PLAIN:
        return _of_type(_PLAIN[kind], default)
    if kind == "json":
        return _of_list(default)
    if kind == "literal" and isinstance(default, bool):
        raise _LeftOutError("it takes True or False in Python's spelling; a study writes true and false")
    if type(default) in (bool, int, float, str):
        return _of_type(type(default), default)
    raise _LeftOutError("its type is unknown" if default is not UNKNOWN else "its type and its default are unknown")


def _of_choices(choices: Sequence[Any], default: Any) -> tuple[str, Any]:
    kinds = {type(choice) for choice in choices}
    if len(kinds) != 1 or not kinds <= {str, int, float}:
        raise _LeftOutError("its choices are of several types")
    [kind] = kinds
    if kind is float or not (default is UNKNOWN or default is None or default in choices):
        return _of_type(kind, default)
    return f"Literal[{', '.join(map(_python, dict.fromkeys(choices)))}]", default


def _of_type(kind: type, default: Any) -> tuple[str, Any]:
    if default is UNKNOWN or default is None:
        return kind.__name__, default
    if kind is float and type(default) is int:
        default = float(default)
    if kind is int and type(default) is float and default.is_integer():
        default = int(default)
    if kind is str and isinstance(default, (int, float)):
        raise _LeftOutError(f"it has no type, so the script gets a text, but its default {default!r} is no text")
    if type(default) is not kind:
        raise _LeftOutError(f"its default {default!r} is not of its type, {kind.__name__}")
    if isinstance(default, float) and not math.isfinite(default):
        raise _LeftOutError(f"its default is {default}, which a study cannot write")
    return kind.__name__, default


def _of_list(default: Any) -> tuple[str, Any]:
    kinds = {type(each) for each in default} if isinstance(default, (list, tuple)) else set()
    if len(kinds) != 1 or not kinds <= {bool, int, float, str}:
        what = "a mapping" if isinstance(default, dict) else "a list of unknown type"
        raise _LeftOutError(f"it is {what}")
    return f"list[{kinds.pop().__name__}]", list(default)


def _python(value: Any) -> str:
    """Returns a value as Python text, with double quotes as formatters have them."""
    if isinstance(value, str):
        text = repr(value)[1:-1].replace("\\'", "'")
        if value.count('"') > value.count("'"):
            return "'" + text.replace("'", "\\'") + "'"
        return '"' + text.replace('"', '\\"') + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(_python, value))}]"
    return repr(value)
