"""Compares the arguments that a script gets with the arguments it takes."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from kftune.argv import OWN, Style
from kftune.domains import Conditional, Domain, encoding
from kftune.errors import near_names
from kftune.hparams import Hparams
from kftune.hparams.fields import Leaf, kinds_of
from kftune.katib.go.types import Path
from kftune.lint.drift.hydra import hydra_findings
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding, Severity
from kftune.scripts.script import UNKNOWN, Kind, Script, ScriptArgument
from kftune.spec.arguments import Arguments
from kftune.spec.load import keys_to
from kftune.study import Study

_MOST_POINTS = 256
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


_PARSERS: dict[Kind, Callable[[Any], Any]] = {"json": json.loads, "literal": ast.literal_eval, "dict": dict}


class Begun(NamedTuple):
    """What a script gets apart from the hyperparameters, and the form in which it gets those."""

    given: tuple[str, ...] = ()
    arguments: Arguments | None = None

    @property
    def form(self) -> Style:
        """The form of an argument."""
        return OWN if self.arguments is None else self.arguments.form


class Passed(NamedTuple):
    """One hyperparameter that is passed to the script."""

    leaf: Leaf
    values: tuple[Any, ...]
    """Its possible values, in JSON's types; a sample if there are very many."""
    path: Path
    """Where it is declared."""
    always: bool
    """Whether every trial gets it."""


def passed_by_study(study: Study) -> list[Passed]:
    """Returns what each trial of a study gets."""
    found = []
    for name in study.argument_names:
        leaf = study.hparams.leaf(name)
        path: Path
        if name in study.entries:
            path = ("search", study.entries[name][0])
            found.append(Passed(leaf, tuple(_mappings(study, name)), path, always=True))
        elif name in study.fixed_values:
            path = ("values", *keys_to(study.values, name))
            found.append(Passed(leaf, (study.fixed_values[name],), path, always=True))
        else:
            domain = study.space[name]
            path = ("search", name) if name in study.search else ("hparams",)
            found.append(Passed(leaf, _points(domain), path, always=not isinstance(domain, Conditional)))
    return found


def _mappings(study: Study, name: str) -> Iterator[Any]:
    """Yields values of a mapping with searched keys."""
    leaf = study.leaves[name]
    for u in _QUANTILES:
        point = {entry: study.space[entry].quantile(u) for entry in study.entries[name]}
        yield leaf.jsonable(leaf.decode(study.assignment(point)[name]))


def passed_by_class(hparams: type[Hparams]) -> list[Passed]:
    """Returns what a script gets when every field of a class is given."""
    leaves = [leaf for leaf in hparams.leaves().values() if not leaf.is_group]
    defaults = [(leaf.default,) if leaf.has_default else () for leaf in leaves]
    return [
        Passed(leaf, _points(leaf.domain) if leaf.domain else default, (leaf.name,), always=True)
        for leaf, default in zip(leaves, defaults, strict=True)
    ]


def _points(domain: Domain) -> tuple[Any, ...]:
    inner = domain.domain if isinstance(domain, Conditional) else domain
    if inner is None:
        return ()
    return tuple(inner.grid()) if inner.size <= _MOST_POINTS else tuple(map(inner.quantile, _QUANTILES))


def drift(
    hparams: type[Hparams],
    passed: Sequence[Passed],
    script: Script,
    begun: Begun,
    top: Path,
) -> list[Finding]:
    """Returns the differences between the class, the study and the script.

    Args:
        hparams: The class.
        passed: The hyperparameters that the script gets.
        script: What the script takes.
        begun: Its other arguments, and the form of all of them.
        top: The path of findings that concern no single hyperparameter.
    """
    own = script.hparams == hparams.__name__
    given, form = begun.given, begun.form
    if begun.arguments is not None and begun.arguments.way != "command-line":
        return list(_elsewhere_findings(begun.arguments, passed, script))
    if script.hparams and not own:
        script = script.doubted("another class reads the arguments")
    flags = {token.partition("=")[0] for token in given if token.startswith("-")}
    if own:
        flags |= {f"--{name}" for name in hparams.leaves()}
    found: list[Finding] = []
    for each in passed if not own else ():
        found += _passed_findings(each, script, form)
    found += _required_findings(passed, script, flags, bool(given), top)
    if not own:
        found += _default_findings(hparams, passed, script, flags, top)
    return found


