"""How each hyperparameter of a study crosses to Katib: as it is, as a list, as a surrogate, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from kftune.domains import Conditional, Discrete, Domain, IntUniform, encoding
from kftune.errors import RenderError
from kftune.hparams.fields import Leaf
from kftune.katib.engines.faithful import Engine, Feasible, engine_of, is_even, is_list, native
from kftune.render.command import PLACEHOLDER, checked_text
from kftune.study import Study

Form = Literal["native", "list", "surrogate", "fixed"]

# A range is written out as a list of its values up to this many: more, and nobody reads it.
LONGEST_LIST = 50

_INTEGERS = frozenset((int,))

# Ranges up to this much wider than the narrowest count as equally wide.
_AS_WIDE = 1.001

# Katib waits 60 s for suggestions; its grid takes about 2 µs for each point and each trial so far.
LARGEST_GRID = 5000


class Crossing(NamedTuple):
    """One searched hyperparameter on its way to Katib."""

    name: str
    form: Form
    text: str
    """What stands on the command line behind ``--name=``; holds the placeholder unless the form is fixed."""
    parameter: dict[str, Any] | None = None
    """The item of spec.parameters."""
    reason: str | None = None
    """Why the form is not native."""
    tokens: tuple[str, ...] = ()
    """Values that go out under a safe token, because their own text would not arrive."""


def crossings(study: Study) -> list[Crossing]:
    """The crossing of every searched hyperparameter, in the order of the class.

    Raises:
        RenderError: A domain cannot be had from this algorithm, or not in the encoding asked for.
    """
    algorithm, target = study.algorithm.name, study.targets.katib
    engine = engine_of(algorithm, target.version)
    leaves = study.hparams.leaves()
    found = [_crossing(leaves[name], domain, study, engine) for name, domain in study.space.items()]
    if algorithm == "cmaes":
        found = _with_one_spread(found, study, engine)
    if not any(crossing.parameter for crossing in found):
        names = ", ".join(study.space)
        raise RenderError(f"Katib needs something to search, but {names} can take one value only; widen a domain")
    return found


def refused(study: Study, name: str, reason: str) -> RenderError:
    """The error for a domain that cannot go out as it is, though encoding native asks for that."""
    algorithm, target, domain = study.algorithm.name, study.targets.katib, study.space[name]
    others = [other for other in _ADVISED if other != algorithm and _takes(other, domain, target.version)]
    way_out = f", or the algorithm to {others[0]}" if others else ""
    return RenderError(
        f"{name}: {algorithm} of Katib {target.version} cannot take {domain!r} as it is: {reason}; set "
        f"targets.katib.encoding to auto (a surrogate goes out, which the trial turns into the value){way_out}"
    )


# Algorithms to advise, the plainest first.
_ADVISED = ("random", "multivariate-tpe", "tpe", "bayesianoptimization", "sobol")


def _takes(algorithm: str, domain: Domain, version: str) -> bool:
    engine = engine_of(algorithm, version)
    return is_list(domain) or _listable(domain, engine) or isinstance(native(domain, engine), Feasible)


def _crossing(leaf: Leaf, domain: Domain, study: Study, engine: Engine) -> Crossing:
    if domain.size == 1:
        return _fixed(leaf, domain)
    if is_list(domain):
        return _listed(leaf, domain, engine.discrete if type(domain) is Discrete else "categorical")
    form = study.targets.katib.encoding
    if study.algorithm.settings.get("resource_name") == leaf.name:
        return _resource(leaf, domain, study)
    if form == "surrogate":
        return _surrogate(leaf, domain, engine, "targets.katib.encoding is surrogate")
    feasible = native(domain, engine)
    if isinstance(feasible, Feasible):
        return _as_it_is(leaf, feasible)
    if _listable(domain, engine):
        return _listed(leaf, domain, "categorical", feasible)
    if form == "native":
        raise refused(study, leaf.name, feasible)
    return _surrogate(leaf, domain, engine, feasible)


def _listable(domain: Domain, engine: Engine) -> bool:
    """Whether a list of the values loses nothing and can be read."""
    if not engine.orderless or domain.size > LONGEST_LIST or isinstance(domain, Conditional):
        return False
    return engine.mode == "index" or is_even(domain)


def _fixed(leaf: Leaf, domain: Domain) -> Crossing:
    """One value needs no search; with a condition, the trial has to decide whether it holds."""
    if isinstance(domain, Conditional):
        return Crossing(leaf.name, "fixed", encoding.encode_value("quantile", domain, "0.5"))
    return Crossing(leaf.name, "fixed", leaf.encode(domain.quantile(0.5)))


def _as_it_is(leaf: Leaf, feasible: Feasible) -> Crossing:
    parameter = {"name": leaf.name, "parameterType": feasible.type, "feasibleSpace": feasible.space}
    return Crossing(leaf.name, "native", _placeholder(leaf.name), parameter)


def _listed(leaf: Leaf, domain: Domain, kind: str, reason: str | None = None) -> Crossing:
    values = domain.grid()
    tokens: list[str] = []
    if _INTEGERS.issuperset(map(type, values)):  # safe as they are, and most lists hold nothing else
        texts = list(map(str, values))
    else:
        texts = [leaf.encode(value) for value in values]
        tokens = [text for text in texts if not encoding.is_safe(text)]
        texts = [_token(leaf, text) if text in tokens else text for text in texts]
    parameter = {"name": leaf.name, "parameterType": kind, "feasibleSpace": {"list": texts}}
    form: Form = "native" if reason is None else "list"
    return Crossing(leaf.name, form, _placeholder(leaf.name), parameter, reason, tuple(tokens))


def _token(leaf: Leaf, text: str) -> str:
    if text.startswith(encoding.PREFIX):
        return text
    return encoding.encode_text(checked_text(text, f"each value of {leaf.name}"))


def _surrogate(leaf: Leaf, domain: Domain, engine: Engine, reason: str) -> Crossing:
    kind, space = engine.surrogate
    if engine.mode == "index":
        kind, space = "int", {"min": "0", "max": str(int(domain.size) - 1)}
    parameter = {"name": leaf.name, "parameterType": kind, "feasibleSpace": dict(space)}
    text = encoding.encode_value(engine.mode, domain, _placeholder(leaf.name))
    return Crossing(leaf.name, "surrogate", text, parameter, reason)


def _placeholder(name: str) -> str:
    return f"{PLACEHOLDER}{name}}}"


def _resource(leaf: Leaf, domain: Domain, study: Study) -> Crossing:
    """The parameter that hyperband itself sets, always an integer."""
    if not isinstance(domain, IntUniform):
        raise RenderError(
            f"{leaf.name}: hyperband of Katib sets its resource to integers, so its domain must be int, "
            f"but is {domain!r}; for example {{int: [1, {study.algorithm.settings['r_l']}]}}"
        )
    space = {"min": str(domain.low), "max": str(domain.high)}
    return _as_it_is(leaf, Feasible("int", space))


def _with_one_spread(found: list[Crossing], study: Study, engine: Engine) -> list[Crossing]:
    """For cmaes: numbers as they are if all ranges are equally wide, else all of them as surrogates."""
    numbers = [crossing for crossing in found if crossing.parameter and "min" in crossing.parameter["feasibleSpace"]]
    if len(numbers) < 2:
        given = ", ".join(crossing.name for crossing in numbers) or "none"
        raise RenderError(
            f"cmaes of Katib {study.targets.katib.version} searches two or more numbers, but of "
            f"{', '.join(study.space)} these are numbers: {given}; give another hyperparameter a range, "
            f"or set algorithm.name to multivariate-tpe"
        )
    surrogates = [crossing for crossing in numbers if crossing.form == "surrogate"]
    widths = [_width(crossing.parameter) for crossing in numbers if crossing.form == "native" and crossing.parameter]
    if not widths or (not surrogates and max(widths) <= min(widths) * _AS_WIDE):
        return found
    odd = next(crossing.name for crossing in numbers if crossing.form == "native")
    reason = "it starts all numbers with one spread, that of the narrowest range"
    if study.targets.katib.encoding == "native":
        raise refused(study, odd, reason)
    return [
        _surrogate(study.hparams.leaf(crossing.name), study.space[crossing.name], engine, reason)
        if crossing.form == "native" and crossing in numbers
        else crossing
        for crossing in found
    ]


def _width(parameter: Mapping[str, Any]) -> float:
    space = parameter["feasibleSpace"]
    return float(space["max"]) - float(space["min"])
