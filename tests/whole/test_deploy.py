"""deploy/: every manifest against its platform's schema, and all of them against the service.

What a schema cannot say is checked here too: one concurrency, one port, probes that exist, and
environment names that the service reads. Nothing is sent anywhere.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import http.server
import importlib.util
import json
import re
import subprocess
import sys
import threading
import tomllib
import urllib.parse
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import yaml
from conftest import PROJECT
from manifests import HELM, WRITTEN, fits, kubernetes_takes, needs_helm, rendered

from engine.base.settings import PREFIX
from engine.covers.service.settings import VARIABLES, CoverSettings
from engine.library.settings import VARIABLES as LIBRARY
from engine.library.settings import LibrarySettings
from engine.serving.app import alone

ROOT = PROJECT
DEPLOY = ROOT / "deploy"
DEFAULTS = CoverSettings()
PORT = 3000
# What bentoml containerize calls its user.
BENTO_UID = 1034
# Read by BentoML, by the hub's library or by the entry point of the image; never by the service.
OTHER_VARIABLES = {"BENTOML_DO_NOT_TRACK", "BENTOML_HOME", "HF_HUB_OFFLINE", "HOME"}

PLATFORMS = sorted(
    path.name
    for path in DEPLOY.iterdir()
    if path.is_dir() and path.name not in ("schemas", "container", "observability", "__pycache__")
)
# file → the schema written down for it (None: a real validator below)
SCHEMAS = {
    "azure-container-apps/containerapp-gpu.yaml": "azure-container-app",
    "azure-container-apps/containerapp.yaml": "azure-container-app",
    "cloud-run/service-gpu.yaml": "cloud-run-service",
    "cloud-run/service.yaml": "cloud-run-service",
    "compose/compose.gpu.yaml": "compose",
    "compose/compose.yaml": "compose",
    "compose/library.yaml": "compose",
    "fly/fly.toml": "fly",
    "knative/service-gpu.yaml": "knative-service",
    "knative/service.yaml": "knative-service",
    "kserve/inferenceservice-gpu.yaml": "kserve-inference-service",
    "kserve/inferenceservice.yaml": "kserve-inference-service",
    "railway/railway.json": "railway",
}
VALIDATORS = {
    "aws/fargate.yaml",
    "bentocloud/deployment-gpu.yaml",
    "bentocloud/deployment.yaml",
    "railway/Dockerfile",
}
# What the chart makes of these values, by names like those of files. The rest: test_chart.py.
IMAGE = ("--set", "image.repository=ghcr.io/YOUR-ORG/shazam-visual".lower())
CHARTED = {
    "kubernetes/always-on": (*IMAGE, "--set", "image.tag=TAG"),
    "kubernetes/from-zero": (
        *IMAGE,
        "--set",
        "image.tag=TAG,scaling.mode=http,scaling.http.hosts={covers.example.com}",
    ),
    "kubernetes/gpu": (*IMAGE, "--set", "image.tag=TAG-gpu,gpu.enabled=true"),
}
CHARTED = CHARTED if HELM else {}


class _CloudFormation(yaml.SafeLoader):
    """YAML with CloudFormation's `!Ref` and its kin, kept as plain values."""


_CloudFormation.add_multi_constructor(
    "!",
    lambda loader, suffix, node: {
        suffix: loader.construct_scalar(node)
        if isinstance(node, yaml.ScalarNode)
        else loader.construct_sequence(node, deep=True)
    },
)


def documents(name: str) -> list[dict[str, Any]]:
    """All documents of one file below deploy/, in whatever language; the caller may change them."""
    return copy.deepcopy(_parsed(name))


@functools.cache
def _parsed(name: str) -> list[dict[str, Any]]:
    if name in CHARTED:
        return [one for one in yaml.safe_load_all(rendered(*CHARTED[name])) if one]
    text = (DEPLOY / name).read_text()
    if name.endswith(".toml"):
        return [tomllib.loads(text)]
    if name.endswith(".json"):
        return [json.loads(text)]
    loader = _CloudFormation if name.startswith("aws/") else yaml.SafeLoader
    return list(yaml.load_all(text, loader))


def document(name: str, kind: str | None = None) -> dict[str, Any]:
    [found] = [one for one in documents(name) if kind is None or one.get("kind") == kind]
    return found