def _elsewhere_findings(arguments: Arguments, passed: Sequence[Passed], script: Script) -> Iterator[Finding]:
    """Yields what keeps a script from reading values that are not on its command line."""
    path = ("step", "arguments")
    if arguments.way == "environment" and script.hparams:
        message = (
            f"{script.file} reads its command line with {script.hparams}, but step.arguments.as is environment: all "
            f"trials train with the defaults"
        )
        yield finding("KT401", path, message, "wrong")
    for each in passed if arguments.way == "environment" else ():
        taken = script.respelled(each.leaf.name)
        if taken is not None:
            variable = arguments.variable(each.leaf.name)
            message = f"{taken.place} takes {taken.name}, but trials get it as the variable {variable}"
            yield finding("KT401", each.path, message, "advice")
    if arguments.way != "json-file" or arguments.option is None or script.unclear:
        return
    option = arguments.form.option(arguments.option)
    if script.exact(arguments.option, option) is None and not script.ignores_unknown:
        message = (
            f"{script.file} takes no {option}, the path of the file with the hyperparameters: each trial fails; name "
            f"the script's own argument in step.arguments.option, or set it to null and read KFTUNE_HPARAMS_FILE"
        )
        yield finding("KT401", ("step", "arguments"), message)


def _passed_findings(each: Passed, script: Script, form: Style) -> Iterator[Finding]:
    name, flag = each.leaf.name, form.option(each.leaf.name)
    argument = script.exact(name, flag)
    if argument is not None and argument.early:
        message = (
            f"trials get {flag}=... after {script.start[0]}, but {argument.place} takes it before, and each trial "
            f"fails; write a fixed value into step.args, before {script.start[0]}"
        )
        yield finding("KT401", each.path, message)
        return
    if argument is not None:
        yield from _value_findings(each, argument, form)
        if script.library == "Hydra":
            yield from hydra_findings(each.leaf, each.values, each.path, script)
        return
    respelled, longer = script.respelled(name), script.abbreviated(flag)
    if respelled is not None and script.form == "name=value" != form.form:
        message = (
            f"trials get {flag}=..., but {respelled.place} takes {respelled.name}=... without dashes, and each trial "
            f"fails; write step.arguments.style: name=value"
        )
        yield finding("KT402", each.path, message)
        return
    if script.unclear:
        return
    if script.ignores_unknown:
        severity: Severity | None = "wrong"
        effect = "the script ignores unknown arguments, and trains with its own value"
    else:
        severity, effect = None, "the script rejects unknown arguments, and each trial fails"
    if respelled is not None and respelled not in longer:
        plain = f"--{name}".replace("-", "_")
        spelled = next(each for each in respelled.flags if each.replace("-", "_") == plain)
        message = f"trials get {flag}=..., but {respelled.place} takes {spelled}: {effect}{_spelling(name, spelled)}"
        yield finding("KT402", each.path, message, severity)
    elif len(longer) == 1:
        message = f"{longer[0].place} has no {flag}, and argparse takes it as an abbreviation of {longer[0].name}"
        yield finding("KT401", each.path, message, "wrong")
    else:
        near = near_names(flag, [flag for argument in script.arguments for flag in argument.flags])
        message = f"{script.file} takes no {flag}: {effect}{f'; {near}' if near else ''}"
        yield finding("KT401", each.path, message, severity)


def _spelling(name: str, spelled: str) -> str:
    """Returns which key of the step makes trials get a name as the script spells it; empty if none does."""
    for names in ("dashes", "underscores"):
        if Style(names=names).option(name) == spelled:
            return f"; write step.arguments.names: {names}"
    return ""


