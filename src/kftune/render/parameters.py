"""How each searched hyperparameter goes to Katib: native, as a list, encoded as a number, or as a fixed argument."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from kftune.argv import PLAIN
from kftune.domains import Conditional, Discrete, Domain, IntUniform, QUniform, encoding
from kftune.domains.listed import Listed
from kftune.errors import RenderError
from kftune.hparams.fields import Leaf
from kftune.katib.engines import engine_of
from kftune.katib.engines.engine import Engine
from kftune.katib.engines.native import Feasible, is_even, is_list, native
from kftune.render.command import PLACEHOLDER, checked_text
from kftune.spec.arguments import Arguments
from kftune.study import Study

Form = Literal["native", "list", "encoded", "fixed"]

# A range is written as a list of its values up to this many. More are hard to read.
LONGEST_LIST = 50

_INTEGERS = frozenset((int,))

# Ranges up to this much wider than the narrowest count as equally wide.
_AS_WIDE = 1.001

# Algorithms to suggest, the simplest first.
_SUGGESTED = ("random", "multivariate-tpe", "tpe", "bayesianoptimization", "sobol")


class KatibParameter(NamedTuple):
    """A searched hyperparameter of an Experiment."""

    name: str
    form: Form
    text: str
    """The text behind ``--name=`` on the command line; it holds the placeholder unless the form is fixed."""
    item: dict[str, Any] | None = None
    """The item of spec.parameters."""
    reason: str | None = None
    """Why the form is not native."""
    tokens: tuple[str, ...] = ()
    """Values that are replaced by a safe token, because their own text would not arrive."""
    wholes: Mapping[str, str] = MappingProxyType({})
    """Whole argument -> the value's text, where some value has no argument, or one without a text."""


def katib_parameters(study: Study) -> list[KatibParameter]:
    """Returns every searched hyperparameter as it goes to Katib, in the order of the class.

    Raises:
        RenderError: The algorithm cannot search a domain, or not in the encoding that the study asks for.
    """
    engine = engine_of(study.algorithm.name)
    leaves = study.leaves
    found = [_parameter(leaves[name], domain, study, engine) for name, domain in study.space.items()]
    if study.step.arguments is not None:
        found = [_whole(parameter, study, study.step.arguments) for parameter in found]
    if study.algorithm.name == "cmaes":
        found = _with_one_deviation(found, study, engine)
    if not any(parameter.item for parameter in found):
        names = ", ".join(study.space)
        raise RenderError(f"Katib needs something to search, but {names} can take one value only; widen a domain")
    return found


def _whole(parameter: KatibParameter, study: Study, given: Arguments) -> KatibParameter:
    """Returns the parameter with whole arguments as its values, if some of them is not written as name and text.

    Raises:
        RenderError: Katib cannot choose among the arguments.
    """
    name, domain = parameter.name, study.space[parameter.name]
    kind, form = study.kinds.get(name, PLAIN), given.form
    inner = domain.domain if isinstance(domain, Conditional) else domain
    if given.way == "json-file" or not form.chooses(kind) or not isinstance(inner, Listed):
        return parameter
    odd = [
        value
        for value in inner.grid()
        if (value is None and form.nulls == "omit") or (isinstance(value, bool) and form.booleans != "value")
    ]
    is_known = parameter.item is None and not parameter.text.startswith(encoding.PREFIX)
    if not odd or is_known:
        return parameter
    texts = (parameter.item or {}).get("feasibleSpace", {}).get("list")
    if not texts:
        raise RenderError(
            f"{name}: Katib gives a trial one text for it, but with step.arguments.booleans={given.booleans} and "
            f"nulls={given.nulls} the argument for {json.dumps(odd[0])} is not --{name}=text, so the domain must be a "
            f"choice without a condition or weights, but is {domain!r}; set booleans and nulls to value, or change it"
        )
    wholes: dict[str, str] = {}
    for text in texts:
        if given.way == "environment":
            whole = "" if text == "null" else f"{given.variable(name)}={text}"
        else:
            whole = " ".join(form.tokens(name, text, kind))
        other = wholes.setdefault(whole, text)
        if other != text:
            raise RenderError(f"{name}: {other} and {text} are both no argument; remove one of them from the search")
    space = {**(parameter.item or {})["feasibleSpace"], "list": [*wholes]}
    item = {**(parameter.item or {}), "parameterType": "categorical", "feasibleSpace": space}
    return parameter._replace(item=item, wholes=wholes)