def pod_spec(name: str) -> dict[str, Any] | None:
    """The pod in a manifest of the Kubernetes family, as Kubernetes itself would see it."""
    for one in documents(name):
        if one["kind"] == "Deployment":
            return one["spec"]["template"]["spec"]
        if one["kind"] == "InferenceService":
            own = {"minReplicas", "maxReplicas", "scaleTarget", "scaleMetric", "timeout"}
            spec = one["spec"]["predictor"]
        elif one["apiVersion"] == "serving.knative.dev/v1":
            own = {"timeoutSeconds"}
            spec = one["spec"]["template"]["spec"]
        else:
            continue
        return {key: spec[key] for key in spec if key not in own | {"containerConcurrency"}}
    return None


FAMILY = ("cloud-run", "knative", "kserve", "kubernetes")
PODS = sorted(
    name for name in [*SCHEMAS, *VALIDATORS, *CHARTED] if name.startswith(FAMILY) and pod_spec(name)
)


def environment(name: str) -> dict[str, str]:
    """Variables that a manifest sets, by name."""
    if name in PODS:
        given = pod_spec(name)["containers"][0]["env"]
        return {one["name"]: one["value"] for one in given if "value" in one}
    if name == "railway/Dockerfile":
        [env] = re.findall(r"^ENV ((?:.*\\\n)*.*)$", (DEPLOY / name).read_text(), re.M)
        return dict(pair.split("=", 1) for pair in env.replace("\\\n", " ").split())
    if name.endswith(".json"):
        return {}
    one = document(name)
    if name.startswith("azure"):
        return {
            pair["name"]: pair["value"]
            for pair in one["properties"]["template"]["containers"][0]["env"]
        }
    if name.startswith("bentocloud"):
        return {pair["name"]: pair["value"] for pair in one["envs"]}
    if name.startswith("compose"):
        given = composed(name)["environment"]
        # As Compose does where the variable is unset, or, where it must not be, with some value.
        unset = {key: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value) for key, value in given.items()}
        return {key: re.sub(r"\$\{\w+:\?.*?\}", "0a1b", value) for key, value in unset.items()}
    if name.startswith("fly"):
        return one["env"]
    assert name.startswith("aws")
    return {pair["Name"]: pair["Value"] for pair in aws_container()["Environment"]}


def composed(name: str) -> dict[str, Any]:
    """The service in a file of Compose that answers callers."""
    services = document(name)["services"]
    [found] = [services[one] for one in ("shazam-visual", "shazam-library") if one in services]
    return found


def aws(resource: str) -> dict[str, Any]:
    return document("aws/fargate.yaml")["Resources"][resource]["Properties"]


def aws_container() -> dict[str, Any]:
    return aws("Task")["ContainerDefinitions"][0]


ALL = sorted([*SCHEMAS, *VALIDATORS, *CHARTED])
CONFIGURED = [name for name in ALL if environment(name)]
# An override: it adds to the file that names the rest.
ADDITIONS = {"compose/compose.gpu.yaml"}
# Manifests of another image than that of covers.
LIBRARIES = {"compose/library.yaml"}


# Schemas


def test_every_manifest_is_checked() -> None:
    found = {
        str(path.relative_to(DEPLOY))
        for platform in PLATFORMS
        for path in (DEPLOY / platform).iterdir()
        if path.suffix != ".md" and platform != "kubernetes"
    }
    assert found == set(ALL) - set(CHARTED)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_it_fits_the_schema_written_down_for_it(name: str) -> None:
    for one in documents(name):
        fits(one, SCHEMAS[name])


@pytest.mark.parametrize("name", CHARTED)
def test_kubernetes_takes_it(name: str) -> None:
    for one in documents(name):
        kubernetes_takes(one)


@pytest.mark.parametrize("name", PODS)
def test_its_pod_is_one_that_kubernetes_takes(name: str) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod_spec(name)}
    kubernetes_takes(pod)


def test_cloudformation_takes_the_aws_template() -> None:
    from cfnlint.api import lint
    from cfnlint.config import ManualArgs

    problems = lint(
        (DEPLOY / "aws/fargate.yaml").read_text(), config=ManualArgs(regions=["eu-central-1"])
    )
    assert [f"{one.rule.id} line {one.linenumber}: {one.message}" for one in problems] == []