class _RefusedError(Exception):
    """The script rejects a value; `way_out` says which key of the step helps, if one does."""

    def __init__(self, message: str, way_out: str = "") -> None:
        super().__init__(message)
        self.way_out = way_out


def _value_findings(each: Passed, argument: ScriptArgument, form: Style) -> Iterator[Finding]:
    name = each.leaf.name
    kind = kinds_of({name: each.leaf})[name]
    for value in each.values:
        text = each.leaf.encode(value)
        if text.startswith(encoding.PREFIX):
            continue
        tokens = form.tokens(name, text, kind)
        shown = " ".join(tokens) or f"{json.dumps(value)} is no argument"
        try:
            if form.chooses(kind) and not (tokens and tokens[-1].endswith(text)):
                problem = _misread_choice(argument, value, tokens)
            else:
                problem = _misread(argument, value, text)
        except _RefusedError as error:
            is_null = value is None and form.nulls == "value"
            way_out = "; write step.arguments.nulls: omit" if is_null else error.way_out
            yield finding("KT403", each.path, f"{shown}: {argument.place} {error}, and the trial fails{way_out}")
            return
        if problem:
            # Code that is not read may still convert a text.
            severity: Severity | None = "advice" if argument.reading.kind == "text" else None
            yield finding("KT404", each.path, f"{shown}: {argument.place} {problem}", severity)
            return


def _misread_choice(argument: ScriptArgument, value: Any, tokens: Sequence[str]) -> str | None:
    """Returns how the script misreads a value that is a flag, or no argument; None if it reads the value.

    Raises:
        _RefusedError: The script rejects the flag.
    """
    if not tokens:
        default = argument.default
        if default is UNKNOWN or default == value or (value in (False, None) and default in (False, None)):
            return None
        return f"then uses its default, {default!r}"
    if argument.reading.kind not in ("flag", "unknown"):
        raise _RefusedError(f"declares {argument.name} with a value", "; leave out step.arguments.booleans")
    if tokens[0] not in argument.flags:
        raise _RefusedError(f"has no {tokens[0]}", "; write step.arguments.booleans: flag")
    return None


def _misread(argument: ScriptArgument, value: Any, text: str) -> str | None:
    """Returns how the script misreads the text of a value; None if it reads the value.

    Raises:
        _RefusedError: The script rejects the text.
    """
    kind, choices, many = argument.reading
    if kind == "flag":
        raise _RefusedError(f"declares {argument.name} as a switch, which takes no value", _switching(argument, value))
    if kind in ("unknown", "code"):
        return None
    if kind == "characters" and not many:
        return "makes a list of the text's characters"
    read = _read(kind, text)
    if choices is not None and UNKNOWN not in choices and read not in choices:
        known = ", ".join(map(repr, choices[:8]))
        raise _RefusedError(f"takes {known}{', …' if len(choices) > 8 else ''} only")
    if many:
        return None
    if kind == "truthy" and read != value:
        return f"has type=bool, which reads every text as {read}"
    if kind == "text" and not isinstance(value, str) and isinstance(argument.default, (int, float)):
        return f"has no type: the value stays the text {text!r}, but the default {argument.default!r} is a number"
    return None


def _switching(argument: ScriptArgument, value: Any) -> str:
    """Returns which key of the step makes trials use a switch; empty if none does."""
    if not isinstance(value, bool):
        return ""
    is_both = any(flag.startswith("--no-") for flag in argument.flags)
    return f"; write step.arguments.booleans: {'flag-no' if is_both else 'flag'}"


def _read(kind: Kind, text: str) -> Any:
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise _RefusedError("takes true or false only")
        return text.lower() == "true"
    if kind in ("int", "float"):
        try:
            return int(text) if kind == "int" else float(text)
        except ValueError:
            what = "a whole number" if kind == "int" else "a number"
            raise _RefusedError(f"takes {what} only") from None
    if kind in _PARSERS:
        try:
            return _PARSERS[kind](text)
        except (ValueError, SyntaxError):
            raise _RefusedError(f"cannot read it as {'JSON' if kind == 'json' else f'a Python {kind}'}") from None
    return bool(text) if kind == "truthy" else text


