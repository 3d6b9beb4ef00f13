"""The JSON Schema of a domain follows its class, also for a class that a project adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from domain_examples import DOMAINS
from hypothesis import given
from json_schema import problems

from kftune.domains import Domain, domain_from_spec, encoding
from kftune.domains.domain import KINDS
from kftune.domains.schema import domain_schema


@given(DOMAINS)
def test_the_schema_takes_what_every_domain_writes(domain):
    assert list(problems(domain.to_spec(), domain_schema())) == []


@pytest.mark.parametrize(
    "spec",
    [
        {"uniform": [0]},
        {"uniform": [0, 1, 2]},
        {"uniform": {"low": 0}},
        {"uniform": [0, 1], "q": 0.5},
        {"quniform": [0, 1]},
        {"quniform": {"low": 0, "high": 1}},
        {"int": [1, 2.5]},
        {"int": [1, 9], "step": 0},
        {"int": [1, 9], "log": 1},
        {"normal": [0, 1], "low": "0"},
        {"choice": []},
        {"choice": [1], "weights": [0]},
        {"ordinal": [1], "weights": [1]},
        {"discrete": ["a"]},
        {"unifrm": [0, 1]},
    ],
    ids=str,
)
def test_the_schema_refuses_what_no_domain_is_made_from(spec):
    assert list(problems(spec, domain_schema())) == ["$: fits no alternative"]


@pytest.fixture
def triangular():
    """A domain that only this module declares."""

    @dataclass(frozen=True, slots=True, eq=False)
    class Triangular(Domain):
        """Values around `mode`."""

        kind: ClassVar[str] = "triangular"
        positional: ClassVar[tuple[str, ...]] = ("low", "high")
        low: float
        high: float
        mode: float | None = None

        def contains(self, value: object) -> bool:
            return isinstance(value, float) and self.low <= value <= self.high

        def quantile(self, u: float) -> Any:
            return self.low + (self.high - self.low) * u

    yield Triangular
    del KINDS["triangular"]


def test_a_class_with_a_kind_is_read_written_encoded_and_described_without_further_code(triangular):
    domain = triangular(0, 2, mode=1)
    spec = {"triangular": [0, 2], "mode": 1}
    assert domain.to_spec() == spec
    assert domain_from_spec(spec) == domain_from_spec({"triangular": {"low": 0, "high": 2, "mode": 1}}) == domain
    assert encoding.decode(encoding.encode_value("quantile", domain, "0.25")) == (domain, 0.5)
    assert list(problems(spec, domain_schema())) == []
    assert {"[low, high]: Values around `mode`."} == {
        form["description"] for form in domain_schema()["anyOf"] if "triangular" in form.get("properties", {})
    }