@pytest.mark.parametrize("name", ["deployment.yaml", "deployment-gpu.yaml"])
def test_bentoml_knows_every_key_of_the_bentocloud_file(name: str) -> None:
    import attrs

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # BentoML's own, at its import
        from _bentoml_sdk.service import config as service_config
        from bentoml._internal.cloud.schemas import modelschemas, schemasv2

    given = document(f"bentocloud/{name}")
    [(service, terms)] = given["services"].items()

    def known(schema: type) -> set[str]:
        return {field.name for field in attrs.fields(schema)}

    assert given.keys() <= known(schemasv2.CreateDeploymentSchema)
    assert terms.keys() <= known(modelschemas.DeploymentServiceConfig)
    assert terms["scaling"].keys() <= known(modelschemas.DeploymentTargetHPAConf)
    assert terms["scaling"]["policy"].keys() <= known(modelschemas.HPAPolicy)
    service_config.validate(copy.deepcopy(terms["config_overrides"]))
    # The name that the deployment configures is the one that the service has.
    assert f'name="{service}"' in (ROOT / "engine/services/visual.py").read_text()


@pytest.mark.parametrize("name", sorted(path.stem for path in (DEPLOY / "schemas").iterdir()))
def test_a_written_schema_names_its_source_and_is_used(name: str) -> None:
    content = json.loads((DEPLOY / "schemas" / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    assert "ritten down by hand from" in content["$comment"]
    assert name in {*SCHEMAS.values(), *WRITTEN.values()}


# The field is given by its path, dots between.
@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("knative/service.yaml", "spec.template.spec.containerConcurency", 64),
        ("knative/service.yaml", "spec.template.spec.containers.0.lifecycle", {}),
        ("cloud-run/service.yaml", "spec.template.spec.containers.0.env.0.name", "PORT"),
        ("kserve/inferenceservice.yaml", "spec.predictor.minReplicas", -1),
        (
            "azure-container-apps/containerapp.yaml",
            "properties.template.containers.0.probes.0.failureThreshold",
            60,
        ),
        ("fly/fly.toml", "http_service.auto_stop_machines", "sleep"),
        ("railway/railway.json", "deploy.drainingSeconds", "45"),
        ("compose/compose.yaml", "services.shazam-visual.stop_grace_period", 45),
    ],
)
def test_a_written_schema_refuses_a_likely_mistake(name: str, field: str, value: Any) -> None:
    broken = document(name)
    *path, last = field.split(".")
    inner: Any = broken
    for key in path:
        inner = inner[int(key)] if key.isdigit() else inner[key]
    inner[last] = value
    with pytest.raises(jsonschema.ValidationError):
        fits(broken, SCHEMAS[name])


# The service: names, port, probes


@pytest.mark.parametrize("name", CONFIGURED)
def test_every_environment_name_is_one_that_is_read(name: str) -> None:
    table = LIBRARY if name in LIBRARIES else VARIABLES
    ours = {PREFIX + variable.upper() for variable in table}
    if name in LIBRARIES:  # what the bucket's client reads
        ours |= {one for one in environment(name) if one.startswith("AWS_")}
    assert set(environment(name)) <= ours | OTHER_VARIABLES


@pytest.mark.parametrize("name", CONFIGURED)
def test_the_service_would_start_with_these_values(name: str) -> None:
    kind = LibrarySettings if name in LIBRARIES else CoverSettings
    kind.from_environment({key: str(value) for key, value in environment(name).items()})


@pytest.mark.parametrize("name", [n for n in CONFIGURED if n not in ADDITIONS])
def test_nothing_is_tracked_or_fetched_and_logs_are_json(name: str) -> None:
    given = environment(name)
    assert given["BENTOML_DO_NOT_TRACK"] == "True"
    assert given["HF_HUB_OFFLINE"] == "1"
    assert given["SHAZAM_LOG_FORMAT"] == "json"


@pytest.mark.parametrize("name", [n for n in ALL if "gpu" in n])
def test_a_gpu_variant_stops_rather_than_serve_from_the_cpu(name: str) -> None:
    assert environment(name)["SHAZAM_RUNTIME"] == "torch-cuda"
    if not name.startswith(("bentocloud", "compose", "kubernetes")):
        assert "shazam-visual:TAG-gpu\n" in (DEPLOY / name).read_text()


