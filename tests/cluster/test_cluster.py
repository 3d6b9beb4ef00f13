"""What brings a cluster up, as far as that needs no cluster."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from places import TESTS

from cluster.components import ADDONS, ETCD, Component, kubernetes
from cluster.images import POSTGRES, PROGRAM_IMAGES, PYTHON_IMAGES, ProgramImage, write_image
from cluster.layout import COMPONENTS, IMAGE_PREFIX, MANIFESTS, NETWORK, POD_RANGE, SERVICE_RANGE, ClusterError
from cluster.report import report

COMPONENTS_BUILT = (kubernetes("1.36"), kubernetes("1.34"), ETCD, *ADDONS)

RESULTS = """<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="1" tests="3" time="90">
<testcase classname="tests.e2e.test_apply" name="test_all_is_admitted" time="12.4"><properties>
<property name="documents" value="41"/><property name="refused" value="one"/></properties></testcase>
<testcase classname="tests.e2e.test_argo" name="test_it_ends" time="3"><failure message="no">text</failure></testcase>
<testcase classname="tests.e2e.test_set" name="test_it_trains" time="0"><skipped message="needs torch"/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize("component", COMPONENTS_BUILT, ids=lambda one: one.folder)
def test_a_component_pins_what_it_builds(component: Component) -> None:
    pinned = (COMPONENTS / component.folder / "go.mod").read_text(encoding="utf-8")
    assert component.module in pinned
    assert [name for name, package in component.programs.items() if package != "." and package not in pinned] == []


def test_another_version_of_kubernetes_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ClusterError, match=r"one of 1\.36, 1\.34, not 1\.20"):
        kubernetes("1.20")


def test_a_change_of_a_pin_asks_for_a_new_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.components.COMPONENTS", tmp_path)
    (tmp_path / "etcd").mkdir()
    pin = tmp_path / "etcd" / "go.mod"
    pin.write_text("module a", encoding="utf-8")
    before = ETCD.built
    pin.write_text("module b", encoding="utf-8")
    assert ETCD.built != before


def test_manifests_name_only_images_that_are_made() -> None:
    made = {image.reference.rpartition(":")[0] for image in (*PROGRAM_IMAGES, *PYTHON_IMAGES)}
    text = "".join(path.read_text(encoding="utf-8") for path in MANIFESTS.rglob("*.yaml"))
    named = {name.partition(":")[0] for name in re.findall(rf"{re.escape(IMAGE_PREFIX)}[\w:-]+", text)}
    assert named <= made
    assert POSTGRES.reference.rpartition(":")[0] in named
    assert "latest" not in text


def test_pods_and_services_are_in_the_range_that_is_checked() -> None:
    prefix = NETWORK.partition(".0.0/")[0]
    assert POD_RANGE.startswith(prefix)
    assert SERVICE_RANGE.startswith(prefix)


def test_an_image_of_a_program_holds_it_and_names_its_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Component, "program", lambda *_: Path(sys.executable).resolve())
    write_image(ProgramImage("some", ETCD, "prog", "/opt/some"), tmp_path / "some.tar")
    with tarfile.open(tmp_path / "some.tar") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    (listed,) = json.loads(files["manifest.json"])
    assert listed["RepoTags"] == [f"{IMAGE_PREFIX}some:e2e"]
    config = json.loads(files[listed["Config"]])
    assert config["config"]["Entrypoint"] == ["/opt/some/prog"]
    (layer,) = listed["Layers"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(files[layer]).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(files[layer])) as inner:
        assert {"tmp", "opt", "opt/some", "opt/some/prog", "etc/passwd"} <= set(inner.getnames())
        assert inner.getmember("opt/some/prog").mode == 0o755
        assert inner.getmember("tmp").mode == 0o1777


def test_a_machine_without_the_programs_is_told_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from cluster.machine import check_machine; check_machine()"],
        env={"PATH": str(tmp_path), "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "apt-get install -y" in done.stderr
    assert "containerd" in done.stderr
    assert "make cluster KIND=1" in done.stderr


def test_without_a_cluster_the_suite_s_settings_are_an_error_that_says_what_to_run(tmp_path: Path) -> None:
    code = "import cluster.environment as e; e.ENVIRONMENT = __import__('pathlib').Path('none'); e.environment()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "no cluster is up: run `make cluster`" in done.stderr


def test_the_report_counts_what_was_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFTUNE_E2E_VERSIONS", '{"Katib": "v0.19.0"}')
    results = tmp_path / "e2e.xml"
    results.write_text(RESULTS, encoding="utf-8")
    lines = report(results).splitlines()
    assert lines[0] == "1 of 3 tests pass, 1 are skipped, in 0 minutes, Katib v0.19.0."
    assert "| apply | 1 | 1 | 0 | 41 documents | 12 |" in lines
    assert "| set | 1 | 0 | 1 |  | 0 |" in lines
    assert "- refused: one" in lines
    assert lines[-1] == "failure: test_it_ends"
