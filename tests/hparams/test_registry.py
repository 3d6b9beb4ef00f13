"""Classes by name: found without being imported, imported alone, and with errors that say which step went wrong."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kftune import HPARAMS_REGISTRY, Hparams
from kftune.errors import RegistryError, UnknownNameError
from kftune.hparams.models.lstm import LstmHparams
from kftune.hparams.registry import (
    BUILT_IN,
    ENTRY_POINT_GROUP,
    TRAINER_GROUP,
    HparamsRegistry,
    RegistryEntry,
    load_hparams,
    name_of,
)

CLASS = "from kftune import Hparams\n\nclass {name}(Hparams):\n    lr: float = {default}\n"
FORM = "a class is written module:Class, as in an import, or as its name in the registry"
KNOWN = "known: DetectorHparams, LstmHparams, OcrHparams, YoloHparams, detector, lstm, ocr, yolo"
_NUMBERS = itertools.count()


@pytest.fixture
def module(tmp_path, monkeypatch) -> Iterator[Callable[..., str]]:
    """Writes a module with a unique name, which it returns; removes imports and paths afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(text: str, *, folder: Path = tmp_path, name: str = "") -> str:
        name = name or f"hparams_of_test_{next(_NUMBERS)}"
        path = folder.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def python(code: str, *path: Path) -> str:
    """What a fresh process prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def plug_in(folder: Path, entries: str, *, name: str = "plug") -> Path:
    """An installed package, as `pip` leaves one, with these entry points."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{entries}\n", encoding="utf-8")
    return folder


ENTRY = RegistryEntry(class_name="Mine", module_path="package.mine", model_type="mine", description="What it is")


def test_the_registry_reads_as_a_plain_mapping_of_four_keys():
    assert isinstance(HPARAMS_REGISTRY, Mapping)
    read = dict(HPARAMS_REGISTRY)["LstmHparams"]
    assert read["description"].startswith("LSTM that predicts")
    assert {key: text for key, text in read.items() if key != "description"} == {
        "class_name": "LstmHparams",
        "module_path": "kftune.hparams.models.lstm",
        "model_type": "lstm",
    }
    assert "LstmHparams" in HPARAMS_REGISTRY
    assert len(HPARAMS_REGISTRY) == len(list(HPARAMS_REGISTRY)) == len(HPARAMS_REGISTRY.items()) >= len(BUILT_IN)
    assert HPARAMS_REGISTRY.get("lstm") is None
    with pytest.raises(KeyError):
        HPARAMS_REGISTRY["lstm"]


@pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry["class_name"])
def test_every_built_in_entry_is_true(entry):
    found = load_hparams(entry["class_name"])
    assert found.__name__ == entry["class_name"]
    assert found.__module__ == entry["module_path"]
    assert load_hparams(entry["model_type"]) is found
    assert load_hparams(f"{entry['module_path']}:{entry['class_name']}") is found
    assert name_of(found) == entry["class_name"]
    assert found.from_args([]) == found()


def test_a_class_is_found_by_class_name_model_type_and_dotted_path():
    registry = HparamsRegistry([ENTRY])
    assert registry.find("Mine") == registry.find("mine") == registry["Mine"] == ENTRY
    assert load_hparams("lstm") is load_hparams("LstmHparams") is LstmHparams


# -- lazy --------------------------------------------------------------------------------------------------------------


def test_looking_a_name_up_imports_that_module_only(tmp_path, module):
    names = [module(CLASS.format(name=f"Made{letter}", default=1), name=f"made_{letter}") for letter in "abc"]
    code = (
        "import sys\n"
        "from kftune.hparams.registry import HPARAMS_REGISTRY, load_hparams, register\n"
        f"for letter, name in zip('abc', {names}):\n"
        "    register('Made' + letter, name, 'made-' + letter, 'one')\n"
        "ours = lambda: sorted(m for m in sys.modules if m.startswith(('made_', 'kftune.hparams.models')))\n"
        "print(ours(), HPARAMS_REGISTRY['Madeb']['module_path'], ours(), len(HPARAMS_REGISTRY) > 3, ours())\n"
        "print(load_hparams('made-b').__name__, ours())\n"
    )
    assert python(code, tmp_path).splitlines() == ["[] made_b [] True []", "Madeb ['made_b']"]