def ports(name: str) -> set[int]:
    if name in PODS:
        return {one["containerPort"] for one in pod_spec(name)["containers"][0]["ports"]}
    one = document(name)
    if name.startswith("azure"):
        return {one["properties"]["configuration"]["ingress"]["targetPort"]}
    if name.startswith("fly"):
        return {one["http_service"]["internal_port"]}
    if name.startswith("compose"):
        return {int(text.rsplit(":", 1)[1]) for text in composed(name)["ports"]}
    assert name.startswith("aws")
    ingress = aws("TaskSecurityGroup")["SecurityGroupIngress"][0]
    return {
        aws_container()["PortMappings"][0]["ContainerPort"],
        aws("Target")["Port"],
        aws("Service")["LoadBalancers"][0]["ContainerPort"],
        ingress["FromPort"],
        ingress["ToPort"],
    }


# BentoCloud and Railway find the port by themselves; an addition leaves it to its base.
@pytest.mark.parametrize(
    "name",
    [n for n in CONFIGURED if n not in ADDITIONS and not n.startswith(("bentocloud", "railway"))],
)
def test_the_port_is_the_containers(name: str) -> None:
    assert ports(name) == {PORT}


def test_the_images_entry_point_hands_PORT_to_bentoml() -> None:
    import bentoml

    entry = "_internal/container/frontend/dockerfile/entrypoint.sh"
    assert "export BENTOML_PORT=$PORT" in (Path(bentoml.__file__).parent / entry).read_text()


def probes(name: str) -> dict[str, dict[str, Any]]:
    """The probes of a manifest by their Kubernetes names, in Kubernetes' shape."""
    if name in PODS:
        container = pod_spec(name)["containers"][0]
        return {key[:-5]: container[key] for key in container if key.endswith("Probe")}
    containers = document(name)["properties"]["template"]["containers"]
    return {probe["type"].lower(): probe for probe in containers[0]["probes"]}


PROBED = [*PODS, *(n for n in ALL if n.startswith("azure"))]


def test_the_service_has_the_routes_that_probes_ask() -> None:
    site = (ROOT / "engine/serving/app/site.py").read_text()
    routes = re.findall(r'api\.get\("(/\w+)"', site)
    assert {"/livez", "/readyz"} <= set(routes)


@pytest.mark.parametrize("name", PROBED)
def test_start_and_readiness_ask_readyz_and_liveness_asks_livez(name: str) -> None:
    asked = {key: probe["httpGet"]["path"] for key, probe in probes(name).items()}
    assert asked["startup"] == "/readyz"
    assert asked["liveness"] == "/livez"
    # Cloud Run gates traffic by the start alone.
    assert asked.get("readiness", "/readyz") == "/readyz"
    for probe in probes(name).values():
        assert probe["httpGet"]["port"] in (PORT, "http")


@pytest.mark.parametrize("name", PROBED)
def test_start_is_asked_finely_and_for_long_enough(name: str) -> None:
    start = probes(name)["startup"]
    # Azure alone caps the number of tries, at ten.
    assert start["periodSeconds"] == 1 or name.startswith("azure")
    assert start["periodSeconds"] * start["failureThreshold"] >= 30
    assert start["timeoutSeconds"] <= start["periodSeconds"]


def test_the_other_platforms_ask_readyz() -> None:
    assert aws("Target")["HealthCheckPath"] == "/readyz"
    assert document("railway/railway.json")["deploy"]["healthcheckPath"] == "/readyz"
    assert document("fly/fly.toml")["http_service"]["checks"][0]["path"] == "/readyz"
    for name in ("compose/compose.yaml", "compose/library.yaml"):
        health = composed(name)["healthcheck"]
        assert f"http://127.0.0.1:{PORT}/readyz" in health["test"][-1]


# Concurrency: where a replica refuses, and where a platform adds one


@pytest.mark.parametrize("name", [n for n in CONFIGURED if n not in ADDITIONS])
def test_the_limit_it_names_is_the_services_own(name: str) -> None:
    assert int(environment(name)["SHAZAM_MAX_CONCURRENCY"]) == DEFAULTS.max_concurrency


def hard_limits() -> dict[str, int]:
    """Where a platform has a limit of its own, that limit."""
    found = {}
    for name in ALL:
        if name.startswith(("knative", "cloud-run")):
            found[name] = document(name)["spec"]["template"]["spec"]["containerConcurrency"]
        elif name.startswith("kserve"):
            found[name] = document(name)["spec"]["predictor"]["containerConcurrency"]
        elif name.startswith("fly"):
            found[name] = document(name)["http_service"]["concurrency"]["hard_limit"]
    return found


