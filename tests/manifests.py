"""deploy/'s manifests, read and rendered: file names and values in, checked documents out.

The chart is rendered by the real `helm` (`make helm`); where there is none, HELM is None and what
needs it is skipped.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"
CHART = DEPLOY / "kubernetes" / "chart"
KUBERNETES = "1.37"
HELM = shutil.which("helm", path=str(Path(sys.executable).parent)) or shutil.which("helm")
needs_helm = pytest.mark.skipif(HELM is None, reason="no helm here: `make helm` brings it")

# (first part of the apiVersion, kind) → the schema written down for it
WRITTEN = {
    ("http.keda.sh", "InterceptorRoute"): "keda-interceptor-route",
    ("keda.sh", "ScaledObject"): "keda-scaled-object",
    ("keda.sh", "TriggerAuthentication"): "keda-trigger-authentication",
    ("monitoring.coreos.com", "PodMonitor"): "prometheus-pod-monitor",
    ("serving.kserve.io", "InferenceService"): "kserve-inference-service",
    ("serving.knative.dev", "Service"): "knative-service",
}


def fits(value: Any, schema_name: str) -> None:
    """A value that its written schema takes; raises jsonschema.ValidationError."""
    schema = json.loads((DEPLOY / "schemas" / f"{schema_name}.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(value)


def kubernetes_takes(one: dict[str, Any]) -> None:
    """A document that Kubernetes, or the operator whose kind it is, would take."""
    written = WRITTEN.get((one["apiVersion"].split("/")[0], one["kind"]))
    if written is not None:
        fits(one, written)
    else:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of the real helm, told nothing of this user's settings."""
    assert HELM is not None
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    return subprocess.run(
        [HELM, *arguments], capture_output=True, text=True, env=environment, timeout=60
    )


@functools.cache
def rendered(*arguments: str) -> str:
    """What `helm template shazam-visual CHART …` prints; raises with helm's own words."""
    done = helm("template", "shazam-visual", str(CHART), *arguments)
    if done.returncode:
        raise ValueError(done.stderr)
    return done.stdout


def render(*arguments: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(rendered(*arguments)) if one]


def of_kind(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one document of that kind."""
    [one] = [one for one in found if one["kind"] == kind]
    return one
