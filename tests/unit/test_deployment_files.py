"""The Dockerfile and the manifests of Kubernetes, where neither Docker nor a cluster is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from controller.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
MANIFESTS: list[dict[str, Any]] = [
    manifest
    for name in KUSTOMIZATION["resources"]
    for manifest in yaml.safe_load_all((FOLDER / name).read_text())
]
DEPLOYMENTS = [one for one in MANIFESTS if one["kind"] == "Deployment"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def named(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def instructions(text: str) -> list[list[tuple[str, str]]]:
    """The stages of a Dockerfile, each as (instruction, its words)."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    stages: list[list[tuple[str, str]]] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        stages[-1].append((word, rest))
    return stages


def of(stage: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for name, rest in stage if name == word]


def test_the_image_is_built_in_two_stages_and_the_second_only_copies_the_result():
    build, final = instructions(DOCKERFILE)

    [base], [again] = of(build, "FROM"), of(final, "FROM")
    assert base == f"{again} AS build"
    assert again.startswith("python:3.13-slim@sha256:")
    assert of(final, "COPY") == ["--from=build /opt/incumbent /opt/incumbent"]
    assert not [run for run in of(final, "RUN") if "pip" in run]


def test_the_image_does_not_run_as_root():
    _, final = instructions(DOCKERFILE)

    assert of(final, "USER") == ["10001:10001"]
    after = [word for word, _ in final[final.index(("USER", "10001:10001")) :]]
    assert not {"RUN", "COPY", "ADD", "USER"} & set(after[1:])


def test_the_image_writes_nothing_beside_its_volumes():
    _, final = instructions(DOCKERFILE)
    settings = " ".join(of(final, "ENV"))

    assert "PYTHONDONTWRITEBYTECODE=1" in settings
    assert "INCUMBENT_HOME=/srv/home" in settings
    assert of(final, "VOLUME") == ['["/srv/home"]']
    assert not [word for stage in instructions(DOCKERFILE) for word, _ in stage if word == "ADD"]


def test_every_package_of_the_image_is_checked_against_its_hash():
    installs = re.findall(r"pip install [^&\n]*", DOCKERFILE.replace("\\\n", " "))

    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-deps" in line, line


def test_what_the_builder_gets_makes_the_same_wheel(tmp_path: Path):
    """`.dockerignore` and the COPY lines leave nothing out that the wheel needs."""
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    build, _ = instructions(DOCKERFILE)
    copied = {name for rest in of(build, "COPY") for name in rest.split()[:-1]}
    assert {name.split("/")[0] for name in copied} <= allowed
    context = tmp_path / "context"
    context.mkdir()
    for name in copied - {name for name in copied if name.startswith("locks/")}:
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(place, context / name)

    assert wheel_of(context, tmp_path / "a") == wheel_of(ROOT, tmp_path / "b")


def wheel_of(source: Path, out: Path) -> dict[str, int]:
    """Name -> checksum of every file of the wheel that the source makes."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {one.filename: one.CRC for one in archive.infolist()}


@pytest.mark.parametrize("version", ["1.30", "1.37"])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=named)
def test_a_manifest_is_what_kubernetes_expects(manifest: dict[str, Any], version: str):
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_see_a_mistake():
    broken = yaml.safe_load((FOLDER / "serviceaccount.yaml").read_text())
    broken["automountServiceAccountTokn"] = False

    with pytest.raises(kubernetes_validate.ValidationError, match="automountServiceAccountTokn"):
        kubernetes_validate.validate(broken, "1.37", strict=True)


def test_every_file_of_the_folder_is_a_resource():
    there = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}

    assert there == set(KUSTOMIZATION["resources"])


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=named)
def test_a_pod_meets_the_restricted_standard(deployment: dict[str, Any]):
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/srv/home", "/tmp"}
    assert "memory" in container["resources"]["limits"]
    assert container["image"] == KUSTOMIZATION["images"][0]["name"]


@pytest.mark.parametrize("name", ["incumbent-controller", "incumbent-api"])
def test_who_serves_is_probed_where_it_answers(name: str):
    (deployment,) = (one for one in DEPLOYMENTS if one["metadata"]["name"] == name)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    (config,) = (one["data"] for one in MANIFESTS if one["kind"] == "ConfigMap")

    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    served = {"observe": config["INCUMBENT_OBSERVE_PORT"], "http": config["INCUMBENT_PORT"]}
    assert ports.items() <= served.items()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports


def test_selectors_find_the_pods_they_mean():
    labels = {
        named(one): one["spec"]["template"]["metadata"]["labels"].items() for one in DEPLOYMENTS
    }
    selectors = [one["spec"]["selector"] for one in MANIFESTS if one["kind"] == "Service"]
    selectors += [
        one["spec"]["selector"]["matchLabels"]
        for one in MANIFESTS
        if one["kind"] == "PodDisruptionBudget"
    ]
    for selector in selectors:
        assert sum(selector.items() <= found for found in labels.values()) == 1, selector


def test_the_configuration_names_settings_that_are_there():
    (config,) = (one["data"] for one in MANIFESTS if one["kind"] == "ConfigMap")
    ours = {name for name in config if name.startswith("INCUMBENT_")}

    assert {name.removeprefix("INCUMBENT_").lower() for name in ours} <= set(Settings.model_fields)
    assert not {"INCUMBENT_DATABASE_URL", "INCUMBENT_BROKER_URL", "INCUMBENT_PAGE_KEY"} & ours