def targets() -> dict[str, int]:
    """Requests in flight a replica at which a platform adds one."""
    found = {}
    for name in ALL:
        if name.startswith("knative"):
            annotations = document(name)["spec"]["template"]["metadata"]["annotations"]
            found[name] = int(annotations["autoscaling.knative.dev/target"])
        elif name.startswith("kserve"):
            found[name] = document(name)["spec"]["predictor"]["scaleTarget"]
        elif name.startswith("azure"):
            [rule] = document(name)["properties"]["template"]["scale"]["rules"]
            found[name] = int(rule["http"]["metadata"]["concurrentRequests"])
        elif name.startswith("fly"):
            found[name] = document(name)["http_service"]["concurrency"]["soft_limit"]
        elif name.startswith("bentocloud"):
            [terms] = document(name)["services"].values()
            found[name] = terms["config_overrides"]["traffic"]["concurrency"]
        elif name == "kubernetes/from-zero":
            route = document(name, "InterceptorRoute")
            found[name] = route["spec"]["scalingMetric"]["concurrency"]["targetValue"]
    return found


def test_a_platforms_limit_is_the_services_own() -> None:
    limits = hard_limits()
    assert len(limits) == 7
    assert limits == dict.fromkeys(limits, DEFAULTS.max_concurrency)


def test_replicas_are_added_at_one_full_batch_and_before_any_is_refused() -> None:
    for name, target in targets().items():
        assert DEFAULTS.max_batch <= target < DEFAULTS.max_concurrency, name
        assert "gpu" in name or target == DEFAULTS.max_batch, name


def scale_bounds() -> dict[str, tuple[int, int]]:
    found = {}
    for name in ALL:
        if name.startswith("knative"):
            notes = document(name)["spec"]["template"]["metadata"]["annotations"]
            prefix = "autoscaling.knative.dev/"
            found[name] = int(notes[f"{prefix}min-scale"]), int(notes[f"{prefix}max-scale"])
        elif name.startswith("cloud-run"):
            notes = document(name)["spec"]["template"]["metadata"]["annotations"]
            prefix = "autoscaling.knative.dev/"
            found[name] = int(notes[f"{prefix}minScale"]), int(notes[f"{prefix}maxScale"])
        elif name.startswith("kserve"):
            spec = document(name)["spec"]["predictor"]
            found[name] = spec["minReplicas"], spec["maxReplicas"]
        elif name.startswith("azure"):
            spec = document(name)["properties"]["template"]["scale"]
            found[name] = spec["minReplicas"], spec["maxReplicas"]
        elif name.startswith("bentocloud"):
            [terms] = document(name)["services"].values()
            found[name] = terms["scaling"]["min_replicas"], terms["scaling"]["max_replicas"]
        elif name == "kubernetes/from-zero":
            keda = document(name, "ScaledObject")["spec"]
            found[name] = keda["minReplicaCount"], keda["maxReplicaCount"]
    return found


def test_what_can_scale_to_zero_does_and_every_bill_has_a_bound() -> None:
    for name, (least, most) in scale_bounds().items():
        assert least == 0, name
        assert 1 < most <= 10, name
    assert document("fly/fly.toml")["http_service"]["min_machines_running"] == 0
    assert document("railway/railway.json")["deploy"]["sleepApplication"] is True
    for one in CHARTED:
        if one != "kubernetes/from-zero":
            hpa = document(one, "HorizontalPodAutoscaler")["spec"]
            assert (hpa["minReplicas"], hpa["maxReplicas"]) == (2, 10)