def test_a_built_in_class_loads_neither_torch_nor_other_models():
    code = (
        "import sys\nfrom kftune.hparams.registry import load_hparams\n"
        "before = 'kftune.hparams.models.lstm' in sys.modules\n"
        "load_hparams('lstm')\n"
        "print(before, 'kftune.hparams.models.lstm' in sys.modules, 'torch' in sys.modules)"
    )
    assert python(code).split() == ["False", "True", "False"]


# -- registering -------------------------------------------------------------------------------------------------------


def test_registering_needs_no_decorator_and_the_same_entry_twice_is_fine():
    registry = HparamsRegistry()
    registry.register(**ENTRY)
    registry.register(**ENTRY)
    registry.register("Other", "package.other", "other")
    assert registry["Other"]["description"] == ""
    assert [name for name in registry if name in ("Mine", "Other")] == ["Mine", "Other"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"module_path": "package.b", "model_type": "b"},
            "each class_name must belong to one class, but 'Mine' of package.b:Mine",
        ),
        (
            {"class_name": "B", "module_path": "package.b"},
            "each model_type must belong to one class, but 'mine' of package.b:B",
        ),
        ({"description": "another"}, "each class_name must belong to one class"),
    ],
)
def test_a_class_name_and_a_model_type_belong_to_one_class(change, text):
    registry = HparamsRegistry([ENTRY])
    with pytest.raises(RegistryError) as caught:
        registry.register(**{**ENTRY, **change})
    assert text in str(caught.value)
    assert "is already that of package.mine:Mine; choose another" in str(caught.value)
    assert registry["Mine"] == ENTRY


# -- plug-ins ----------------------------------------------------------------------------------------------------------


def test_an_installed_package_adds_classes_by_an_entry_point(tmp_path, module):
    module(CLASS.format(name="Plugged", default=0.5), name="plug.hparams")
    plug_in(tmp_path, "plugged = plug.hparams:Plugged")
    code = (
        "import sys\nfrom kftune.hparams.registry import HPARAMS_REGISTRY, load_hparams, name_of\n"
        "print('Plugged' in HPARAMS_REGISTRY, HPARAMS_REGISTRY['Plugged'], 'plug' in sys.modules)\n"
        "print(load_hparams('plugged')().lr, name_of(load_hparams('Plugged')))"
    )
    first, second = python(code, tmp_path).splitlines()
    assert first == (
        "True {'class_name': 'Plugged', 'module_path': 'plug.hparams', 'model_type': 'plugged', "
        "'description': 'from plug'} False"
    )
    assert second == "0.5 Plugged"


def test_plug_ins_are_read_once_and_only_when_needed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(plug_in(tmp_path, "plugged = plug.hparams:Plugged"))
    registry = HparamsRegistry([ENTRY])
    assert registry.find("mine") == ENTRY
    assert "plugged" not in [entry["model_type"] for entry in registry._entries.values()]
    assert registry.find("plugged")["module_path"] == "plug.hparams"
    assert list(registry) == ["Mine", "Plugged"]


