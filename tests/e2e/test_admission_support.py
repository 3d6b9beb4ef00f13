"""What the parts about admission and applying choose and compare, as far as that needs no cluster."""

from __future__ import annotations

from collections import Counter

from e2e_admission import Answer, Asked, Places, chosen, kind_of_verdict, lint_of, placed
from e2e_rendered import Rendered, in_few_namespaces, without_repeats
from recorded import cases, cluster

PLACES = Places("kubeflow", "unlabelled")


def rendered(source: str, *names: str, kind: str = "ConfigMap") -> Rendered:
    objects = (f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}, namespace: team-a}}\n" for name in names)
    return Rendered(source, "---\n".join(objects))


def test_the_chosen_documents_are_of_every_kind_of_verdict() -> None:
    count = Counter(kind_of_verdict(case) for case in cases("admission"))
    taken = Counter(kind_of_verdict(case) for case in chosen(300))
    assert taken.total() == 300
    assert taken.keys() == count.keys()
    assert max(taken.values()) <= 2


def test_a_placed_document_has_the_verdict_that_was_recorded() -> None:
    differing = [
        case["id"]
        for case in chosen(300)
        if lint_of(placed(case, PLACES), cluster(case.get("label", True))).verdict.admitted != case["0.19"]["admitted"]
    ]
    assert differing == []


def test_a_refusal_must_have_the_reasons_of_lint_in_their_order() -> None:
    case = next(case for case in cases("admission") if case["kind"] == "base/prometheus")
    lint = lint_of(case, cluster())
    told = 'spec.metricsCollectorSpec.collector.kind: Invalid value: "PrometheusMetric": '
    (reason,) = lint.verdict.reasons
    assert Asked("a", lint, Answer(False, f"denied: [{told}{reason.detail}]")).untold() == []
    assert len(Asked("a", lint, Answer(False, f"denied: [{told}other]")).untold()) == 1
    assert Asked("a", lint, Answer(True, "")).differs()


def test_rendered_objects_move_to_another_namespace() -> None:
    moved = Rendered("a", "metadata: {namespace: team-a}\nother: [team-a, team-a-dev, x.team-a]\n").moved("b")
    assert moved.text == "metadata: {namespace: b}\nother: [b, team-a-dev, x.team-a]\n"


def test_objects_of_one_name_go_to_different_namespaces() -> None:
    first, second, third = rendered("1", "a", "b"), rendered("2", "b"), rendered("3", "c")
    assert in_few_namespaces([first, second, third]) == [[first, third], [second]]
    assert without_repeats([first, second, first._replace(source="4")]) == [first, second]