@needs_helm
def test_names_agree_between_the_documents_of_plain_kubernetes() -> None:
    deployment = document("kubernetes/from-zero", "Deployment")
    route = document("kubernetes/from-zero", "InterceptorRoute")
    scaled = document("kubernetes/from-zero", "ScaledObject")
    name = deployment["metadata"]["name"]
    service = document("kubernetes/always-on", "Service")
    hpa = document("kubernetes/always-on", "HorizontalPodAutoscaler")
    assert hpa["spec"]["scaleTargetRef"]["name"] == name
    assert scaled["spec"]["scaleTargetRef"]["name"] == name
    [trigger] = scaled["spec"]["triggers"]
    assert trigger["metadata"]["interceptorRoute"] == route["metadata"]["name"]
    assert route["spec"]["target"]["service"] == service["metadata"]["name"]
    assert route["spec"]["target"]["port"] == service["spec"]["ports"][0]["port"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    # The autoscaler owns the number.
    assert "replicas" not in deployment["spec"]


# Stopping, and what a container may do


def test_nobody_is_killed_within_the_longest_request() -> None:
    longest = DEFAULTS.timeout_s
    for name in CHARTED:
        pod = pod_spec(name)
        sleep = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] >= sleep + longest + 5
    for name in ("containerapp.yaml", "containerapp-gpu.yaml"):
        azure = document(f"azure-container-apps/{name}")["properties"]["template"]
        assert azure["terminationGracePeriodSeconds"] > longest
    assert aws_container()["StopTimeout"] > longest
    assert document("fly/fly.toml")["kill_timeout"] > longest
    assert document("railway/railway.json")["deploy"]["drainingSeconds"] > longest
    for name in ("compose/compose.yaml", "compose/library.yaml"):
        assert int(composed(name)["stop_grace_period"].removesuffix("s")) > longest


def test_no_proxy_gives_up_before_the_service_does() -> None:
    for name in ALL:
        if name.startswith(("knative", "cloud-run")):
            timeout = document(name)["spec"]["template"]["spec"]["timeoutSeconds"]
        elif name.startswith("kserve"):
            timeout = document(name)["spec"]["predictor"]["timeout"]
        else:
            continue
        assert timeout > DEFAULTS.timeout_s, name
    attributes = {one["Key"]: one["Value"] for one in aws("Balancer")["LoadBalancerAttributes"]}
    idle_s = int(attributes["idle_timeout.timeout_seconds"])
    assert DEFAULTS.timeout_s < idle_s < alone.IDLE_S


@pytest.mark.parametrize("name", [n for n in PODS if not n.startswith("cloud-run")])
def test_a_pod_runs_without_root_and_on_a_read_only_root(name: str) -> None:
    spec = pod_spec(name)
    [container] = spec["containers"]
    context = spec.get("securityContext", {}) | container["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == BENTO_UID
    assert context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False


def test_other_platforms_run_without_root_where_they_can() -> None:
    for compose in (composed("compose/compose.yaml"), composed("compose/library.yaml")):
        assert (compose["user"], compose["read_only"]) == (f"{BENTO_UID}:{BENTO_UID}", True)
        assert compose["cap_drop"] == ["ALL"]
    assert aws_container()["User"] == f"{BENTO_UID}:{BENTO_UID}"
    assert aws_container()["ReadonlyRootFilesystem"] is True
    assert aws_container()["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}


def test_the_user_is_the_one_that_bentoml_gives_the_image() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # BentoML's own, at its import
        from bentoml._internal.container.generate import DEFAULT_BENTO_ENVS

    assert DEFAULT_BENTO_ENVS["uid_gid"] == BENTO_UID
    # Why nothing may be mounted over the home: the bento is inside.
    assert DEFAULT_BENTO_ENVS["path"].startswith(DEFAULT_BENTO_ENVS["home"])


@pytest.mark.parametrize("name", [n for n in CONFIGURED if n not in ADDITIONS])
def test_what_bentoml_writes_goes_to_the_one_writable_place(name: str) -> None:
    if name.startswith("bentocloud"):
        return  # BentoCloud builds and mounts by itself
    given = environment(name)
    assert given["BENTOML_HOME"].startswith("/tmp/")
    assert given["HOME"] == "/tmp"
    mounts: list[str] = []
    if name in PODS:
        mounts = [
            one["mountPath"] for one in pod_spec(name)["containers"][0].get("volumeMounts", [])
        ]
        assert mounts == ["/tmp"] or name.startswith("cloud-run")
    elif name.startswith("compose"):
        given_mounts = composed(name)
        mounts = [one.split(":")[0] for one in given_mounts.get("tmpfs", [])]
        mounts += [one.split(":")[1] for one in given_mounts.get("volumes", [])]
        assert mounts == ["/tmp"]
    elif name.startswith("aws"):
        mounts = [one["ContainerPath"] for one in aws_container()["LinuxParameters"]["Tmpfs"]]
        assert mounts == ["/tmp"]


@pytest.mark.parametrize("name", [n for n in PODS if "gpu" not in n])
def test_a_cpu_pod_is_two_cores_and_a_gibibyte(name: str) -> None:
    resources = pod_spec(name)["containers"][0]["resources"]
    assert resources["limits"] == {"cpu": "2", "memory": "1Gi"}
    # Cloud Run has limits alone.
    assert resources.get("requests", resources["limits"]) == resources["limits"]


# The library, with all that it stands on


def test_the_librarys_service_and_workers_see_one_library() -> None:
    services = document("compose/library.yaml")["services"]
    api, worker, bucket = (services[one] for one in ("shazam-library", "worker", "bucket"))
    assert api["image"] == worker["image"] == bucket["image"]
    assert api["environment"] == worker["environment"] == bucket["environment"]
    assert worker["entrypoint"][:3] == ["python", "-m", "engine.library.pipeline.worker"]
    assert "'library'" in bucket["command"][0]
    assert environment("compose/library.yaml")["SHAZAM_STORAGE"] == "s3://library"
    # What the store is told of its callers is what they tell the store.
    keys = document("compose/library.yaml")["configs"]["keys"]["content"]
    secret = worker["environment"]["AWS_SECRET_ACCESS_KEY"]
    [identity] = json.loads(keys)["identities"]
    assert identity["credentials"] == [
        {"accessKey": worker["environment"]["AWS_ACCESS_KEY_ID"], "secretKey": secret}
    ]
    assert (
        services["database"]["environment"]["POSTGRES_PASSWORD"]
        in (worker["environment"]["SHAZAM_DATABASE"])
    )


def test_no_password_of_the_library_has_a_default() -> None:
    text = (DEPLOY / "compose/library.yaml").read_text()
    for name in ("POSTGRES_PASSWORD", "S3_SECRET_KEY"):
        used = re.findall(rf"\$\{{{name}(.)(.)", text)
        assert used
        assert set(used) == {(":", "?")}


# The READMEs


@pytest.mark.parametrize("folder", ["", *PLATFORMS])
def test_a_readme_names_only_files_that_exist(folder: str) -> None:
    text = (DEPLOY / folder / "README.md").read_text()
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S))
    assert commands
    for name in re.findall(r"(?<![\w/])deploy/[\w./-]+\w", text):
        assert (ROOT / name).exists(), name
    for link in re.findall(r"\]\((?!https://)([^)#]+)", text):
        assert (DEPLOY / folder / link).exists(), link
    if folder:
        # From image to first query, in every folder.
        assert "deploy/first-query.sh" in commands
        assert f"({folder}/README.md)" in (DEPLOY / "README.md").read_text()


