from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lint_examples import EXAMPLE_HPARAMS, EXAMPLE_STUDY, script_text

from kftune.cli.call import call
from kftune.lint.rules.all import RULES
from kftune.scripts.reading import read_help, read_script

Lint = Callable[..., tuple[int, str]]

GOOD = (
    'parser.add_argument("--units", type=int, default=64)\n'
    'parser.add_argument("--learning_rate", type=float, default=0.001)\n'
)
RATE = 'parser.add_argument("--learning_rate", type=float, default=0.001)\n'
UNITS = 'parser.add_argument("--units", type=int, default=64)\n'

# A part of a script -> the codes; argparse itself runs these scripts too.
ARGPARSE = {
    "all there": (GOOD, []),
    "short names too": (UNITS + 'parser.add_argument("-l", "--lr", "--learning_rate", type=float)', []),
    "an int for a float": (UNITS + 'parser.add_argument("--learning_rate", type=int)', ["KT403"]),
    "a float for an int": ('parser.add_argument("--units", type=float)\n' + RATE, []),
    "no type": (UNITS + 'parser.add_argument("--learning_rate")', []),
    "no type, and a number for default": (UNITS + 'parser.add_argument("--learning_rate", default=0.001)', ["KT404"]),
    "a default as text": (UNITS + 'parser.add_argument("--learning_rate", default="0.001", type=float)', []),
    "choices": ('parser.add_argument("--units", type=int, choices=range(32, 200))\n' + RATE, []),
    "too few choices": ('parser.add_argument("--units", type=int, choices=(32, 64))\n' + RATE, ["KT403"]),
    "choices of text": ('parser.add_argument("--units", choices=["32", "64", "128"])\n' + RATE, []),
    "choices that text never is": ('parser.add_argument("--units", choices=[32, 64, 128])\n' + RATE, ["KT403"]),
    "a switch": (UNITS + 'parser.add_argument("--learning_rate", action="store_true")', ["KT403"]),
    "a counter": (UNITS + 'parser.add_argument("--learning_rate", action="count")', ["KT403"]),
    "a switch both ways": (
        UNITS + 'parser.add_argument("--learning_rate", action=argparse.BooleanOptionalAction)',
        ["KT403"],
    ),
    "a list": ('parser.add_argument("--units", type=int, nargs="+")\n' + RATE, []),
    "missing": (UNITS, ["KT401"]),
    "another name": (UNITS + 'parser.add_argument("--lr", type=float)', ["KT401"]),
    "dashes": (UNITS + 'parser.add_argument("--learning-rate", type=float)', ["KT402"]),
    "both dashes": (UNITS + 'parser.add_argument("--learning-rate", "--learning_rate", type=float)', []),
    "the beginning of another": (UNITS + 'parser.add_argument("--learning_rate_decay", type=float)', ["KT401"]),
    "required and given": (GOOD.replace("default=64", "required=True"), []),
    "required and not given": (GOOD + 'parser.add_argument("--data", required=True)', ["KT406"]),
    "a position": (GOOD + 'parser.add_argument("data")', ["KT406"]),
    "a position that may be empty": (GOOD + 'parser.add_argument("data", nargs="?")', []),
    "in a group": (f'group = parser.add_argument_group("model")\n{GOOD.replace("parser", "group")}', []),
    "of a function": (
        f"def add(p):\n    {GOOD.replace('parser', 'p').replace(chr(10), chr(10) + '    ')}\nadd(parser)",
        [],
    ),
    "a constant": ('RATE = 0.001\nparser.add_argument("--learning_rate", type=float, default=RATE)\n' + UNITS, []),
    "another default": (GOOD.replace("64", "32"), ["KT405"]),
    "another default, not given": (GOOD + 'parser.add_argument("--epochs", type=int, default=100)', ["KT405"]),
    "another default by set_defaults": (GOOD + "parser.set_defaults(units=8)", ["KT405"]),
    "of a parent": (
        f"base = argparse.ArgumentParser(add_help=False)\n{GOOD.replace('parser', 'base')}"
        "parser = argparse.ArgumentParser(parents=[base])",
        [],
    ),
}

