"""The page of a report, parsed as a browser does it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from local_study import run, study
from report_studies import CASES, HOSTILE, recorded, sampled

from kftune.cli import main
from kftune.results.records import SCORED
from kftune.study_report import page as page_module
from kftune.study_report.page import duration, report_page, to_script

VOID = {"meta", "input", "br", "rect"}


class Element(NamedTuple):
    tag: str
    attributes: dict[str, str | None]


class Page(HTMLParser):
    """The elements of a page, its texts, and whether they are nested properly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.texts: dict[str, str] = {}
        self.open: list[Element] = []
        self.mistakes: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))
        self.open += [] if tag in VOID else [self.elements[-1]]

    def handle_endtag(self, tag: str) -> None:
        self.mistakes += [] if tag in VOID or (self.open and self.open.pop().tag == tag) else [tag]

    def handle_data(self, data: str) -> None:
        if self.open:
            name = self.open[-1].attributes.get("id") or self.open[-1].tag
            self.texts[name] = self.texts.get(name, "") + data

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (each.attributes for each in self.elements if each.tag == tag)

    @property
    def ids(self) -> list[str]:
        return [found for each in self.elements if (found := each.attributes.get("id"))]

    @property
    def data(self) -> Any:
        return json.loads(self.texts["data"], parse_constant=pytest.fail)


@cache
def page_of(case: str) -> Page:
    return Page(report_page(CASES[case]))


@pytest.mark.parametrize("case", CASES)
def test_every_study_gives_a_page_whose_elements_are_nested_and_named_once(case: str) -> None:
    page = page_of(case)
    assert page.mistakes == []
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    links = [str(each["href"]) for each in page.all("a")]
    assert {link.removeprefix("#") for link in links} <= set(page.ids)
    assert {each["data-copy"] for each in page.all("button") if "data-copy" in each} <= set(page.ids)