@pytest.mark.parametrize("folder", ["", *PLATFORMS])
def test_a_readmes_links_into_the_first_page_find_their_heading(folder: str) -> None:
    headings = re.findall(r"^#+ (.*)$", (DEPLOY / "README.md").read_text(), re.M)
    anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
    text = (DEPLOY / folder / "README.md").read_text()
    for anchor in re.findall(r"\]\(\.\./README\.md#([\w-]+)\)", text):
        assert anchor in anchors


@pytest.mark.parametrize("folder", ["", *PLATFORMS])
def test_a_readmes_commands_are_shell(folder: str) -> None:
    text = (DEPLOY / folder / "README.md").read_text()
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


@pytest.mark.parametrize("folder", PLATFORMS)
def test_the_image_placeholder_is_one_that_readmes_replace(folder: str) -> None:
    manifests = "".join(
        path.read_text()
        for path in (DEPLOY / folder).iterdir()
        if path.suffix != ".md" and path.is_file()
    )
    images = set(re.findall(r"[\w.-]+/[\w.-]+/shazam-visual:[\w-]+", manifests))
    assert images <= {
        "ghcr.io/YOUR-ORG/shazam-visual:TAG",
        "ghcr.io/YOUR-ORG/shazam-visual:TAG-gpu",
        "ghcr.io/you/shazam-visual:1",  # an example in compose.yaml's own words
    }


@contextlib.contextmanager
def stub(ready_after: int) -> Iterator[tuple[str, list[str]]]:
    """A service that is warm from its `ready_after`-th question on; its address and its log."""
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            warm = len(seen) > ready_after or self.path != "/readyz"
            self.send_response(200 if warm else 503)
            self.end_headers()
            self.wfile.write(b'{"success": true}')

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