# What a source does not show is not reported.
UNCLEAR = {
    "a name from elsewhere": 'import names\nfor name in names.ALL:\n    parser.add_argument("--" + name)',
    "a loop": 'for name in ("units", "learning_rate"):\n    parser.add_argument(f"--{name}", type=float)',
    "subcommands": f'sub = parser.add_subparsers()\ntrain = sub.add_parser("train")\n{GOOD.replace("parser", "train")}',
    "an unknown helper": "import helpers\nhelpers.add_arguments(parser)",
    "a method of another": "from lib import Trainer\nparser = Trainer.add_argparse_args(parser)",
    "parents from elsewhere": "import lib\nparser = argparse.ArgumentParser(parents=[lib.base()])",
    "a class of its own": "class P(argparse.ArgumentParser):\n    pass\nparser = P()",
    "keywords from elsewhere": "import lib\n"
    'parser.add_argument("--units", **lib.kw)\nparser.add_argument("--learning_rate", **lib.kw)',
    "a type of its own": UNITS + 'parser.add_argument("--learning_rate", type=lambda text: text[::-1])',
    "an action of its own": UNITS + 'import lib\nparser.add_argument("--learning_rate", action=lib.Store)',
    "declared twice": UNITS
    + 'import sys\nif sys.argv:\n    parser.add_argument("--learning_rate", type=int)\nelse:\n    '
    + RATE,
    "a text that is converted": UNITS + 'parser.add_argument("--learning_rate", default=0.001)\n'
    "print(float(parser.parse_args().learning_rate))",
    "a default from elsewhere": GOOD.replace("64", "int('6' + '4')"),
    "choices from elsewhere": 'import lib\nparser.add_argument("--units", type=int, choices=lib.SIZES)\n' + RATE,
    "required on a condition": GOOD + 'import sys\nif sys.argv:\n    parser.add_argument("--data", required=True)',
}

