"""The peers' packages. They conflict with each other, so each stack has its own virtual environment."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import HERE, PYTHON, output

VENVS = HERE / ".venvs"
REMEDY = "make bench-peers"


@dataclass(frozen=True)
class Stack:
    """Packages that share a virtual environment.

    Attributes:
        name: The folder below `.venvs`, and `requirements-NAME.txt`.
        packages: The packages to print versions of; the first is the peer.
    """

    name: str
    packages: tuple[str, ...]

    @property
    def python(self) -> str:
        """The path of its interpreter."""
        return str(VENVS / self.name / "bin" / "python")

    @property
    def requirements(self) -> Path:
        """The file with its exact pins."""
        return HERE / f"requirements-{self.name}.txt"

    @property
    def missing(self) -> str | None:
        """Why the peer cannot be measured; None if it can."""
        if self.packages[0] in self.versions():
            return None
        return f"{self.packages[0]} is not installed; {REMEDY}"

    def versions(self) -> dict[str, str]:
        """Returns the installed version of each package."""
        if not Path(self.python).exists():
            return {}
        found: dict[str, str] = json.loads(output([self.python, "-c", _VERSIONS, *self.packages]))
        return found

    def install(self) -> None:
        """Creates the environment from the pins."""
        if not Path(self.python).exists():
            subprocess.run([PYTHON, "-m", "venv", VENVS / self.name], check=True)
        pip = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "-r", self.requirements], check=True)


class MainStack(Stack):
    """kftune's own environment, which includes Optuna."""

    @property
    def python(self) -> str:
        """The path of the running interpreter."""
        return sys.executable


_VERSIONS = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""

MAIN = MainStack("main", ("kftune", "pydantic", "pydantic_core", "PyYAML"))
OPTUNA = MainStack("main", ("optuna", "SQLAlchemy"))
TORCH = MainStack("main", ("torch",))
KATIB = Stack("katib", ("kubeflow-katib", "kubernetes", "PyYAML"))
KUBEFLOW = Stack("kubeflow", ("kubeflow", "kubeflow_katib_api", "pydantic", "PyYAML"))
TYPER = Stack("typer", ("typer", "rich"))
HYPEROPT = Stack("hyperopt", ("hyperopt", "numpy"))
SYNE_TUNE = Stack("synetune", ("syne-tune", "numpy"))
DIGITS = Stack("digits", ("scikit-learn",))

PEERS = (KATIB, KUBEFLOW, TYPER, HYPEROPT, SYNE_TUNE, DIGITS)
