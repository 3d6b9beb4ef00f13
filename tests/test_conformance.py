"""Every case of tests/corpus: what kftune says is what the engines' own code said."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from conformance import PARTS, Disagreement, agreement, main, verdict_of
from places import CORPUS, ROOT
from recorded import cases, read_from

PAGE = ROOT / "docs" / "conformance.md"


def shown(wrong: list[Disagreement]) -> list[str]:
    return [f"{one.case}: said {dict(one.said)}, recorded {dict(one.recorded)}"[:600] for one in wrong[:5]]


@pytest.mark.parametrize("name", [name for name, part in PARTS.items() if part.goal == 1.0 and part.compare])
def test_every_case_agrees(name: str) -> None:
    found = agreement(PARTS[name])
    assert not found.disagreements, shown(found.disagreements)
    assert found.compared


def test_every_search_outcome_is_predicted_or_explained_by_name() -> None:
    found = agreement(PARTS["engines, static"])
    explained = re.findall(r"^\| `([\w-]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(one.case for one in found.disagreements) == sorted(explained)
    assert found.share >= 0.99


def test_the_page_shows_what_the_program_prints(capsys: pytest.CaptureFixture[str]) -> None:
    table = re.search(r"^```text\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert table is not None
    names = [line[:26].strip() for line in table[1].splitlines()[1:]]
    assert main(names) == 0
    assert capsys.readouterr().out == table[1]
    assert names == [name for name, part in PARTS.items() if part.goal is not None and part.compare is not None]


def test_every_file_of_the_corpus_has_its_part_and_its_line_in_the_readme() -> None:
    files = {path.name.removesuffix(".jsonl.xz") for path in CORPUS.glob("*.jsonl.xz")}
    rows = re.findall(r"^\| `([\w-]+)` \| ([\d ]+) \|", (CORPUS / "README.md").read_text(encoding="utf-8"), re.M)
    assert files == {part.file for part in PARTS.values()}
    assert {name: int(count.replace(" ", "")) for name, count in rows} == {name: len(cases(name)) for name in files}


def test_the_program_fails_below_a_goal_and_shows_what_differs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["scalars", "medianstop"]) == 0
    assert re.search(r"^medianstop +38 +38 +100\.00% +100%$", capsys.readouterr().out, re.M)
    wrong = PARTS["scalars"]._replace(compare=lambda case: ({"kubectl": "int"}, {"kubectl": case["kubectl"]}))
    monkeypatch.setitem(PARTS, "scalars", wrong)
    assert main(["--show", "scalars"]) == 1
    told = capsys.readouterr().out
    assert "BELOW" in told
    assert "said     kubectl: int\n        recorded kubectl: float" in told


def test_another_folder_of_cases_is_compared_and_a_crash_is_a_disagreement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        '{"plain": "1", "kubectl": "int", "pyyaml": "\u2028"}',
        '{"plain": "yes", "kubectl": "bool"}',
        "{}",
    ]
    (tmp_path / "scalars.jsonl").write_text("\n".join(rows), encoding="utf-8")
    with ExitStack() as stack:
        stack.callback(read_from, CORPUS)
        assert main(["--corpus", str(tmp_path), "--show", "scalars", "status"]) == 1
    told = capsys.readouterr().out
    assert re.search(r"^scalars +3 +2 +66\.67% +100%  BELOW$", told, re.M)
    assert "KeyError('plain')" in told
    assert re.search(r"^status +- .*no such file$", told, re.M)
    assert len(cases("scalars")) == 239


def _detail(recorded: dict[str, str]) -> str:
    """The recorded client has no cache; that of the controller calls the missing object by its kind."""
    return recorded["detail"].replace('configmaps "', 'ConfigMap "')


def test_details_and_messages_of_admission_begin_as_recorded() -> None:
    compared = [(case["id"], verdict_of(case, "0.19"), case["0.19"]) for case in cases("admission")]
    details = [
        (name, reason.detail[:90], recorded)
        for name, verdict, want in compared
        for reason, recorded in zip(verdict.reasons, map(_detail, want["reasons"]), strict=True)
        if not reason.detail.startswith(recorded[:80])
    ]
    assert details == []
    # kftune words the message about invalid YAML itself; the recorded namespace was called "off".
    messages = [
        (name, verdict.message, want["message"])
        for name, verdict, want in compared
        if want["stage"] != "yaml" and "lacks label" not in want.get("message", "")
        if verdict.message[:150] != want.get("message", "")[:150]
    ]
    assert messages == []