OTHER_LIBRARIES = {
    "absl": (
        'from absl import app, flags\nflags.DEFINE_integer("units", 64, "Width.")\n'
        'flags.DEFINE_float("learning_rate", 0.001, "Step size.")\napp.run(print)',
        [],
    ),
    "fire": ("import fire\ndef main(units: int = 64, rate: float = 0.001): pass\nfire.Fire(main)", ["KT401"]),
    "transformers": (
        "from dataclasses import dataclass, field\nfrom transformers import HfArgumentParser\n@dataclass\nclass A:\n"
        '    units: int = field(default=32, metadata={"help": "Width."})\n    learning_rate: float = 0.001\n'
        "HfArgumentParser(A).parse_args_into_dataclasses()",
        ["KT405"],
    ),
    "jsonargparse": (
        "import jsonargparse\ndef main(units: int = 64, learning_rate: int = 1): pass\njsonargparse.CLI(main)",
        ["KT403", "KT405"],
    ),
    "Hydra, which takes no dashes": (
        "import hydra\nfrom dataclasses import dataclass\nfrom hydra.core.config_store import ConfigStore\n"
        "@dataclass\nclass C:\n    units: int = 64\n    learning_rate: float = 0.001\n"
        'ConfigStore.instance().store(name="config", node=C)\n'
        '@hydra.main(version_base=None, config_name="config")\ndef main(cfg): pass\nmain()',
        ["KT402", "KT402"],
    ),
    "a switch that turns off": (
        'import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument("--units", type=int, default=64)\n'
        'parser.add_argument("--learning_rate", action="store_false")\nparser.parse_args()',
        ["KT403"],
    ),
    "click": (
        'import click\n@click.command()\n@click.option("--units", default=64)\n'
        '@click.option("--learning_rate", type=float, default=0.001)\ndef main(**given): pass\nmain()',
        [],
    ),
    "click, an int by its default": (
        'import click\n@click.command()\n@click.option("--units", default=64)\n'
        '@click.option("--learning_rate", default=1)\ndef main(**given): pass\nmain()',
        ["KT403", "KT405"],
    ),
    "click, choices": (
        'import click\n@click.command()\n@click.option("--units", type=click.Choice(["32", "64"]))\n'
        '@click.option("--learning_rate", type=click.FLOAT)\ndef main(**given): pass\nmain()',
        ["KT403"],
    ),
    "click, a switch": (
        'from click import command, option\n@command()\n@option("--units/--no-units")\n'
        '@option("--learning_rate", type=float)\ndef main(**given): pass\nmain()',
        ["KT403"],
    ),
    "click, decorators of others": (
        "import click\nfrom lib import common\n@click.command()\n@common\ndef main(**given): pass\nmain()",
        [],
    ),
    "click, a group": (
        "import click\n@click.group()\ndef main(): pass\n@main.command()\ndef train(): pass\nmain()",
        [],
    ),
    "typer": (
        "import typer\ndef main(units: int = 64, learning_rate: float = 0.001): pass\ntyper.run(main)",
        ["KT402"],
    ),
    "typer, names of their own": (
        "from typing import Annotated\nimport typer\napp = typer.Typer()\n@app.command()\n"
        'def main(units: int = 64, rate: Annotated[float, typer.Option("--learning_rate")] = 0.001): pass\napp()',
        [],
    ),
    "typer, a switch": (
        'import typer\ndef main(units: bool = False, rate: float = typer.Option(0.001, "--learning_rate")): pass\n'
        "typer.run(main)",
        ["KT403"],
    ),
    "typer, a position": (
        "import typer\n"
        'def main(data: str, units: int = 64, rate: float = typer.Option(0.001, "--learning_rate")): pass\n'
        "typer.run(main)",
        ["KT406"],
    ),
    "typer, a position declared as one": (
        "from typing import Annotated\nimport typer\n"
        "def main(data: Annotated[str, typer.Argument()], units: int = 64, rate: float = typer.Option(0.001, "
        '"--learning_rate")): pass\ntyper.run(main)',
        ["KT406"],
    ),
    "typer, commands": (
        "import typer\napp = typer.Typer()\n@app.command()\ndef a(): pass\n@app.command()\ndef b(): pass\napp()",
        [],
    ),
    "tyro": (
        "from dataclasses import dataclass\nimport tyro\n@dataclass\nclass Config:\n    units: int = 64\n"
        "    learning_rate: float = 0.001\nprint(tyro.cli(Config))",
        [],
    ),
    "tyro, a field missing": (
        "from dataclasses import dataclass\nimport tyro\n@dataclass\nclass Config:\n    units: int = 64\n"
        "tyro.cli(Config)",
        ["KT401"],
    ),
    "tyro, another type": (
        "from dataclasses import dataclass\nimport tyro\n@dataclass\nclass Base:\n    units: int = 64\n@dataclass\n"
        "class Config(Base):\n    learning_rate: int | None = None\ntyro.cli(Config)",
        ["KT403"],
    ),
    "tyro, an empty tuple": (
        "import tyro\ndef main(units: int, learning_rate: float, sizes: tuple[()] = ()): pass\ntyro.cli(main)",
        [],
    ),
    "tyro, a function": (
        "import tyro\ndef main(units: int, learning_rate: float, data: str): pass\ntyro.cli(main)",
        ["KT406"],
    ),
    "pydantic-settings": (
        "from pydantic_settings import BaseSettings, CliApp\nclass Config(BaseSettings):\n    units: int = 64\n"
        "    learning_rate: float = 0.001\nCliApp.run(Config)",
        [],
    ),
    "pydantic-settings, a field missing": (
        "from pydantic_settings import BaseSettings\nclass Config(BaseSettings, cli_parse_args=True):\n"
        "    units: int = 64\nConfig()",
        ["KT401"],
    ),
    "its own class": ("from toy_hparams import ToyHparams\nToyHparams.from_args()", []),
    "its own class with argparse": (
        "import argparse\nfrom toy_hparams import ToyHparams\nparser = argparse.ArgumentParser()\n"
        "ToyHparams.add_to_argparse(parser)\nparser.parse_args()",
        [],
    ),
    "another class": ("from lib import OtherHparams\nOtherHparams.from_args()", []),
    "no parser": ("import json, os\nprint(json.loads(os.environ['CONFIG']))", []),
    "not Python": ("def (:\n", []),
    "nothing": ("", []),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "toy_hparams.py").write_text(EXAMPLE_HPARAMS)
    (tmp_path / "study.yaml").write_text(EXAMPLE_STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("toy_hparams", None)  # other tests have one too
    yield tmp_path
    sys.modules.pop("toy_hparams", None)


@pytest.fixture
def lint(capsys: pytest.CaptureFixture[str]) -> Lint:
    def run(*arguments: str) -> tuple[int, str]:
        code = call("lint", "", list(arguments))
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def study_of(answer: tuple[int, str]) -> dict[str, Any]:
    study: dict[str, Any] = json.loads(answer[1])["studies"][0]
    return study


def codes_of(lint: Lint, project: Path, script: str) -> list[str]:
    (project / "train.py").write_text(script)
    return [each["code"] for each in study_of(lint("study.yaml", "--format", "json"))["findings"]]


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if code[:3] == "KT4" and rule.fails])
def test_a_rule_reports_its_failing_example_and_not_its_passing_one(code: str, lint: Lint, project: Path):
    assert codes_of(lint, project, script_text(RULES[code].fails)) == [code]
    assert codes_of(lint, project, script_text(RULES[code].passes)) == []