def test_a_plug_in_cannot_use_a_name_that_is_taken(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(plug_in(tmp_path, "lstm = plug.hparams:Plugged"))
    with pytest.raises(
        RegistryError, match=r"'lstm' of plug\.hparams:Plugged is already that of kftune\.hparams\.models\.lstm"
    ):
        HparamsRegistry(BUILT_IN).find("plugged")


# -- names that are not there ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LstmHparam", "did you mean 'LstmHparams'?"),
        ("lstn", "did you mean 'lstm'?"),
        ("transformer", KNOWN),
        ("", KNOWN),
    ],
)
def test_an_unknown_name_offers_the_near_ones(name, text):
    with pytest.raises(RegistryError) as caught:
        load_hparams(name)
    assert str(caught.value) == f"unknown hyperparameter class {name!r}; {FORM}; {text}"


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("toy_hp.py:Toy", "toy_hp:Toy"),
        ("./toy_hp.py:Toy", "toy_hp:Toy"),
        ("toy_hp.py", "toy_hp:Toy' or 'toy_hp:Own"),
        ("toy_hp", "toy_hp:Toy' or 'toy_hp:Own"),
        ("toy_hp.Toy", "toy_hp:Toy"),
        ("Toy", "toy_hp:Toy"),
        ("toy", "toy_hp:Toy"),
        ("Own", "toy_hp:Own"),
        ("toyhp:Toy", "toy_hp:Toy"),
        ("Deep", "models.deep:Deep"),
        ("models/deep.py:Deep", "models.deep:Deep"),
    ],
)
def test_another_form_of_a_name_is_answered_with_the_class_in_the_files(tmp_path, written, right):
    (tmp_path / "models").mkdir()
    (tmp_path / "toy_hp.py").write_text(CLASS.format(name="Toy", default=1) + "class Own(Toy): pass\nclass No: pass\n")
    (tmp_path / "models" / "deep.py").write_text(CLASS.format(name="Deep", default=1))
    with pytest.raises(RegistryError) as caught:
        load_hparams(written, [tmp_path])
    assert str(caught.value).endswith(f"{FORM}; did you mean '{right}'?")
    assert {"toy_hp", "models.deep"} & {*sys.modules} == set()


def test_a_missing_module_is_named_with_the_folders_searched(tmp_path, module):
    name = module("")
    with pytest.raises(RegistryError) as caught:
        load_hparams(f"{name[:-1]}x:Made", [tmp_path])
    assert str(caught.value) == f"no module '{name[:-1]}x' in {tmp_path}; {FORM}; did you mean '{name}:Made'?"
    with pytest.raises(RegistryError, match=r"no module 'package_nobody_has\.hparams' in the installed"):
        load_hparams("package_nobody_has.hparams:Made")


def test_a_missing_class_is_named_with_the_near_ones(tmp_path, module):
    name = module(CLASS.format(name="Made", default=1))
    with pytest.raises(UnknownNameError) as caught:
        load_hparams(f"{name}:Mode", [tmp_path])
    assert str(caught.value) == f"unknown class in module {name} 'Mode'; did you mean 'Made'?"


@pytest.mark.parametrize("attribute", ["Plain", "value"])
def test_a_name_of_anything_but_an_hparams_class_is_refused(tmp_path, module, attribute):
    name = module("class Plain: pass\nvalue = 3\n")
    with pytest.raises(RegistryError, match=f"{name}:{attribute} must be a subclass of kftune.Hparams, but is"):
        load_hparams(f"{name}:{attribute}", [tmp_path])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("raise RuntimeError('no licence')", "must import without an error, but raised RuntimeError: no licence"),
        ("def broken(:\n", "must import without an error, but raised SyntaxError: invalid syntax"),
        ("import sys\nsys.exit('bye')", "must import without an error, but raised SystemExit: bye"),
        ("1 / 0", "must import without an error, but raised ZeroDivisionError: division by zero"),
        ("import package_nobody_has", "needs 'package_nobody_has', which is not installed"),
        (
            "from json import nothing",
            "must import without an error, but raised ImportError: cannot import name 'nothing'",
        ),
    ],
)
def test_a_module_that_fails_to_import_shows_its_own_error(tmp_path, module, text, shown):
    name = module(text)
    with pytest.raises(RegistryError) as caught:
        load_hparams(f"{name}:Made", [tmp_path])
    assert f"module '{name}' {shown}" in str(caught.value)
    assert re.match(rf"{re.escape(str(tmp_path / name))}\.py:[12]: ", str(caught.value))


def test_an_entry_may_be_set_by_its_key():
    registry = HparamsRegistry()
    registry["Mine"] = {"class_name": "Mine", "module_path": "my.module", "model_type": "mine", "description": "x"}
    registry["Other"] = {"module_path": "my.module", "model_type": "other"}
    assert registry.find("mine")["class_name"] == "Mine"
    assert registry["Other"]["description"] == ""
    with pytest.raises(RegistryError, match="the key must be the class_name, but got 'A' and 'B'"):
        registry["A"] = {"class_name": "B", "module_path": "m", "model_type": "t"}
    with pytest.raises(
        RegistryError, match="A: an entry has class_name, module_path, model_type, description, trainer, but"
    ):
        registry["A"] = {"module_path": "m", "modle_type": "t"}
    with pytest.raises(RegistryError, match="A: an entry is a dict with module_path and model_type, but got 'm:A'"):
        registry["A"] = "m:A"  # type: ignore[assignment]  # a user may write it
    with pytest.raises(RegistryError, match="A: the values of an entry are texts, but model_type is None"):
        registry["A"] = {"module_path": "m", "model_type": None}  # type: ignore[dict-item]  # a user may write it


