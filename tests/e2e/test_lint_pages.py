"""The example of each page in docs/lint on the cluster of KUBECONFIG: what happens agrees with the page's severity.

`make e2e`. The cluster needs Katib with goptuna's service, and the image that KFTUNE_E2E_TRAIN names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cluster_run import TRAIN, missing_for_a_run, own_namespace
from e2e_lint import (
    admissions,
    asked_arguments,
    example,
    further,
    lacks_service,
    named,
    named_part,
    pages,
    refusals,
    runs,
)
from e2e_lint_cluster import Watched, add_scripts, refused, watch

from kftune.lint.rules.all import RULES

LACKING = missing_for_a_run(os.environ, TRAIN)
pytestmark = [pytest.mark.cluster, pytest.mark.skipif(LACKING is not None, reason=str(LACKING))]

PAGES = {page.code: page for page in pages()}
REFUSED = [page.code for page in refusals()]
RUN = [page.code for page in runs()]
PASSES = ["KT240", "KT247", "KT250", "KT254", "KT263", "KT279", "KT282"]
"""Some pages whose "This passes" runs to its end; the other ones are only admitted."""
OTHER_ARGUMENTS = {"KT254", "KT261", "KT263"}
"""The rules about what the program is told: it gets other arguments than the file says."""
COUNTED = Callable[[str, object], None]


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with own_namespace("lint") as name:
        add_scripts(name)
        yield name


@pytest.fixture(scope="module")
def watched(namespace: str) -> dict[str, Watched]:
    """All Experiments that run, by name, with what became of them."""
    found = [_watched(code, "fails") for code in RUN] + [_watched(code, "passes") for code in PASSES]
    found += [_watched_as(name, page.fails, page.expected) for name, page in further().items()]
    watch(found, namespace)
    return {each.name: each for each in found}


def _watched(code: str, form: str) -> Watched:
    page = PAGES[code]
    return _watched_as(_name(code, form), getattr(page, form), page.expected if form == "fails" else "completes")


def _watched_as(name: str, manifest: Any, expected: str) -> Watched:
    waits = expected == "hangs" or "maxTrialCount" not in manifest["spec"]
    return Watched(name, named(manifest, name, os.environ[TRAIN]), waits=waits)


def _name(code: str, form: str) -> str:
    return f"{code.lower()}-{form}"


@pytest.mark.parametrize("code", REFUSED)
def test_what_a_page_calls_refused_is_refused_by_the_part_that_it_names(code: str, namespace: str):
    assert named_part(code) in refused([example(code)], namespace)


def test_all_that_a_page_does_not_call_refused_is_admitted(namespace: str, record_property: COUNTED):
    manifests: list[Any] = [named(example(code, form), _name(code, form)) for code, form in admissions()]
    served = [manifest for manifest in manifests if not lacks_service(manifest)]
    assert refused(served, namespace) == ""
    record_property("admitted", len(served))
    record_property("not admitted: no service", len(manifests) - len(served))


@pytest.mark.timeout(700)
@pytest.mark.parametrize("code", RUN)
def test_what_happens_agrees_with_the_severity(code: str, watched: dict[str, Watched]):
    found = watched[_name(code, "fails")]
    assert found.outcome == PAGES[code].expected, f"{RULES[code].title}: {found.last}"


@pytest.mark.timeout(700)
@pytest.mark.parametrize("name", further())
def test_what_happens_beside_the_example_agrees_with_the_finding(name: str, watched: dict[str, Watched]):
    page = further()[name]
    assert watched[name].outcome == page.expected, f"{page.code}: {watched[name].last}"


@pytest.mark.timeout(700)
@pytest.mark.parametrize("code", PASSES)
def test_what_passes_completes(code: str, watched: dict[str, Watched]):
    found = watched[_name(code, "passes")]
    assert found.outcome == "completes", f"{RULES[code].title}: {found.last}"


@pytest.mark.timeout(700)
def test_the_program_gets_other_arguments_where_a_page_says_so(watched: dict[str, Watched], record_property: COUNTED):
    read = [each for name, each in watched.items() if each.outcome == "completes" and name not in further()]
    assert [each.name for each in read if each.arguments is None] == []
    other = {each.name for each in read if each.arguments != asked_arguments(each.manifest, each.assignments)}
    assert other == {_name(code, "fails") for code in OTHER_ARGUMENTS}
    record_property("command lines", len(read))


def test_every_page_is_refused_run_or_left_for_a_reason(record_property: COUNTED):
    left = {page.code: page.left for page in PAGES.values() if page.left}
    assert sorted([*REFUSED, *RUN, *left]) == sorted(RULES)
    record_property("refused", len(REFUSED))
    record_property("run", len(RUN))
    record_property("passing examples run", len(PASSES))
    record_property("further cases run", len(further()))
    record_property("left", len(left))