def encoded_findings(
    hparams: type[Hparams], passed: Sequence[Passed], script: Script, encoded: set[str], form: Style = OWN
) -> Iterator[Finding]:
    """Yields the values of a rendered Experiment that only a hyperparameter class can decode.

    Args:
        hparams: The class.
        passed: The hyperparameters that the script gets.
        script: What the script takes.
        encoded: The hyperparameters with encoded values.
        form: The form of the arguments.
    """
    for each in passed if script.hparams != hparams.__name__ else ():
        name = each.leaf.name
        argument = script.exact(name, form.option(name)) if name in encoded else None
        if argument is None or argument.reading.kind in ("unknown", "flag"):
            continue
        kind, choices, _ = argument.reading
        fails = kind not in ("text", "truthy", "characters", "code") or choices is not None
        effect = "cannot read it, and the trial fails" if fails else "takes it as the value"
        if kind == "code":
            effect = "reads it with a function that does not decode it"
        shown = f"{form.option(name)}={encoding.PREFIX}..."
        message = f"Katib passes {shown}, an encoded value of {name}: {argument.place} {effect}"
        yield finding("KT407", each.path, message, "fails" if fails else "wrong")


def _required_findings(
    passed: Sequence[Passed], script: Script, flags: set[str], has_others: bool, top: Path
) -> Iterator[Finding]:
    names = [each.leaf.name for each in passed]
    there = [argument for name in names for argument in (script.exact(name), script.respelled(name)) if argument]
    groups: dict[str, list[ScriptArgument]] = {}
    for argument in script.arguments:
        if argument.alternative:
            groups.setdefault(argument.alternative, []).append(argument)
    for place, group in groups.items():
        if not any(argument in there or set(argument.flags) & flags for argument in group):
            listed = ", ".join(argument.name for argument in group)
            message = f"{place} needs one of {listed}, but neither the study nor the step gives one"
            yield finding("KT406", top, message)
    for argument in script.arguments:
        if not argument.required or argument in there:
            continue
        if not argument.flags and not has_others:
            yield finding("KT406", top, f"{argument.place} needs a positional argument, but the step gives none")
        elif argument.flags and not set(argument.flags) & flags:
            message = f"{argument.place} needs {argument.name}, but neither the study nor the step gives it"
            yield finding("KT406", top, message)


def _default_findings(
    hparams: type[Hparams], passed: Sequence[Passed], script: Script, flags: set[str], top: Path
) -> Iterator[Finding]:
    by_name = {each.leaf.name: each for each in passed}
    for name, leaf in hparams.leaves().items():
        argument = script.exact(name) or script.respelled(name)
        if argument is None or not leaf.has_default or flags & set(argument.flags) or not _differs(leaf, argument):
            continue
        each = by_name.get(name)
        always = each is not None and each.always
        severity: Severity = "advice" if always else "wrong"
        effect = "every trial gets a value" if always else "trials without a value use the script's default"
        defaults = (
            f"{json.dumps(leaf.default)} in {hparams.__name__} and {argument.default_with(name)!r} at {argument.place}"
        )
        message = f"{name} is {defaults}: {effect}"
        yield finding("KT405", each.path if each else top, message, severity)


def _differs(leaf: Leaf, argument: ScriptArgument) -> bool:
    theirs, ours, kind = argument.default_with(leaf.name), leaf.default, argument.reading.kind
    if theirs is UNKNOWN or theirs is None or argument.reading.many or kind in ("unknown", "code"):
        return False
    if kind == "flag" and not isinstance(ours, bool):
        return False
    if isinstance(theirs, str) != isinstance(ours, str):
        return not isinstance(theirs, str)  # a text default of another type may be converted later
    if isinstance(theirs, (int, float)) and isinstance(ours, (int, float)):
        return not math.isclose(theirs, ours, rel_tol=1e-12)
    return bool(theirs != ours) if isinstance(theirs, str) else False