@pytest.mark.parametrize(("part", "codes"), ARGPARSE.values(), ids=ARGPARSE)
def test_lint_predicts_what_argparse_does_with_the_arguments(part: str, codes: list[str], lint: Lint, project: Path):
    assert codes_of(lint, project, script_text(part)) == codes
    ends = [
        subprocess.run(
            [sys.executable, "train.py", f"--learning_rate={rate}", f"--units={units}"],
            capture_output=True,
            check=False,
        )
        for rate, units in (("0.00123", "32"), ("1e-05", "128"))
    ]
    # argparse accepts an abbreviated name, so that finding is `wrong`, not `fails`.
    predicted = any(RULES[code].severity == "fails" for code in codes) and "decay" not in part
    assert any(end.returncode for end in ends) == predicted, ends[-1].stderr.decode()


@pytest.mark.parametrize("part", UNCLEAR.values(), ids=UNCLEAR)
def test_what_the_source_does_not_show_is_not_reported(part: str, lint: Lint, project: Path):
    assert codes_of(lint, project, script_text(part)) == []


@pytest.mark.parametrize(("script", "codes"), OTHER_LIBRARIES.values(), ids=OTHER_LIBRARIES)
def test_other_libraries_are_read_from_their_signatures(script: str, codes: list[str], lint: Lint, project: Path):
    assert codes_of(lint, project, script) == codes


@pytest.mark.parametrize("module", ["calendar", "gzip", "tarfile", "json.tool", "trace", "pickle", "py_compile"])
def test_the_arguments_of_a_standard_module_are_those_in_its_help(module: str):
    file = Path(importlib.import_module(module).__file__ or "")
    script = read_script(file, [file.parent])
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    named = {flag for each in read_help(module, done.stdout).arguments for flag in each.flags}
    assert {flag for each in script.arguments for flag in each.flags if flag.startswith("--")} == named - {"--version"}
    assert script.unclear == ()


def test_no_source_makes_the_reader_crash():
    files = sorted(Path(argparse.__file__).parent.glob("[a-c]*.py"))
    assert len(files) > 8
    assert [read_script(file, []).file for file in files] == [str(file) for file in files]


def test_what_parse_known_args_ignores_gives_wrong_numbers(lint: Lint, project: Path):
    (project / "train.py").write_text(script_text(UNITS).replace("parse_args", "parse_known_args"))
    (found,) = study_of(lint("study.yaml", "--format", "json"))["findings"]
    assert (found["code"], found["severity"]) == ("KT401", "wrong")
    assert "ignores" in found["message"]


def test_a_bool_that_argparse_takes_for_true_is_wrong(lint: Lint, project: Path):
    text = EXAMPLE_HPARAMS.replace("epochs: int = 10", "amp: bool = Hparam(False, search=Choice(True, False))")
    (project / "toy_hparams.py").write_text(text)
    assert codes_of(lint, project, script_text(GOOD + 'parser.add_argument("--amp", type=bool)')) == ["KT404"]


ENCODED = {
    "a float": ('parser.add_argument("--beta", type=float)', ["KT407 fails beta", "KT407 wrong mode"]),
    "a type of its own": (
        'parser.add_argument("--beta", type=lambda text: text)',
        ["KT407 wrong beta", "KT407 wrong mode"],
    ),
    "JSON": ('import json\nparser.add_argument("--beta", type=json.loads)', ["KT407 fails beta", "KT407 wrong mode"]),
    "a literal": (
        'import ast\nparser.add_argument("--beta", type=ast.literal_eval)',
        ["KT407 fails beta", "KT407 wrong mode"],
    ),
    "a leaf of a class": (
        'from toy_hparams import ToyHparams\nparser.add_argument("--beta", type=ToyHparams.leaf("beta").decode)',
        ["KT407 wrong mode"],
    ),
    "the class": ("from toy_hparams import ToyHparams\nToyHparams.add_to_argparse(parser)", []),
}


