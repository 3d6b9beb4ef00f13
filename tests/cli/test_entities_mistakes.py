"""What people get to read when a study for many entities is wrong: tests/snapshots/entities_mistakes.txt has each text.

mistake_texts.py says how it is written anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from mistake_texts import REMEDY, printed, record, recorded

SNAPSHOTS = "entities_mistakes.txt"
STUDY = """\
name: pumps
hparams: LstmHparams
values: {circuit: "${entity}"}
search: {learning_rate: {loguniform: [0.001, 0.1]}}
objective: {metric: val_loss, direction: minimize}
budget: {max_trials: 2}
step: {command: [sh, -c, "test $0 != P2/C1 && echo val_loss=0.5", "${entity}"]}
for_each: pumps.yaml
"""
FILES = {
    "study.yaml": STUDY,
    "plain.yaml": STUDY.replace("for_each: pumps.yaml\n", "").replace("${entity}", "one").replace("pumps", "plain"),
    "pumps.yaml": "P1:\n  C1: {epochs: 10}\n  C2: {epochs: 20}\nP2:\n  C1: {epochs: 30}\n",
    "uneven.yaml": "P1: {C1: {epochs: 10}}\nP2: {epochs: 20}\n",
    "pipeline.yaml": "name: p\nsteps:\n  tune: {kind: tune, study: study.yaml, image: registry.example/launcher:1}\n",
}
COMMANDS = {
    "study: no such file": ["show", "study.yaml", "for_each=pump.yaml"],
    "study: neither a file nor a list": ["show", "study.yaml", "for_each={at: '*'}"],
    "study: an unknown key": ["show", "study.yaml", "for_each={file: pumps.yaml, parallel: 2}"],
    "study: an unknown limit": [
        "show",
        "study.yaml",
        "for_each={file: pumps.yaml, budget: {max_cost: x, max_trails: 3}}",
    ],
    "study: a number in place of a file": ["show", "study.yaml", "for_each=3"],
    "study: no level": ["show", "study.yaml", "for_each=uneven.yaml"],
    "study: a path without a star": ["show", "study.yaml", "for_each={file: pumps.yaml, at: P1}"],
    "study: a path that leads nowhere": ["show", "study.yaml", "for_each={file: pumps.yaml, at: P3/*}"],
    "study: too deep": ["show", "study.yaml", "for_each={file: pumps.yaml, at: '*/*/*'}"],
    "study: an entity twice": ["show", "study.yaml", "for_each=[a, b, a]"],
    "study: an empty name": ["show", "study.yaml", "for_each=['']"],
    "study: nothing names the entity": ["show", "study.yaml", "values.circuit=P", "step.command=[x]"],
    "study: an unknown key of an entity": ["show", "study.yaml", "values.epochs=${entity.epoch}"],
    "study: nearly a reference": ["show", "study.yaml", "values.circuit=${entities}"],
    "study: a reference elsewhere": ["show", "study.yaml", "name=pump ${entity}"],
    "study: one place for all": ["show", "study.yaml", "apply={to: pumps.yaml, at: P1/C1}"],
    "study: values that do not fit": ["show", "study.yaml", "values.batch_size=${entity}"],
    "entity: unknown": ["show", "study.yaml", "--entity", "P1/C3"],
    "entity: of a study without": ["show", "plain.yaml", "--entity", "P1/C1"],
    "run: an unknown entity": ["run", "study.yaml", "--entity", "P1/c1"],
    "run: an entity of a study without": ["run", "plain.yaml", "--entity", "P1/C1"],
    "run: an entity of a pipeline": ["run", "pipeline.yaml", "--entity", "P1/C1"],
    "run: one place for all": ["run", "study.yaml", "--baseline-from", "pumps.yaml", "--at", "P1"],
    "run: missing data": ["run", "study.yaml", "step.data={path: 'data/${entity}.csv'}"],
    "run: one study among entities": ["run", "plain.yaml", "name=pumps"],
    "run: entities in the folder of one study": ["run", "study.yaml", "name=plain"],
    "run: another study": ["run", "study.yaml", "search.learning_rate={loguniform: [0.01, 0.1]}"],
    "results: an unknown entity": ["best", "study.yaml", "--entity", "P1"],
    "results: an entity without trials": ["best", "study.yaml", "--entity", "P1/C2"],
    "results: an entity of other results": ["best", "plain.yaml", "--entity", "P1/C1"],
    "results: of one": ["logs", "study.yaml", "best"],
    "results: all compared with one": ["compare", "study.yaml", "plain.yaml"],
    "results: the best in a metric": ["best", "study.yaml", "--metric", "val_loss"],
    "results: a command line": ["best", "study.yaml", "--format", "args"],
    "results: a page": ["results", "study.yaml", "--format", "html", "--out", "page.html"],
    "apply: at one place": ["apply", "study.yaml", "--to", "pumps.yaml", "--at", "P1/C1"],
    "apply: one trial of all": ["apply", "study.yaml", "--to", "pumps.yaml", "--trial", "1"],
    "render: a target of one study": ["export", "study.yaml", "--to", "optuna"],
    "pipeline: a tune step": ["show", "pipeline.yaml"],
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Returns what each command prints, in a folder with results of one entity."""
    folder = tmp_path_factory.mktemp("entities")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        for arguments in (
            ["run", "study.yaml", "--entity", "P1/C1"],
            ["run", "plain.yaml"],
        ):
            printed(arguments, folder)
        found = {name: printed(arguments, folder) for name, arguments in COMMANDS.items()}
    record(SNAPSHOTS, found)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_mistake_is_answered_with_its_recorded_text(texts, name):
    assert texts[name] == recorded(SNAPSHOTS)[name], REMEDY


def test_each_recorded_text_is_of_a_mistake():
    assert recorded(SNAPSHOTS).keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_mistake_is_refused_without_a_traceback(texts, name):
    assert "Traceback" not in texts[name]
    assert texts[name].startswith(("exit 2\n", "exit 1\n"))


def test_nothing_was_written_beside_the_results(texts, tmp_path_factory):
    folder = Path(tmp_path_factory.getbasetemp())
    (found,) = folder.glob("entities[0-9]")
    assert {path.name for path in found.iterdir()} == {*FILES, "runs"}
