"""The module of the lists' class is forgotten after each test: the next one has it in another folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _own_module() -> Iterator[None]:
    sys.modules.pop("toy", None)
    yield
    sys.modules.pop("toy", None)