@pytest.mark.parametrize(("part", "expected"), ENCODED.values(), ids=ENCODED)
def test_only_the_class_decodes_an_encoded_value(part: str, expected: list[str], lint: Lint, project: Path):
    (project / "toy_hparams.py").write_text(
        "from kftune import Choice, Hparam, Hparams, ReverseLogUniform\nclass ToyHparams(Hparams):\n"
        "    beta: float = Hparam(0.99, search=ReverseLogUniform(0.9, 0.999))\n"
        "    mode: str = Hparam('a', search=Choice('a', 'b c'))\n"
        "    size: int = Hparam(1, search=Choice(1, 2))\n"
    )
    others = 'parser.add_argument("--mode")\nparser.add_argument("--size", type=int)'
    (project / "train.py").write_text(script_text(f"{part}\n{others}"))
    found = study_of(lint("study.yaml", "--format", "json"))["findings"]
    names = [each["message"].split("--")[1].partition("=")[0] for each in found]
    assert [f"{each['code']} {each['severity']} {name}" for each, name in zip(found, names, strict=True)] == expected


@pytest.mark.parametrize(("converter", "code"), [("list", "KT404"), ("tuple", "KT404"), ("dict", "KT403")])
def test_python_s_own_containers_read_no_list(converter: str, code: str, lint: Lint, project: Path):
    text = EXAMPLE_HPARAMS.replace("epochs: int = 10", "amp: list[int] = Hparam([1], search=Choice([1], [2, 3]))")
    (project / "toy_hparams.py").write_text(text)
    assert code in codes_of(lint, project, script_text(GOOD + f'parser.add_argument("--amp", type={converter})'))


def test_findings_are_placed_in_the_study_and_name_the_line_of_the_script(lint: Lint, project: Path):
    (project / "study.yaml").write_text(
        EXAMPLE_STUDY + "search:\n  learning_rate: {loguniform: [1e-4, 1e-2]}\nvalues:\n  epochs: 5\n"
    )
    part = UNITS + 'parser.add_argument("--learning_rate", type=int)\nparser.add_argument("--epochs", choices=["1"])'
    (project / "train.py").write_text(script_text(part))
    study = study_of(lint("study.yaml", "--format", "json"))
    assert [(each["code"], each["path"], each["line"], each["column"]) for each in study["findings"]] == [
        ("KT403", "search.learning_rate", 7, 18),
        ("KT403", "values.epochs", 9, 11),
    ]
    assert study["findings"][0]["message"].startswith("--learning_rate=0.0001: ")
    assert "train.py:5 takes a whole number only" in study["findings"][0]["message"]
    assert Path(study["script"]).name == "train.py"


def test_a_comment_switches_a_drift_finding_off(lint: Lint, project: Path):
    (project / "study.yaml").write_text(
        EXAMPLE_STUDY + "search:\n  learning_rate: {loguniform: [1e-4, 1e-2]} # kftune: ignore[KT401]\n"
    )
    assert codes_of(lint, project, script_text(UNITS)) == []


def test_an_argument_of_the_step_counts_as_given(lint: Lint, project: Path):
    needs = GOOD + 'parser.add_argument("--data", required=True)\nparser.add_argument("--epochs", default=3, type=int)'
    (project / "study.yaml").write_text(EXAMPLE_STUDY.replace("train.py]", "train.py, --data=x, --epochs, '4']"))
    assert codes_of(lint, project, script_text(needs)) == []


@pytest.mark.parametrize(
    "command",
    [
        "[python3, -u, -X, dev, train.py]",
        "[/usr/bin/python3.11, -m, train]",
        "[torchrun, --nproc_per_node, '2', train.py]",
        "[torchrun, --standalone, -m, train]",
        "[python, -m, torch.distributed.run, --nnodes=1, train.py]",
        "[./train.py]",
    ],
)
def test_the_script_is_found_behind_its_launcher(command: str, lint: Lint, project: Path):
    (project / "study.yaml").write_text(EXAMPLE_STUDY.replace("[python, train.py]", command))
    assert codes_of(lint, project, script_text(UNITS)) == ["KT401"]


def test_the_script_of_a_module_of_a_package_is_found(lint: Lint, project: Path):
    (project / "pkg").mkdir()
    (project / "pkg" / "__init__.py").touch()
    (project / "pkg" / "options.py").write_text(f"def add(parser):\n    {UNITS}")
    (project / "pkg" / "__main__.py").write_text(
        "import argparse\nfrom .options import add\n"
        "parser = argparse.ArgumentParser()\nadd(parser)\nparser.parse_args()\n"
    )
    (project / "study.yaml").write_text(EXAMPLE_STUDY.replace("command: [python, train.py]", "module: pkg"))
    (project / "pkg" / "training.py").write_text(
        "from toy_hparams import ToyHparams as T\ndef main():\n    T.from_args()\n"
    )
    reads_by_class = "from pkg.training import main\nif __name__ == '__main__':\n    main()\n"
    assert codes_of(lint, project, "") == ["KT401"]
    (project / "study.yaml").write_text(EXAMPLE_STUDY)
    (project / "train.py").write_text(reads_by_class)
    study = study_of(lint("study.yaml", "--format", "json"))
    assert (study["findings"], study["note"]) == ([], "")