def test_a_missing_package_is_distinguished_from_a_module_of_a_similar_name(tmp_path, module):
    name = module("import hparams_of", name="hparams_of_mine")
    with pytest.raises(RegistryError, match="module 'hparams_of_mine' needs 'hparams_of', which is not installed"):
        load_hparams(f"{name}:Made", [tmp_path])


def test_an_invalid_class_shows_its_own_error_with_its_line(tmp_path, module):
    name = module("from kftune import Hparam, Hparams, IntUniform\n\nclass Made(Hparams):\n    keys: int = 1\n")
    with pytest.raises(RegistryError) as caught:
        load_hparams(f"{name}:Made", [tmp_path])
    assert str(caught.value).startswith(f"{tmp_path / name}.py:3: Made: a field cannot be called 'keys'")


# -- a project's own modules -------------------------------------------------------------------------------------------


def test_a_dotted_path_is_found_from_the_studys_folder(tmp_path, module):
    name = module(CLASS.format(name="Made", default=0.25))
    inner = module(CLASS.format(name="Made", default=0.75), name=f"{name}_package.hparams")
    assert load_hparams(f"{name}:Made", [tmp_path])()["lr"] == 0.25
    found = load_hparams(f"{inner}:Made", [tmp_path])
    assert found()["lr"] == 0.75
    assert name_of(found) == f"{inner}:Made"
    assert issubclass(found, Hparams)


def test_a_class_within_a_class_has_a_path_too(tmp_path, module):
    name = module("from kftune import Hparams\n\nclass Outer:\n    class Inner(Hparams):\n        lr: float = 3.0\n")
    found = load_hparams(f"{name}:Outer.Inner", [tmp_path])
    assert found()["lr"] == 3
    assert name_of(found) == f"{name}:Outer.Inner"


def test_the_first_folder_that_has_a_module_wins(tmp_path, module):
    first, second = tmp_path / "first", tmp_path / "second"
    name = module(CLASS.format(name="Made", default=1), folder=first)
    module(CLASS.format(name="Made", default=2), folder=second, name=name)
    assert load_hparams(f"{name}:Made", [first, second])()["lr"] == 1


def test_a_folder_comes_before_what_is_installed(tmp_path, module):
    name = module(CLASS.format(name="Made", default=2), folder=tmp_path / "installed")
    module(CLASS.format(name="Made", default=1), folder=tmp_path / "project", name=name)
    sys.path[:0] = [str(tmp_path / "installed"), str(tmp_path / "project")]
    assert load_hparams(f"{name}:Made", [tmp_path / "project"])()["lr"] == 1


def test_two_modules_of_one_name_in_one_process_are_an_error_and_never_mixed_up(tmp_path, module):
    first, second = tmp_path / "first", tmp_path / "second"
    name = module(CLASS.format(name="Made", default=1), folder=first)
    module(CLASS.format(name="Made", default=2), folder=second, name=name)
    load_hparams(f"{name}:Made", [first])
    with pytest.raises(RegistryError) as caught:
        load_hparams(f"{name}:Made", [second])
    assert str(caught.value) == (
        f"two modules cannot share a name in one process, but '{name}' of {second} is loaded from "
        f"{first / name}.py; rename one"
    )
    assert load_hparams(f"{name}:Made", [first])()["lr"] == 1


def test_a_module_named_like_a_loaded_one_of_python_is_an_error(tmp_path, module):
    module(CLASS.format(name="Made", default=1), name="json")
    with pytest.raises(RegistryError, match="two modules cannot share a name in one process, but 'json' of"):
        load_hparams("json:Made", [tmp_path])


# -- the folder of a study ----------------------------------------------------------------------------------------