def _refused(study: Study, name: str, reason: str) -> RenderError:
    """Returns the error for a domain that is not native, though the study asks for native encoding."""
    algorithm, target, domain = study.algorithm.name, study.targets.katib, study.space[name]
    others = [
        other
        for other in _SUGGESTED
        if other != algorithm
        and (is_list(domain) or _has_list(domain, engine_of(other)) or _is_native(name, domain, other, study))
    ]
    way_out = f", or the algorithm to {others[0]}" if others else ""
    return RenderError(
        f"{name}: {algorithm} of Katib {target.version} cannot take {domain!r} as it is: {reason}; set "
        f"targets.katib.encoding to auto (the value is then encoded as a number, which the trial decodes){way_out}"
    )


def _is_native(name: str, domain: Domain, algorithm: str, study: Study) -> bool:
    domain = _in_integers(study.leaves[name], domain)
    return isinstance(native(name, domain, algorithm, study.targets.katib.version), Feasible)


def _in_integers(leaf: Leaf, domain: Domain) -> Domain:
    """Returns the domain as integers if it has such a form: Katib writes a double as 32.0, which scripts may refuse."""
    return domain.integers() if leaf.is_whole and isinstance(domain, QUniform) and domain.is_whole else domain


def _parameter(leaf: Leaf, domain: Domain, study: Study, engine: Engine) -> KatibParameter:
    form = study.targets.katib.encoding
    if domain.size == 1:
        if form == "native" and isinstance(domain, Conditional):
            raise _refused(study, leaf.name, "the trial checks its condition")
        return _fixed(leaf, domain)
    if is_list(domain):
        kind = engine.discrete if type(domain) is Discrete else "categorical"
        return _as_they_are(_listed(leaf, domain, kind), study)
    domain = _in_integers(leaf, domain)
    if study.algorithm.settings.get("resource_name") == leaf.name:
        return _resource(leaf, domain, study)
    if form == "encoded":
        return _encoded(leaf, domain, engine, "targets.katib.encoding is encoded")
    feasible = native(leaf.name, domain, study.algorithm.name, study.targets.katib.version)
    if isinstance(feasible, Feasible):
        refused = next((end for end in feasible.ends or () if not leaf.takes(end)), None)
        if refused is None:
            return _native(leaf, feasible)
        feasible = f"it writes {refused!r}, a rounding error that the field refuses"
    if _has_list(domain, engine):
        return _as_they_are(_listed(leaf, domain, "categorical", feasible), study)
    if form == "native":
        raise _refused(study, leaf.name, feasible)
    return _encoded(leaf, domain, engine, feasible)


def _has_list(domain: Domain, engine: Engine) -> bool:
    """Whether a list of the values loses nothing and can be read."""
    if not engine.orderless or domain.size > LONGEST_LIST or isinstance(domain, Conditional):
        return False
    return engine.exhaustive or is_even(domain)


def _fixed(leaf: Leaf, domain: Domain) -> KatibParameter:
    """Returns an argument for one value, which needs no search; the trial checks a condition of it."""
    if isinstance(domain, Conditional):
        return KatibParameter(leaf.name, "fixed", encoding.encode_value("quantile", domain, "0.5"))
    return KatibParameter(leaf.name, "fixed", leaf.encode(domain.quantile(0.5)))


def _native(leaf: Leaf, feasible: Feasible) -> KatibParameter:
    return KatibParameter(leaf.name, "native", placeholder_of(leaf.name), _item(leaf, feasible.type, feasible.space))


