"""The algorithms that a study may name: Katib's, those that run here only, and samplers of one's own.

A sampler of one's own is named ``module:Class``, or by the entry point in the group ``kftune.samplers`` of a package
that is installed. What it names makes a strategy (`kftune.local.samplers.Strategy`) from a `Setup`; its attributes
`settings` and `summary` are read here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kftune.errors import RegistryError, suggestion
from kftune.hparams.registry import import_module
from kftune.katib.engines import ALGORITHMS, engine_of
from kftune.katib.engines.settings import SEED, SHARE, Setting, Settings, integer, one_of
from kftune.spec.part import PartError

SAMPLERS = "kftune.samplers"
"""The group of entry points."""

_PLACE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


class Declared(NamedTuple):
    """What a study needs to know about an algorithm.

    Attributes:
        summary: The algorithm in a few words.
        settings: The settings that it takes.
        make: Makes the strategy from a `Setup`; None for an algorithm of kftune.
    """

    summary: str
    settings: Settings
    make: Callable[[Any], Any] | None = None


POPULATION = 20
"""Points of a generation of nsga2 by default. With Optuna's own 50, most studies would end before they learn."""

HERE_ONLY: Mapping[str, Declared] = {
    "nsga2": Declared(
        "NSGA-II: generations of points, bred from those that few others are better than",
        # Source: optuna 5.0, NSGAIISampler. Its crossover undx needs three parents.
        {
            "population_size": Setting(
                integer(3),
                meaning=f"Points of a generation; the first generation is drawn at random. Default: {POPULATION}.",
            ),
            "mutation_prob": Setting(
                SHARE, meaning="Probability that a value is drawn anew. Default: 1 / the number of hyperparameters."
            ),
            "crossover_prob": Setting(SHARE, meaning="Probability that a point has several parents. Default: 0.9."),
            "swapping_prob": Setting(
                SHARE,
                meaning="Probability that a value comes from the second parent, for choices and the crossover uniform. "
                "Default: 0.5.",
            ),
            "crossover": Setting(
                one_of("uniform blxalpha spx sbx vsbx undx"), meaning="How numbers are mixed. Default: uniform."
            ),
        },
    ),
}
"""The algorithms of kftune that Katib does not have: they run on this machine only."""

KNOWN = (*ALGORITHMS, *HERE_ONLY)
"""The algorithms that need no plug-in."""


def declared(name: str, folders: Sequence[Path] = ()) -> Declared:
    """Returns an algorithm by its name.

    Args:
        name: A name of Katib's, one of `HERE_ONLY`, the name of an entry point, or ``module:Class``.
        folders: Where the module is looked for before the installed packages.

    Raises:
        PartError: There is none, or a sampler of one's own cannot be used.
    """
    if name in ALGORITHMS:
        engine = engine_of(name)
        return Declared(engine.summary, engine.settings)
    if name in HERE_ONLY:
        return HERE_ONLY[name]
    make = _imported(name, folders) if ":" in name else _plugged_in(name)
    settings, summary = getattr(make, "settings", {}), getattr(make, "summary", "")
    if not callable(make) or (isinstance(make, type) and not hasattr(make, "proposals")):
        raise PartError(f"{name} must be a sampler: a subclass of kftune.local.samplers.Strategy, but is {make!r}")
    if not isinstance(settings, Mapping) or not all(isinstance(each, Setting) for each in settings.values()):
        raise PartError(
            f"the settings of the sampler {name} must be a mapping of names to kftune.local.samplers.Setting, but are "
            f"{settings!r}"
        )
    return Declared(str(summary) or "a sampler of one's own", settings, make)


def check_settings(name: str, settings: Settings, given: Mapping[str, Any]) -> None:
    """Checks the settings that a study gives an algorithm.

    Args:
        name: The algorithm.
        settings: The settings that it takes.
        given: Those of the study.

    Raises:
        PartError: One is unknown, invalid or missing.
    """
    known = {setting: rule for setting, rule in settings.items() if setting != SEED}
    for setting, value in given.items():
        path = ("settings", setting)
        if setting == SEED:
            raise PartError(f"{SEED} is written as the algorithm's seed: {{seed: 7}}", path, at_key=True)
        if setting not in known:
            message = f"algorithm {name} has no setting {setting!r}; {suggestion(setting, known)}"
            raise PartError(message, path, at_key=True)
        values = known[setting].values
        if not values.has(value):
            raise PartError(f"setting {setting} of {name} must be {values.rule}, but got {value!r}", path)
    for setting, rule in known.items():
        if rule.required and setting not in given:
            raise PartError(f"algorithm {name} needs the setting {setting} ({rule.values.rule})", ("settings",))


def _plugged_in(name: str) -> Any:
    """Returns what the entry point of that name holds."""
    from importlib.metadata import entry_points  # noqa: PLC0415  # costs as much as half of a start-up

    points = entry_points(group=SAMPLERS)
    found = [point for point in points if point.name == name]
    if not found:
        raise PartError(f"unknown algorithm {name!r}; {_hint(name, (point.name for point in points))}")
    owners = [point.dist.name if point.dist else point.value for point in found]
    if len({point.value for point in found}) > 1:
        raise PartError(f"two packages have a sampler {name!r}: {' and '.join(owners)}; write module:Class instead")
    try:
        return found[0].load()
    except (Exception, SystemExit) as error:  # a package may run any code when it is imported
        raise PartError(
            f"the sampler {name!r} of {owners[0]} ({found[0].value}) cannot be loaded: {type(error).__name__}: "
            f"{' '.join(str(error).split())}"
        ) from error


def _hint(name: str, plugged_in: Iterable[str]) -> str:
    known = suggestion(name, [*KNOWN, *plugged_in])
    own = "" if known.startswith("did you mean") else "; a sampler of one's own is written module:Class"
    return f"{known}{own}"


def _imported(name: str, folders: Sequence[Path]) -> Any:
    """Returns what ``module:Class`` names."""
    if not _PLACE.fullmatch(name):
        raise PartError(f"a sampler of one's own is written module:Class, as in an import, but got {name!r}")
    module_path, _, attribute = name.partition(":")
    if module_path.endswith(".py"):
        raise PartError(f"a module is written without .py: {module_path.removesuffix('.py')}:{attribute}")
    try:
        module = import_module(module_path, folders)
    except RegistryError as error:
        raise PartError(str(error).partition("; a class is written")[0]) from error
    found: Any = module
    for part in attribute.split("."):
        inner = getattr(found, part, None)
        if inner is None:
            own = {each: getattr(value, "__module__", "") for each, value in vars(found).items() if callable(value)}
            names = [each for each, home in own.items() if home == module_path and each[0] != "_"]
            raise PartError(f"module {module_path} has no sampler {attribute!r}; {suggestion(part, names)}")
        found = inner
    return found
