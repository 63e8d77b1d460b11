"""What schemas cannot say of the Kubernetes manifests: probes, rights, one beat, the same settings everywhere."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from deploy.local.environment import ROOT

FOLDER = ROOT / "deploy/kubernetes"
DOCUMENTS: list[dict[str, Any]] = [
    document
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name != "kustomization.yaml"
    for document in yaml.safe_load_all(path.read_text())
]
PODS = {
    document["metadata"]["name"]: document["spec"]["template"]["spec"]
    for document in DOCUMENTS
    if document["kind"] in {"Deployment", "Job"}
}


def test_the_parts_are_all_there_and_applied() -> None:
    assert set(PODS) == {
        "crosstable-migrate", "crosstable-web", "crosstable-analysis", "crosstable-worker-cpu", "crosstable-worker-gpu",
    }  # fmt: skip
    applied = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert sorted(applied) == sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
    kinds = {document["kind"] for document in DOCUMENTS}
    assert {"Service", "Ingress", "PodDisruptionBudget", "ConfigMap", "Secret", "Namespace"} <= kinds


@pytest.mark.parametrize("name", PODS)
def test_no_pod_is_root_or_may_write_where_its_code_is(name: str) -> None:
    pod = PODS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_one_pod_sweeps_and_never_two() -> None:
    beats = [name for name, pod in PODS.items() for box in pod["containers"] if "-B" in box.get("command", [])]
    assert beats == ["crosstable-analysis"]
    spec = next(document["spec"] for document in DOCUMENTS if document["metadata"]["name"] == "crosstable-analysis")
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_a_gpu_worker_asks_for_a_gpu_and_a_cpu_worker_for_none() -> None:
    limits = {name: pod["containers"][0]["resources"]["limits"] for name, pod in PODS.items()}
    assert [name for name, limit in limits.items() if "nvidia.com/gpu" in limit] == ["crosstable-worker-gpu"]


def test_the_web_says_that_it_lives_and_that_it_is_ready() -> None:
    web = PODS["crosstable-web"]["containers"][0]
    assert web["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert web["readinessProbe"]["httpGet"]["path"].startswith("/readyz?")


def test_selectors_find_their_pods() -> None:
    labels = {
        document["metadata"]["name"]: document["spec"]["template"]["metadata"]["labels"]
        for document in DOCUMENTS
        if document["kind"] == "Deployment"
    }
    for document in DOCUMENTS:
        selector = document.get("spec", {}).get("selector")
        if document["kind"] in {"Deployment", "PodDisruptionBudget", "Service"}:
            wanted = selector.get("matchLabels", selector)
            assert labels[document["metadata"]["name"]] == wanted
