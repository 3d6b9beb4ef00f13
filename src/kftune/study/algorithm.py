"""The search algorithm of a study. Katib's suggestion services define the names and the settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from kftune.errors import suggestion
from kftune.katib.engines import ALGORITHMS, engine_of
from kftune.katib.engines.settings import SEED
from kftune.spec.part import Part, PartError
from kftune.spec.quantities import NO_BOOL


class Algorithm(Part):
    """How the next values are chosen."""

    name: Annotated[str, WithJsonSchema({"type": "string", "enum": [*ALGORITHMS]})] = "multivariate-tpe"
    """The algorithm's Katib name. The default is the one that finds the best values (docs/search.md)."""
    seed: Annotated[int, Field(ge=0, lt=2**32), NO_BOOL] | None = None
    """Makes the choices repeatable. None draws one when the study starts."""
    settings: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """The algorithm's own settings, by the names that Katib has for them."""

    def model_post_init(self, context: object, /) -> None:
        """Checks what the fields by themselves cannot."""
        if self.name not in ALGORITHMS:
            raise PartError(f"unknown algorithm {self.name!r}; {suggestion(self.name, ALGORITHMS)}", ("name",))
        declared = engine_of(self.name).settings
        if not self.settings and declared.keys() <= {SEED}:
            return
        known = {name: setting for name, setting in declared.items() if name != SEED}
        for name, value in self.settings.items():
            path = ("settings", name)
            if name == SEED:
                raise PartError(f"{SEED} is written as the algorithm's seed: {{seed: 7}}", path, at_key=True)
            if name not in known:
                message = f"algorithm {self.name} has no setting {name!r}; {suggestion(name, known)}"
                raise PartError(message, path, at_key=True)
            values = known[name].values
            if not values.has(value):
                raise PartError(f"setting {name} of {self.name} must be {values.rule}, but got {value!r}", path)
        for name, setting in known.items():
            if setting.required and name not in self.settings:
                message = f"algorithm {self.name} needs the setting {name} ({setting.values.rule})"
                raise PartError(message, ("settings",))