@pytest.mark.parametrize("case", CASES)
def test_a_page_loads_nothing_and_runs_only_its_own_script(case: str) -> None:
    page = page_of(case)
    attributes = {name for each in page.elements for name in each.attributes}
    assert {
        name for name in attributes if name in ("src", "style", "srcdoc", "action") or name.startswith("on")
    } == set()
    assert [each.get("type") for each in page.all("script")] == ["application/json", None]
    (policy,) = (each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    style, script = (
        f"'sha256-{base64.b64encode(hashlib.sha256(page.texts[name].encode()).digest()).decode()}'"
        for name in ("style", "script")
    )
    assert policy == (
        f"default-src 'none'; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize("case", CASES)
def test_the_data_of_a_page_has_a_value_or_null_for_each_trial_and_no_nan(case: str) -> None:
    data, size = page_of(case).data, len(CASES[case].trials())
    columns = [each["values"] for each in (*data["objectives"], *data["parameters"])]
    columns += [data[name] for name in ("names", "state", "spans", "lanes", "durations")]
    assert {len(column) for column in columns} == {size}
    assert all(place < size for place in data["best"])


def test_texts_of_a_study_stay_texts():
    page = page_of("hostile")
    assert page.data["names"][0] == f"{HOSTILE}-0001"
    assert page.data["parameters"][0]["categories"] == [HOSTILE]
    assert page.texts["h1"] == HOSTILE
    assert HOSTILE.partition("\u2028")[0] in page.texts["td"]
    assert "img" not in {each.tag for each in page.elements}


def test_json_in_a_script_cannot_end_it_and_reads_back():
    data = {HOSTILE: [HOSTILE, "\u2029", "\udcff", 1.5, None]}
    text = to_script(data)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == data


def test_a_byte_of_a_file_name_that_is_no_text_is_escaped():
    results = recorded([{"file": "\udcff"}] * 2, [1.0, 2.0], name="\udcff", message="\udcff")
    page = Page(report_page(results).encode("utf-8").decode("utf-8"))
    assert page.texts["h1"] == "\\udcff"
    assert page.data["parameters"][0]["categories"] == ["\udcff"]


def test_the_script_makes_no_markup_of_texts_and_asks_no_network():
    script = page_module._assets()[1]
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|fetch|XMLHttp|import", script)
        == []
    )


def test_every_plot_of_a_page_is_one_that_the_script_draws():
    script = page_module._assets()[1]
    pages = [page_of(case) for case in CASES]
    plots = {str(each["id"]) for page in pages for each in page.all("div") if each.get("class") == "plot"}
    drawn = set(re.findall(r'plot\("([a-z]+)"', script))
    assert {name for name in plots if not name.startswith("slice-")} == drawn
    assert "plot(`slice-${index}`" in script


def test_the_best_values_are_yaml_and_arguments():
    page = page_of("conditional")
    best = CASES["conditional"].best()
    assert best is not None
    assert page.texts["yaml"] == "".join(f"{name}: {best.text(name)}\n" for name in best.point)
    assert page.texts["argv"] == " ".join(f"--{name}={best.text(name)}" for name in best.point)


def test_hyperparameters_are_in_the_order_of_their_importance_with_their_scales():
    first, *others = page_of("conditional").data["parameters"]
    assert (first["name"], first["log"]) == ("lr", True)
    momentum, optimizer = (next(each for each in others if each["name"] == name) for name in ("momentum", "optimizer"))
    lacking = [place for place, value in enumerate(momentum["values"]) if value is None]
    assert lacking == [place for place, value in enumerate(optimizer["values"]) if value == 0]
    assert optimizer["categories"] == ["adam", "sgd"]


def test_numbers_that_a_study_lists_are_at_equal_distances():
    (units,) = page_of("numbers that are listed").data["parameters"]
    assert units["categories"] == ["512", "256", "128", "64", "32"]


def test_values_that_differ_after_twelve_digits_differ_on_the_page():
    data = page_of("a tiny range").data
    assert len(set(data["parameters"][0]["values"])) == len(set(data["objectives"][0]["values"])) == 12


def test_a_value_that_is_no_finite_number_is_not_the_best():
    data = page_of("nan and infinity").data
    assert data["objectives"][0]["values"] == [None, None, None, 1]
    assert data["best"] == [3]


def test_several_objectives_have_a_plot_of_two_of_them():
    page = page_of("three objectives")
    assert {"front", "front-across", "front-up", "objective"} <= set(page.ids)
    assert "front" not in page_of("conditional").ids


def test_failed_trials_are_grouped_by_their_message():
    page = page_of("all failed")
    assert "Failed trials" in page.texts["h2"]
    assert "exit code 1\nTraceback" in page.texts["td"]
    assert "small-0001, small-0002, small-0003" in page.texts["td"]


def test_curves_that_share_their_steps_share_one_list_and_are_thinned():
    (short,) = page_of("two trials").data["curves"]
    assert short == {
        "metric": "loss",
        "total": 2,
        "trials": [0, 1],
        "steps": [[1, 2, 3]],
        "which": [0, 0],
        "values": [[3, 2, 1]] * 2,
    }
    long = recorded([{"lr": 0.1}] * 2, [1.0, 2.0], curve=[float(place % 977) for place in range(20_000)])
    (thin,) = Page(report_page(long)).data["curves"]
    assert all(100 < len(values) <= 300 for values in thin["values"])
    assert {values[0] for values in thin["values"]} == {0}


def test_a_page_of_1000_trials_with_20_hyperparameters_is_small(tmp_path: Path):
    points = [{f"p{place}": (place * trial) % 997 / 997 for place in range(20)} for trial in range(1000)]
    results = recorded(points, [trial / 7 for trial in range(1000)], curve=[1 / (place + 3) for place in range(100)])
    assert len(report_page(results).encode()) < 3_000_000


def test_the_same_results_give_the_same_page():
    assert report_page(sampled(12)) == report_page(sampled(12))


def test_a_command_writes_the_page_of_real_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    run(study(), tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    assert main(["report", "results"]) == 0
    assert capsys.readouterr().out == "wrote report.html\n"
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(page.data["names"]) == 3
    assert {page.data["states"][place] for place in page.data["state"]} <= set(SCORED)
    assert "random with seed" in page.texts["td"] or "tpe with seed" in page.texts["td"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.5, "0.5 s"), (119, "119 s"), (120, "2.0 min"), (9000, "2.5 h"), (1e6, "11.6 d")],
)
def test_times_are_written_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
