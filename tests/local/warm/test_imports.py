"""Which imports trials share: those that run before any other code of the project, in the order in which they run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from warm_study import write

from kftune.local.processes.warm.imports import FoundImports, find_imports


def find(folder: Path, module: str = "main", **files: str) -> FoundImports:
    write(folder, {name.replace("__slash__", "/") + ".py": text for name, text in files.items()})
    return find_imports(module, [str(folder), *sys.path])


def names(found: FoundImports) -> list[str]:
    return [name for name, _ in found.imports]


@pytest.mark.parametrize(
    ("source", "imported"),
    [
        ("import json, csv as c\nfrom os import path, sep\n", ["json", "csv", "os"]),
        ("from __future__ import annotations\nimport json\n", ["__future__", "json"]),
        ("try:\n import json\nexcept ImportError:\n import csv\nelse:\n import os\n", ["json", "os"]),
        ("try:\n import json\nfinally:\n import re\n", ["json", "re"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n import json\nelse:\n import csv\n", ["typing", "csv"]),
        ("import typing\nif typing.TYPE_CHECKING:\n import json\n", ["typing"]),
        ("if __name__ == '__main__':\n import json\n", ["json"]),
        ("import sys\nif sys.platform == 'linux':\n import json\nimport csv\n", ["sys", "csv"]),
        ("def f():\n import json\nclass A:\n import csv\n", []),
        ("with open('x') as f:\n import json\n", ["json"]),
        ("A = 1\nB: int = max(2, 3)\n@print\ndef f(): f()\nimport json\n", ["json"]),
        ("print(1)\nimport json\n", []),
        ("import os\nos.environ['A'] = '1'\nimport json\n", ["os"]),
        ("import os\nA = os.environ.setdefault('A', '1')\nimport json\n", ["os"]),
        ("import os\nA = os.environ.get('A')\nimport json\n", ["os", "json"]),
        ("import sys\nsys.path += ['x']\nimport json\n", ["sys"]),
        ("import os\ndel os.environ['A']\nimport json\n", ["os"]),
        ("if 1:\n print(1)\nimport json\n", []),
        ("for x in []:\n print(1)\nimport json\n", []),
        ("try:\n import json\nexcept ImportError:\n print(1)\nimport csv\n", ["json"]),
        ("import json\nbroken(", []),
        ("import json\n\0", []),
    ],
)  # fmt: skip
def test_imports_count_up_to_the_first_statement_that_may_change_what_they_do(tmp_path, source, imported):
    found = find(tmp_path, main=source)
    assert names(found) == [name for name in imported if name != "__future__"]


def test_modules_of_the_project_are_read_in_the_order_in_which_they_run(tmp_path):
    found = find(
        tmp_path,
        "package.train",
        package__slash____init__="import a1\nfrom .other import thing\n",
        package__slash__other="import a2\nif __name__ == '__main__':\n import never\n",
        package__slash__train="import a3, helper\nfrom package import later\nimport a6\nprint(1)\nimport torch\n",
        package__slash__later="import a5\n",
        helper="import a4\nimport helper\n",
    )
    assert names(found) == ["a1", "a2", "a3", "a4", "a5", "a6"]
    assert (found.changed_at, found.late, found.is_slow) == (f"{tmp_path}/package/train.py:4", "torch", False)


def test_a_package_runs_its_main_module(tmp_path):
    found = find(tmp_path, "p", p__slash____init__="import a1", p__slash____main__="import a2")
    assert names(found) == ["a1", "a2"]


def test_an_installed_package_that_is_run_itself_is_read_and_not_imported(tmp_path):
    files = {"site-packages__slash__p__slash____init__": "import a1", "site-packages__slash__p__slash__t": "import q"}
    found = find(tmp_path, "p.t", **files, **{"site-packages__slash__q__slash____init__": "import torch"})
    assert found.imports == []
    found = find_imports("p.t", [f"{tmp_path}/site-packages", *sys.path])
    assert names(found) == ["a1", "q"]


def test_names_that_may_be_modules_are_imported_with_their_package(tmp_path):
    assert find(tmp_path, main="from os import path, sep\n").imports == [("os", ["path", "sep"])]


@pytest.mark.parametrize("package", ["torch", "torch.nn", "lightning", "pytorch_lightning", "torchvision"])
def test_slow_packages_are_worth_it(tmp_path, package):
    assert find(tmp_path, main=f"import {package}\n").is_slow
    assert find(tmp_path, main="import own\n", own=f"from {package} import a\n").is_slow


def test_a_module_may_name_what_it_imports_later(tmp_path):
    found = find(tmp_path, main="__warm_imports__ = ('torch', 'csv')\nprint(1)\n")
    assert (names(found), found.is_slow) == (["torch", "csv"], True)
    assert find(tmp_path, main="__warm_imports__ = f()\nimport os\n").is_slow is False


def test_training_names_torch_and_is_not_run_before_a_trial():
    found = find_imports("kftune.training", sys.path)
    assert found.is_slow
    assert "kftune.training.warm" in names(found)
    assert "kftune.training.__main__" not in names(found)


def test_a_module_that_is_not_there_has_no_imports(tmp_path):
    assert find_imports("not_there.at.all", [str(tmp_path)]).imports == []
