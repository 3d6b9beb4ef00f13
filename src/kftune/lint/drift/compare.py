"""Puts what reaches a script on its command line beside what the script takes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kftune.domains import Conditional, Domain, encoding
from kftune.errors import near_names
from kftune.hparams import Hparams
from kftune.hparams.fields import Leaf
from kftune.katib.go.types import Path
from kftune.lint.drift.script import UNKNOWN, Argument, Script
from kftune.lint.rules.findings import finding
from kftune.lint.rules.rule import Finding, Severity
from kftune.study import Study
from kftune.study.values import keys_to

_MOST_POINTS = 256
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


class Passed(NamedTuple):
    """One hyperparameter on its way to the script."""

    leaf: Leaf
    values: tuple[Any, ...]
    """JSON-able values that it may take: all of them, or some of very many."""
    path: Path
    """Where it is declared."""
    always: bool
    """Whether every trial gets it."""


def passed_by_study(study: Study) -> list[Passed]:
    """What each trial of a study gets."""
    found = []
    for name in study.argument_names:
        leaf = study.hparams.leaf(name)
        if name in study.fixed_values:
            path: Path = ("values", *keys_to(study.values, name))
            found.append(Passed(leaf, (study.fixed_values[name],), path, always=True))
        else:
            domain = study.space[name]
            path = ("search", name) if name in study.search else ("hparams",)
            found.append(Passed(leaf, _points(domain), path, always=not isinstance(domain, Conditional)))
    return found


def passed_by_class(hparams: type[Hparams]) -> list[Passed]:
    """What a script gets when every field of a class is given."""
    return [
        Passed(
            leaf, _points(leaf.domain) if leaf.domain else (leaf.default,) if leaf.has_default else (), (name,), True
        )
        for name, leaf in hparams.leaves().items()
        if not leaf.is_group
    ]


def _points(domain: Domain) -> tuple[Any, ...]:
    inner = domain.domain if isinstance(domain, Conditional) else domain
    if inner is None:
        return ()
    return tuple(inner.grid()) if inner.size <= _MOST_POINTS else tuple(map(inner.quantile, _QUANTILES))


def drift(
    hparams: type[Hparams], passed: Sequence[Passed], script: Script, given: Sequence[str], top: Path
) -> list[Finding]:
    """What the class, the study and the script say differently.

    Args:
        hparams: The class.
        passed: What reaches the script.
        script: What the script takes.
        given: The arguments that it gets besides.
        top: Where to say what concerns no single hyperparameter.
    """
    own = script.hparams == hparams.__name__
    if script.hparams and not own:
        script = script._replace(unclear=(*script.unclear, "another class reads the arguments"))
    found: list[Finding] = []
    for each in passed if not own else ():
        found += _passed_findings(each, script)
    found += _required_findings([each.leaf.name for each in passed], script, given, hparams if own else None, top)
    if not own:
        found += _default_findings(hparams, passed, script, _flags(given), top)
    return found


# -- names and values ----------------------------------------------------------------------------------------


def _passed_findings(each: Passed, script: Script) -> Iterator[Finding]:
    name = each.leaf.name
    argument = script.exact(name)
    if argument is not None:
        yield from _value_findings(each, argument)
        return
    if script.unclear:
        return
    respelled, longer = script.respelled(name), script.abbreviated(name)
    if respelled is not None and respelled not in longer:
        spelled = next(flag for flag in respelled.flags if flag.replace("-", "_") == f"--{name}".replace("-", "_"))
        message = f"trials get --{name}=..., and {respelled.place} takes {spelled}: {_what_then(script)}"
        yield finding("KT402", each.path, message, "wrong" if script.ignores_unknown else None)
    elif len(longer) == 1:
        message = f"{longer[0].place} has no --{name}, and argparse takes it for the beginning of {longer[0].name}"
        yield finding("KT401", each.path, message, "wrong")
    else:
        near = near_names(f"--{name}", [flag for argument in script.arguments for flag in argument.flags])
        message = f"{script.file} takes no --{name}: {_what_then(script)}{f'; {near}' if near else ''}"
        yield finding("KT401", each.path, message, "wrong" if script.ignores_unknown else None)


def _what_then(script: Script) -> str:
    if script.ignores_unknown:
        return "it ignores what it does not know, and trains with its own value"
    return "it stops at what it does not know, and each trial fails"


class _RefusedError(Exception):
    """The script ends with an error."""


def _value_findings(each: Passed, argument: Argument) -> Iterator[Finding]:
    name = each.leaf.name
    for value in each.values:
        text = each.leaf.encode(value)
        if text.startswith(encoding.PREFIX):
            continue
        try:
            problem = _misread(argument, value, text)
        except _RefusedError as error:
            yield finding("KT403", each.path, f"--{name}={text}: {argument.place} {error}, and the trial fails")
            return
        if problem:
            # A text may still be converted where nobody can see it.
            severity: Severity | None = "advice" if argument.kind == "text" else None
            yield finding("KT404", each.path, f"--{name}={text}: {argument.place} {problem}", severity)
            return


def _misread(argument: Argument, value: Any, text: str) -> str | None:
    """What the script makes of a text, where that is not the value.

    Raises:
        _RefusedError: It ends with an error.
    """
    if argument.kind == "flag":
        raise _RefusedError(f"declares {argument.name} as a switch, which takes no value")
    if argument.kind == "unknown":
        return None
    read = _read(argument, text)
    if argument.choices is not None and UNKNOWN not in argument.choices and read not in argument.choices:
        known = ", ".join(map(repr, argument.choices[:8]))
        raise _RefusedError(f"takes {known}{', …' if len(argument.choices) > 8 else ''} only")
    if argument.many:
        return None
    if argument.kind == "truthy" and read != value:
        return f"has type=bool, which makes {read} of every text"
    if argument.kind == "text" and not isinstance(value, str) and isinstance(argument.default, (int, float)):
        return f"has no type: the value stays the text {text!r}, where the default {argument.default!r} is a number"
    return None


def _read(argument: Argument, text: str) -> Any:
    if argument.kind == "bool":
        if text.lower() not in ("true", "false"):
            raise _RefusedError("takes true or false only")
        return text.lower() == "true"
    if argument.kind in ("int", "float"):
        try:
            return int(text) if argument.kind == "int" else float(text)
        except ValueError:
            what = "a whole number" if argument.kind == "int" else "a number"
            raise _RefusedError(f"takes {what} only") from None
    return bool(text) if argument.kind == "truthy" else text


# -- values in disguise ---------------------------------------------------------------------------------------


def disguise_findings(
    hparams: type[Hparams], passed: Sequence[Passed], script: Script, disguised: set[str]
) -> Iterator[Finding]:
    """What a rendered Experiment sends in a form that only a hyperparameter class decodes.

    Args:
        hparams: The class.
        passed: What reaches the script.
        script: What the script takes.
        disguised: The hyperparameters that go out so.
    """
    for each in passed if script.hparams != hparams.__name__ else ():
        argument = script.exact(each.leaf.name) if each.leaf.name in disguised else None
        if argument is None or argument.kind in ("unknown", "flag"):
            continue
        refuses = argument.kind in ("int", "float", "bool") or argument.choices is not None
        effect = "cannot read it, and the trial fails" if refuses else "takes it for the value"
        message = (
            f"on Katib --{each.leaf.name}= brings {encoding.PREFIX}..., which stands for a value of {each.leaf.name}: "
            f"{argument.place} {effect}"
        )
        yield finding("KT407", each.path, message, "fails" if refuses else "wrong")


# -- what nobody gives ----------------------------------------------------------------------------------------


def _flags(given: Sequence[str]) -> set[str]:
    return {token.partition("=")[0] for token in given if token.startswith("-")}


def _required_findings(
    names: Sequence[str], script: Script, given: Sequence[str], own: type[Hparams] | None, top: Path
) -> Iterator[Finding]:
    by_class = [f"--{name}" for name in own.leaves()] if own else []
    flags = _flags(given)
    there = [argument for name in names for argument in (script.exact(name), script.respelled(name)) if argument]
    for argument in script.arguments:
        if not argument.required or argument in there:
            continue
        if not argument.flags:
            if not given:
                yield finding(
                    "KT406", top, f"{argument.place} wants an argument without a name, and the step gives none"
                )
        elif not set(argument.flags) & {*flags, *by_class}:
            message = f"{argument.place} wants {argument.name}, and neither the study nor the step gives it"
            yield finding("KT406", top, message)


# -- defaults -------------------------------------------------------------------------------------------------


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
        effect = "every trial is given a value" if always else "trials that are not given it train with the script's"
        message = (
            f"{name} is {json.dumps(leaf.default)} in {hparams.__name__} and {argument.default!r} at {argument.place}: "
            f"{effect}"
        )
        yield finding("KT405", each.path if each else top, message, severity)


def _differs(leaf: Leaf, argument: Argument) -> bool:
    theirs, ours = argument.default, leaf.default
    if theirs is UNKNOWN or theirs is None or argument.many or argument.kind == "unknown":
        return False
    if argument.kind == "flag" and not isinstance(ours, bool):
        return False
    if isinstance(theirs, str) != isinstance(ours, str):
        return not isinstance(theirs, str)  # a text default of another type may be converted later
    if isinstance(theirs, (int, float)) and isinstance(ours, (int, float)):
        return not math.isclose(theirs, ours, rel_tol=1e-12)
    return bool(theirs != ours) if isinstance(theirs, str) else False
