"""The search algorithm of a study. Katib's suggestion services define the names and the settings of most."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from kftune.errors import suggestion
from kftune.katib.engines import ALGORITHMS, engine_of
from kftune.katib.engines.settings import SEED
from kftune.spec.part import Part, PartError, located
from kftune.spec.quantities import NO_BOOL
from kftune.study.algorithms import KNOWN, check_settings, declared

_Seed = Annotated[int, Field(ge=0, lt=2**32), NO_BOOL] | None
_Settings = dict[str, str | int | float | bool]


class Algorithm(Part):
    """How the next values are chosen."""

    name: Annotated[
        str, WithJsonSchema({"anyOf": [{"type": "string", "enum": [*KNOWN]}, {"type": "string", "minLength": 1}]})
    ] = "multivariate-tpe"
    """The algorithm's Katib name, or a sampler of one's own: ``module:Class``, or the name that its package gives.
    The default is the one that finds the best values (docs/search.md)."""
    seed: _Seed = None
    """Makes the choices repeatable. None draws one when the study starts."""
    settings: _Settings = Field(default_factory=dict)
    """The algorithm's own settings, by the names that Katib or the sampler has for them."""

    def model_post_init(self, context: Any, /) -> None:
        """Checks what the fields by themselves cannot."""
        if self.name in ALGORITHMS:
            settings = engine_of(self.name).settings
            if not self.settings and settings.keys() <= {SEED}:
                return
        else:
            with located("name"):
                settings = declared(self.name, (context or {}).get("folders", ())).settings
        check_settings(self.name, settings, self.settings)

    @property
    def runs_on_katib(self) -> bool:
        """Whether Katib has it."""
        return self.name in ALGORITHMS


class KatibAlgorithm(Part):
    """The algorithm on Katib, in place of the study's own."""

    name: Annotated[str, WithJsonSchema({"type": "string", "enum": [*ALGORITHMS]})]
    """The algorithm's Katib name."""
    settings: _Settings = Field(default_factory=dict)
    """The algorithm's own settings, by the names that Katib has for them."""

    def model_post_init(self, context: Any, /) -> None:
        """Checks what the fields by themselves cannot."""
        if self.name not in ALGORITHMS:
            raise PartError(f"Katib has no algorithm {self.name!r}; {suggestion(self.name, ALGORITHMS)}", ("name",))
        check_settings(self.name, engine_of(self.name).settings, self.settings)


def _by_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


Substitute = Annotated[KatibAlgorithm, BeforeValidator(_by_name, json_schema_input_type=str | KatibAlgorithm)]
"""An algorithm for Katib; a text is the name of one."""
