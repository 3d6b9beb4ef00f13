"""The values that a hyperparameter may take in a search: frozen, validated domains.

Every domain turns a uniform number into a value through one function, `Domain.quantile`. Local sampling and the
decoding of encoded values in a container both call it, so both follow one distribution. Bounds are values, never
exponents.
"""

from kftune.domains.conditional import Conditional
from kftune.domains.continuous import LogUniform, ReverseLogUniform, Uniform
from kftune.domains.domain import Domain, same
from kftune.domains.lattice import IntUniform, QLogUniform, QUniform
from kftune.domains.listed import Choice, Constant, Discrete, Ordinal
from kftune.domains.normal import LogNormal, Normal, QLogNormal, QNormal
from kftune.domains.spec import domain_from_spec

__all__ = [
    "Choice",
    "Conditional",
    "Constant",
    "Discrete",
    "Domain",
    "IntUniform",
    "LogNormal",
    "LogUniform",
    "Normal",
    "Ordinal",
    "QLogNormal",
    "QLogUniform",
    "QNormal",
    "QUniform",
    "ReverseLogUniform",
    "Uniform",
    "domain_from_spec",
    "same",
]