def test_the_arguments_of_an_imported_function_are_read(lint: Lint, project: Path):
    (project / "options.py").write_text(
        f"import argparse\ndef parse():\n    parser = argparse.ArgumentParser()\n    {UNITS}"
        "    return parser.parse_args()\n"
    )
    (project / "train.py").write_text("import options\narguments = options.parse()\n")
    (found,) = study_of(lint("study.yaml", "--format", "json"))["findings"]
    assert (found["code"], found["path"]) == ("KT401", "hparams")


@pytest.mark.parametrize("command", ["[/app/run.sh]", "[python, gone.py]", "[python, -c, 'pass']", "[torchrun, --x]"])
def test_a_missing_script_is_a_note_and_not_a_finding(command: str, lint: Lint, project: Path):
    (project / "study.yaml").write_text(EXAMPLE_STUDY.replace("[python, train.py]", command))
    study = study_of(lint("study.yaml", "--format", "json"))
    assert (study["findings"], study["script"]) == ([], None)
    assert study["note"]


def test_the_script_may_be_named(lint: Lint, project: Path):
    (project / "study.yaml").write_text(EXAMPLE_STUDY.replace("[python, train.py]", "[/app/run.sh]"))
    (project / "other.py").write_text(script_text(UNITS))
    assert "KT401 fails" in lint("study.yaml", "--script", "other.py")[1]
    assert lint("study.yaml", "--script", "gone.py")[0] == 2


def test_a_class_is_compared_with_a_script(lint: Lint, project: Path):
    (project / "train.py").write_text(script_text(UNITS.replace("64", "8")))
    code, text = lint("--hparams", "toy_hparams.py:ToyHparams", "--script", "train.py")
    assert code == 1
    assert "toy_hparams.py:7:5: KT401 fails: train.py takes no --learning_rate" in text
    assert "toy_hparams.py:9:5: KT405 advice: units is 64 in ToyHparams and 8 at train.py:4" in text
    assert "toy_hparams.py:11:5: KT401 fails: train.py takes no --epochs" in text
    assert lint("--hparams", "toy_hparams:ToyHparams", "--script", "train.py") == (code, text)
    assert lint("--hparams", "toy_hparams.py:ToyHparams")[0] == 2
    assert lint("--hparams", "gone.py:ToyHparams", "--script", "train.py")[0] == 2


def test_an_invalid_study_is_a_finding_and_the_others_are_checked(lint: Lint, project: Path):
    (project / "train.py").write_text(script_text(GOOD))
    (project / "broken.yaml").write_text(EXAMPLE_STUDY.replace("minimize", "smaller"))
    code, text = lint(str(project))
    assert code == 1
    assert f"{project}/broken.yaml:3:" in text
    assert "KT400 refused" in text
    assert "2 studies: 1 refused, 1 ok; 1 Experiment: 1 ok; 3 findings: 1 refused, 2 advice" in text


def test_a_program_is_started_for_its_help_only_when_asked(lint: Lint, project: Path):
    script = (
        "import sys\nopen('ran', 'w').close()\nif '--help' in sys.argv:\n    print('usage: x [--units N]\\n\\n"
        "  -u, --units N  width of --learning_rate')\n    sys.exit()\nwhile True: pass\n"
    )
    assert codes_of(lint, project, script) == []
    assert not (project / "ran").exists()
    (found,) = study_of(lint("study.yaml", "--run-help", "--format", "json"))["findings"]
    assert (found["code"], found["path"]) == ("KT401", "hparams")
    assert (project / "ran").exists()


def test_a_program_that_fails_at_its_help_is_a_note(lint: Lint, project: Path):
    (project / "train.py").write_text("raise SystemExit('no GPU')\n")
    study = study_of(lint("study.yaml", "--run-help", "--format", "json"))
    assert study["findings"] == []
    assert "ended with 1: no GPU" in study["note"]