def first_query(*arguments: str, wait_s: str = "10") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DEPLOY / "first-query.sh", *arguments],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "WAIT_S": wait_s},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_the_first_query_waits_until_the_service_is_warm() -> None:
    with stub(ready_after=1) as (url, seen):
        done = first_query(url + "/")
    assert (done.returncode, done.stdout.strip()) == (0, '{"success": true}')
    assert seen[:2] == ["/readyz", "/readyz"]
    asked = urllib.parse.urlsplit(seen[2])
    assert asked.path == "/api/search-by-text"
    assert urllib.parse.parse_qs(asked.query) == {"query": ["a red circle on black"], "k": ["3"]}


def test_the_first_query_sends_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "cover.jpg"
    picture.write_bytes(b"\xff\xd8 not much of a picture")
    with stub(ready_after=0) as (url, seen):
        assert first_query(url, str(picture)).returncode == 0
    assert seen == ["/readyz", "/api/search-by-image?k=3"]


def test_the_first_query_gives_up_by_name() -> None:
    done = first_query("http://127.0.0.1:9", wait_s="0")
    assert done.returncode == 1
    assert "/readyz was not ready within 0 s" in done.stderr


# What it costs


@pytest.fixture(scope="module")
def cost() -> ModuleType:
    spec = importlib.util.spec_from_file_location("deploy_cost", DEPLOY / "cost.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_table_and_the_plot_are_current(cost: ModuleType) -> None:
    text = cost.table(*cost.load())
    assert cost.current((DEPLOY / "README.md").read_text()) == text, "run python deploy/cost.py"
    assert f"cost {cost.digest(text)}" in (DEPLOY / "cost.svg").read_text()


def test_every_price_has_a_date_and_a_source(cost: ModuleType) -> None:
    _, prices = cost.load()
    for platform in prices["platforms"]:
        entries = [*platform["prices"].values()]
        entries += [platform["minimum_month"]] if "minimum_month" in platform else []
        for entry in entries:
            assert entry["usd"] >= 0
            assert re.fullmatch(r"20\d\d(-\d\d)?", entry["date"]), platform["id"]
            assert re.search(r"stored|memory", entry["source"]), platform["id"]


def test_a_replica_that_never_sleeps_is_always_up(cost: ModuleType) -> None:
    assert cost.up_share(1, 1e9, 4) == pytest.approx(1)
    assert cost.cold_share(1, 1e9) == 0


def test_a_replica_that_sleeps_at_once_is_up_for_its_starts_alone(cost: ModuleType) -> None:
    # One request an hour, four seconds of start each: 4 of 3604 seconds.
    assert cost.up_share(1, 0, 4) == pytest.approx(4 / 3604)
    assert cost.cold_share(1, 0) == 1


def test_the_model_agrees_with_a_simulation(cost: ModuleType) -> None:
    import random

    draw = random.Random(7)
    rate, idle, start = 12 / 3600, 300.0, 4.0
    up = total = cold = 0.0
    for _ in range(200_000):
        gap = draw.expovariate(rate)
        slept = gap > idle
        cold += slept
        up += min(gap, idle) + slept * start
        total += gap + slept * start
    assert cost.up_share(12, idle, start) == pytest.approx(up / total, rel=0.01)
    assert cost.cold_share(12, idle) == pytest.approx(cold / 200_000, rel=0.02)


def test_sleeping_never_costs_more_than_staying_up(cost: ModuleType) -> None:
    measured, prices = cost.load()
    for platform in prices["platforms"]:
        # Azure sells an idle second cheaper to those who stay up.
        if platform["scale_to_zero"] is None or platform["id"] == "azure-container-apps":
            continue
        for load in prices["requests_per_hour"]:
            zero = cost.month(platform, "scale_to_zero", load, measured, prices)
            always = cost.month(platform, "always_on", load, measured, prices)
            assert (zero is None) == (always is None)
            assert zero is None or zero <= always * 1.001, (platform["id"], load)


def test_one_month_by_hand(cost: ModuleType) -> None:
    measured, prices = cost.load()
    [fargate] = [one for one in prices["platforms"] if one["id"] == "aws"]
    rate = {name: entry["usd"] for name, entry in fargate["prices"].items()}
    by_hand = 730 * 3600 * (2 * rate["vcpu_second"] + 4 * rate["gib_second"]) + rate["fixed_month"]
    traffic = 730 * measured.upload_megabytes / 1000 * rate["gigabyte_in"]
    assert cost.month(fargate, "always_on", 1, measured, prices) == pytest.approx(by_hand + traffic)