def _item(leaf: Leaf, kind: str, space: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the item of spec.parameters, with the distribution that Katib's webhook would otherwise fill in.

    A field that the webhook fills in belongs to another manager, with which `kubectl apply --server-side` conflicts.
    """
    return {"name": leaf.name, "parameterType": kind, "feasibleSpace": {"distribution": "uniform", **space}}


def _listed(leaf: Leaf, domain: Domain, kind: str, reason: str | None = None) -> KatibParameter:
    values = domain.grid()
    form: Form = "native" if reason is None else "list"
    if _INTEGERS.issuperset(map(type, values)):  # always safe, and most lists hold nothing else
        item = _item(leaf, kind, {"list": list(map(str, values))})
        return KatibParameter(leaf.name, form, placeholder_of(leaf.name), item, reason)
    texts = [leaf.encode(value) for value in values]
    if leaf.is_entry:
        return _listed_entry(leaf, domain, texts, kind, reason)
    tokens = [text for text in texts if not encoding.is_safe(text)]
    texts = [_token(leaf, text) if text in tokens else text for text in texts]
    item = _item(leaf, kind, {"list": texts})
    return KatibParameter(leaf.name, form, placeholder_of(leaf.name), item, reason=reason, tokens=tuple(tokens))


def _listed_entry(leaf: Leaf, domain: Domain, texts: list[str], kind: str, reason: str | None) -> KatibParameter:
    """Returns a list for a key inside a mapping: its placeholder must be valid JSON with each of the texts."""
    placeholder = placeholder_of(leaf.name)
    inside = [text[1:-1] for text in texts if text.startswith('"')]
    if not inside and all(map(encoding.is_safe, texts)):
        shown, text = texts, placeholder
    elif len(inside) == len(texts) and all(map(encoding.is_safe, inside)):
        shown, text = inside, f'"{placeholder}"'
    else:
        kind, shown = "categorical", list(map(str, range(len(texts))))
        text = f'"{encoding.encode_value("index", domain, placeholder)}"'
        reason = reason or "its values are of several types, or have characters with a meaning in a shell or in JSON"
    form: Form = "native" if reason is None else "list"
    return KatibParameter(leaf.name, form, text, _item(leaf, kind, {"list": shown}), reason)


def _as_they_are(parameter: KatibParameter, study: Study) -> KatibParameter:
    """Returns the parameter, unless the study asks for native encoding and a value needs a token.

    Raises:
        RenderError: It does.
    """
    target = study.targets.katib
    if target.encoding == "native" and parameter.tokens:
        raise RenderError(
            f"{parameter.name}: {study.algorithm.name} of Katib {target.version} cannot pass {parameter.tokens[0]!r} "
            f"as it is; use values of letters, digits and . _ - + / : or set targets.katib.encoding to auto (the value "
            f"is then a token, which the trial decodes)"
        )
    return parameter


def _token(leaf: Leaf, text: str) -> str:
    if text.startswith(encoding.PREFIX):
        return text
    return encoding.encode_text(checked_text(text, f"each value of {leaf.name}"))


def _encoded(leaf: Leaf, domain: Domain, engine: Engine, reason: str) -> KatibParameter:
    mode, kind, space = engine.encoding
    if mode == "index":
        space = {**space, "max": str(int(domain.size) - 1)}
    item = _item(leaf, kind, space)
    text = encoding.encode_value(mode, domain, placeholder_of(leaf.name))
    if leaf.is_entry:
        text = f'"{text}"'
    return KatibParameter(leaf.name, "encoded", text, item, reason)


def placeholder_of(name: str) -> str:
    """Returns what Katib replaces with the value of a parameter."""
    return f"{PLACEHOLDER}{name}}}"


def _resource(leaf: Leaf, domain: Domain, study: Study) -> KatibParameter:
    """Returns the parameter that hyperband itself sets, always to an integer."""
    if not isinstance(domain, IntUniform):
        raise RenderError(
            f"{leaf.name}: hyperband of Katib sets its resource to integers, so its domain must be int, "
            f"but is {domain!r}; for example {{int: [1, {study.algorithm.settings['r_l']}]}}"
        )
    return _native(leaf, Feasible("int", {"min": str(domain.low), "max": str(domain.high)}))


def _with_one_deviation(found: list[KatibParameter], study: Study, engine: Engine) -> list[KatibParameter]:
    """Returns the parameters for cmaes: it draws all numbers with one deviation, that of the narrowest range.

    Numbers stay native if all ranges are equally wide; otherwise all of them are encoded.
    """
    numbers = [parameter for parameter in found if parameter.item and "min" in parameter.item["feasibleSpace"]]
    if len(numbers) < 2:
        given = ", ".join(parameter.name for parameter in numbers) or "none"
        raise RenderError(
            f"cmaes of Katib {study.targets.katib.version} searches two or more numbers, but of "
            f"{', '.join(study.space)} these are numbers: {given}; give another hyperparameter a range, "
            f"or set algorithm.name to multivariate-tpe"
        )
    widths = [_width(parameter.item) for parameter in numbers if parameter.form == "native" and parameter.item]
    if not widths or (len(widths) == len(numbers) and max(widths) <= min(widths) * _AS_WIDE):
        return found
    odd = next(parameter.name for parameter in numbers if parameter.form == "native")
    reason = "it draws all numbers with one deviation, that of the narrowest range"
    if study.targets.katib.encoding == "native":
        raise _refused(study, odd, reason)
    return [
        _encoded(study.leaves[parameter.name], study.space[parameter.name], engine, reason)
        if parameter.form == "native" and parameter in numbers
        else parameter
        for parameter in found
    ]


def _width(item: Mapping[str, Any]) -> float:
    space = item["feasibleSpace"]
    return float(space["max"]) - float(space["min"])