HELPED = """\
from kftune import Hparams
import {helper}

class Made(Hparams):
    lr: float = {helper}.DEFAULT

    def later(self):
        import {later}
        import importlib
        return {later}.VALUE, importlib.import_module("{later}").VALUE
"""


def test_the_path_is_as_before_once_a_class_is_loaded(tmp_path, module):
    before = list(sys.path)
    load_hparams(f"{module(CLASS.format(name='Made', default=1))}:Made", [tmp_path])
    assert sys.path == before


@pytest.mark.parametrize("shadow", ["optuna", "cuda", "sqlite3", "statistics", "rich", "not_installed_anywhere"])
def test_no_file_beside_a_class_shadows_what_others_import(tmp_path, module, shadow):
    name = module(CLASS.format(name="Made", default=1))
    module("print('from the folder')\n", name=shadow)
    code = f"""
import contextlib, importlib, pathlib
from kftune.hparams.registry import load_hparams
load_hparams("{name}:Made", [pathlib.Path({str(tmp_path)!r})])
with contextlib.suppress(ModuleNotFoundError):
    importlib.import_module("{shadow}")
"""
    assert python(code) == ""


def test_modules_beside_a_class_find_each_other_first_also_later(tmp_path, module):
    helper, later = module("DEFAULT = 0.25\n"), module("VALUE = 7\n")
    installed = tmp_path / "installed"
    for name in (helper, later):
        module("DEFAULT = VALUE = None\n", folder=installed, name=name)
    sys.path.insert(0, str(installed))
    found = load_hparams(f"{module(HELPED.format(helper=helper, later=later))}:Made", [tmp_path])
    assert found()["lr"] == 0.25
    assert found().later() == (7, 7)  # type: ignore[attr-defined]


def test_modules_of_a_package_beside_a_class_find_those_beside_the_package(tmp_path, module):
    later = module("VALUE = 7\n")
    package = f"package_of_test_{next(_NUMBERS)}"
    inside = HELPED.format(helper=later, later=later).replace("DEFAULT", "VALUE")
    module(inside, name=f"{package}.inner.hp")
    found = load_hparams(f"{package}.inner.hp:Made", [tmp_path])
    assert found().later() == (7, 7)  # type: ignore[attr-defined]


def test_a_class_module_may_import_by_name_through_a_package(tmp_path, module):
    helper = module("DEFAULT = 0.5\n")
    text = (
        "from pydantic import ImportString, TypeAdapter\nfrom kftune import Hparams\n\n"
        f"DEFAULT = TypeAdapter(ImportString).validate_python('{helper}.DEFAULT')\n\n"
        "class Made(Hparams):\n    lr: float = DEFAULT\n"
    )
    assert load_hparams(f"{module(text)}:Made", [tmp_path])()["lr"] == 0.5


def test_a_module_that_changes_the_path_keeps_its_change(tmp_path, module):
    other = tmp_path / "other"
    name = module(f"import sys\nsys.path.append({str(other)!r})\n" + CLASS.format(name="Made", default=1))
    before = list(sys.path)
    load_hparams(f"{name}:Made", [tmp_path])
    assert sys.path == [*before, str(other)]


# -- the function that trains ------------------------------------------------------------------------------------------

TRAINERS = {"beside": "plug_hparams:train", "other": "plug_training:run"}


@pytest.mark.parametrize(("name", "function"), TRAINERS.items(), ids=TRAINERS)
def test_a_package_declares_the_function_that_trains_under_the_same_name(tmp_path, name: str, function: str):
    entries = f"{name} = plug_hparams:Plug\n[{TRAINER_GROUP}]\nother = plug_training:run"
    (tmp_path / "plug_hparams.py").write_text(CLASS.format(name="Plug", default=1))
    code = f"from kftune.hparams.registry import load_hparams, trainer_of\nprint(trainer_of(load_hparams({name!r})))\n"
    assert python(code, plug_in(tmp_path, entries)) == f"{function}\n"


@pytest.mark.parametrize("trainer", ["net.train", "net:", ":train", "net.py:train", "net:a.b", 3])
def test_a_trainer_that_is_no_function_of_a_module_is_refused(trainer: Any):
    with pytest.raises(RegistryError, match="a trainer is module:function"):
        HparamsRegistry().register("A", "a", "a", trainer=trainer)
