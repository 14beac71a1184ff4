"""deploy/kubernetes/chart: values in, documents that Kubernetes takes out; a wrong value is refused
by name, before anything is applied."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml
from manifests import CHART, DEPLOY, helm, kubernetes_takes, needs_helm, of_kind, render

from engine.base.settings import PREFIX
from engine.covers.service.settings import VARIABLES, CoverSettings
from engine.library.settings import VARIABLES as LIBRARY
from engine.library.settings import LibrarySettings
from engine.library.tables import ACTIVE, JobRow
from engine.sound.service.settings import VARIABLES as SOUND
from engine.sound.service.settings import SoundSettings
from engine.voice.settings import VARIABLES as VOICE

pytestmark = needs_helm

IMAGE = ("--set", "image.repository=ghcr.io/you/shazam-visual", "--set", "image.tag=1.0.0")
DIGEST = "sha256:" + "0a" * 32
URL = "https://bucket.example/mine.tar#sha256=" + "0b" * 32
HTTP = "scaling.mode=http,scaling.http.hosts={covers.example.com}"
INGRESS = "ingress.enabled=true,ingress.host=covers.example.com"
PRODUCTION = ("--values", str(DEPLOY / "kubernetes" / "production.yaml"))

LIBRARY_OF = "kind=library,library.existingSecret=library,library.storage=s3://bucket/library"

VARIANTS: dict[str, tuple[str, ...]] = {
    "always on": (),
    "from zero": ("--set", HTTP),
    "fixed": ("--set", "scaling.mode=fixed,scaling.replicas=3"),
    "gpu": ("--set", "gpu.enabled=true,gpu.runtimeClassName=nvidia"),
    "url": ("--set", f"artifact.url={URL},tmp.sizeLimit=4Gi,networkPolicy.enabled=true"),
    "hub": ("--set", f"artifact.url={URL.replace('https', 'hf')},tmp.sizeLimit=4Gi"),
    "sound": ("--set", "kind=sound,settings.SHAZAM_MAX_AUDIO_S=60"),
    "sound from zero": ("--set", HTTP, "--set", f"kind=sound,artifact.url={URL},tmp.sizeLimit=1Gi"),
    "library": ("--set", f"{LIBRARY_OF},networkPolicy.enabled=true"),
    "library, fixed": (
        "--set",
        f"{LIBRARY_OF},library.workers.scaling=fixed,scaling.mode=fixed,artifact.existingClaim=a",
    ),
    "library, private": (
        "--set",
        f"{LIBRARY_OF},library.mode=private,apiKeys.existingSecret=keys,artifact.url={URL},"
        "tmp.sizeLimit=8Gi,settings.SHAZAM_QUOTA_JOBS=100",
    ),
    "volume": ("--set", "artifact.existingClaim=artifacts,artifact.path=mine"),
    "keys": ("--set", "apiKeys.values={one,two}"),
    "production": (*PRODUCTION, "--set", INGRESS),
    "production from zero": (*PRODUCTION, "--set", INGRESS, "--set", HTTP),
    "bare": (
        "--set",
        "metrics.annotations=false,podDisruptionBudget.enabled=false,topologySpread.enabled=false",
        "--set-json",
        'ingress={"enabled":true,"host":"covers.example.com","annotations":null}',
    ),
    "placed": (
        "--set",
        "nodeSelector.disk=fast,podAnnotations.a=b,serviceAccountName=reader",
        "--set-json",
        'tolerations=[{"key":"spot","operator":"Exists"}]',
        "--set-json",
        'affinity={"podAntiAffinity":{}}',
        "--set-json",
        'extraEnv=[{"name":"AWS_REGION","value":"eu-central-1"}]',
    ),
}


def variant(name: str) -> list[dict[str, Any]]:
    return render(*IMAGE, *VARIANTS[name])


def deployment(found: list[dict[str, Any]]) -> dict[str, Any]:
    """That of what answers callers."""
    return next(
        one
        for one in found
        if one["kind"] == "Deployment" and not one["metadata"]["name"].endswith("-work")
    )


def workers(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is of the library's workers: their labels say so."""
    return [one for one in found if one["metadata"]["name"].endswith("-work")]


def pod(found: list[dict[str, Any]]) -> dict[str, Any]:
    return deployment(found)["spec"]["template"]["spec"]


def environment(found: list[dict[str, Any]]) -> dict[str, str]:
    """Variables with a value of their own; those of a Secret are not among them."""
    given = pod(found)["containers"][0]["env"]
    return {one["name"]: one["value"] for one in given if "value" in one}


def refusal(*values: str) -> str:
    """helm's words on values that it must not take."""
    done = helm("template", "shazam-visual", str(CHART), *values)
    assert done.returncode, "it was taken"
    return done.stderr


# What comes out


@pytest.mark.parametrize("name", VARIANTS)
def test_kubernetes_takes_every_document(name: str) -> None:
    for one in variant(name):
        kubernetes_takes(one)


@pytest.mark.parametrize("name", VARIANTS)
def test_helm_lints_it_without_a_word_of_warning(name: str) -> None:
    done = helm("lint", str(CHART), "--strict", *IMAGE, *VARIANTS[name])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout


@pytest.mark.parametrize("name", VARIANTS)
def test_the_service_starts_with_what_is_set_and_nothing_is_set_twice(name: str) -> None:
    found = variant(name)
    kinds = {"sound": SoundSettings, "library": LibrarySettings}
    kind = next((kinds[one] for one in kinds if name.startswith(one)), CoverSettings)
    kind.from_environment(environment(found))
    names = [one["name"] for one in pod(found)["containers"][0]["env"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", VARIANTS)
def test_what_selects_pods_selects_these(name: str) -> None:
    everything = variant(name)
    for found in (
        [one for one in everything if one not in workers(everything)],
        workers(everything),
    ):
        if found:
            selects_these(found)


def selects_these(found: list[dict[str, Any]]) -> None:
    template = of_kind(found, "Deployment")["spec"]["template"]
    labels = template["metadata"]["labels"]
    selectors = [
        one["spec"].get("podSelector", one["spec"].get("selector", {}))
        for one in found
        if one["kind"]
        in ("Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "PodMonitor")
    ]
    selectors += [
        one["labelSelector"] for one in template["spec"].get("topologySpreadConstraints", [])
    ]
    for selector in filter(None, selectors):
        wanted = selector.get("matchLabels", selector)
        assert wanted, "an empty selector takes every pod of the namespace"
        assert wanted.items() <= labels.items()


def test_two_releases_of_one_namespace_do_not_meet() -> None:
    one, other = (
        list(yaml.safe_load_all(helm("template", name, str(CHART), *IMAGE).stdout))
        for name in ("left", "right")
    )
    names = [{(part["kind"], part["metadata"]["name"]) for part in found} for found in (one, other)]
    assert not names[0] & names[1]
    selectors = [of_kind(found, "Service")["spec"]["selector"] for found in (one, other)]
    assert selectors[0] != selectors[1]


# The image


def test_the_image_is_by_tag_by_digest_or_by_the_charts_own_version() -> None:
    def image(*values: str) -> str:
        repository = ("--set", "image.repository=ghcr.io/you/shazam-visual")
        return pod(render(*repository, *values))["containers"][0]["image"]

    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert image() == f"ghcr.io/you/shazam-visual:{chart['appVersion']}"
    assert image("--set", "image.tag=1.0.0") == "ghcr.io/you/shazam-visual:1.0.0"
    assert image("--set", f"image.digest={DIGEST}") == f"ghcr.io/you/shazam-visual@{DIGEST}"


def test_the_chart_has_the_projects_version() -> None:
    import tomllib

    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == project["version"]


# Keys, registry, artifact


def test_keys_come_from_a_secret_and_never_stand_in_the_deployment() -> None:
    found = variant("keys")
    [entry] = [e for e in pod(found)["containers"][0]["env"] if e["name"] == "SHAZAM_API_KEYS"]
    reference = entry["valueFrom"]["secretKeyRef"]
    secret = of_kind(found, "Secret")
    assert reference["name"] == secret["metadata"]["name"]
    assert secret["stringData"] == {reference["key"]: "one,two"}
    assert "one,two" not in json.dumps(of_kind(found, "Deployment"))


def test_new_keys_are_new_pods() -> None:
    def template(keys: str) -> dict[str, Any]:
        found = render(*IMAGE, "--set", f"apiKeys.values={{{keys}}}")
        return of_kind(found, "Deployment")["spec"]["template"]

    assert template("one") == template("one") != template("two")


def test_production_pulls_with_a_secret_and_asks_for_keys() -> None:
    found = variant("production")
    assert pod(found)["imagePullSecrets"] == [{"name": "registry"}]
    assert "Secret" not in {one["kind"] for one in found}
    ingress = of_kind(found, "Ingress")
    assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"
    [tls] = ingress["spec"]["tls"]
    assert tls["hosts"] == [ingress["spec"]["rules"][0]["host"]] == ["covers.example.com"]


def test_the_ingress_lets_through_what_the_service_takes() -> None:
    notes = of_kind(variant("production"), "Ingress")["metadata"]["annotations"]
    body = int(notes["nginx.ingress.kubernetes.io/proxy-body-size"].removesuffix("m"))
    assert body * 2**20 > CoverSettings().max_upload_bytes
    assert int(notes["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > CoverSettings().timeout_s


def test_an_artifact_by_url_has_disk_and_time_to_be_fetched() -> None:
    found = variant("url")
    assert environment(found)["SHAZAM_ARTIFACT"] == URL
    assert pod(found)["volumes"] == [{"name": "tmp", "emptyDir": {"sizeLimit": "4Gi"}}]
    assert pod(found)["containers"][0]["startupProbe"]["failureThreshold"] == 600
    [rule] = of_kind(found, "NetworkPolicy")["spec"]["egress"]
    assert {"port": 443, "protocol": "TCP"} in rule["ports"]
    assert environment(found)["HF_HUB_OFFLINE"] == "1"
    assert environment(variant("hub"))["HF_HUB_OFFLINE"] == "0"


def test_an_artifact_on_a_volume_is_read_and_never_written() -> None:
    found = variant("volume")
    assert environment(found)["SHAZAM_ARTIFACT"] == "/artifact/mine"
    [_, mount] = pod(found)["containers"][0]["volumeMounts"]
    assert mount == {"name": "artifact", "mountPath": "/artifact", "readOnly": True}


def test_a_release_of_sound_names_the_artifact_of_sound() -> None:
    from_zero = environment(variant("sound from zero"))
    assert from_zero["SHAZAM_SOUND_ARTIFACT"] == URL
    assert "SHAZAM_ARTIFACT" not in from_zero
    plain = environment(variant("sound"))
    assert plain["SHAZAM_MAX_AUDIO_S"] == "60"
    assert not plain.keys() & {"SHAZAM_ARTIFACT", "SHAZAM_SOUND_ARTIFACT"}
    assert "SHAZAM_SOUND_ARTIFACT" not in environment(variant("url"))


# The library's workers


@pytest.mark.parametrize("name", [name for name in VARIANTS if name.startswith("library")])
def test_a_worker_has_what_the_service_has_and_answers_nobody(name: str) -> None:
    found = variant(name)
    worker = of_kind(workers(found), "Deployment")["spec"]["template"]
    service = deployment(found)["spec"]["template"]
    selector = of_kind(found, "Service")["spec"]["selector"]
    assert not selector.items() <= worker["metadata"]["labels"].items()
    [one], [other] = worker["spec"]["containers"], service["spec"]["containers"]
    assert one["image"] == other["image"]
    assert one["env"] == other["env"]
    assert one["envFrom"] == other["envFrom"] == [{"secretRef": {"name": "library"}}]
    assert one["command"][:3] == ["python", "-m", "engine.library.pipeline.worker"]
    assert "ports" not in one
    assert not one["securityContext"]["allowPrivilegeEscalation"]
    assert worker["spec"]["securityContext"] == service["spec"]["securityContext"]


def test_workers_are_as_many_as_there_is_work_for_and_jobs_in_hand_count() -> None:
    found = workers(variant("library"))
    [trigger] = of_kind(found, "ScaledObject")["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    assert f"FROM {JobRow.__tablename__} WHERE state IN {ACTIVE!r}" in query
    command = of_kind(found, "Deployment")["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[3:] == [trigger["metadata"]["targetQueryValue"]]
    [told] = of_kind(found, "TriggerAuthentication")["spec"]["secretTargetRef"]
    assert told == {"parameter": "connection", "name": "library", "key": "SHAZAM_DATABASE"}
    assert trigger["authenticationRef"]["name"] == found[0]["metadata"]["name"]


def test_nothing_of_the_library_is_in_other_kinds() -> None:
    for name in ("always on", "sound"):
        found = variant(name)
        assert not workers(found)
        assert "envFrom" not in pod(found)["containers"][0]
        assert not environment(found).keys() & {"SHAZAM_LIBRARY", "SHAZAM_STORAGE"}


# GPU and scale


def test_one_switch_makes_it_a_gpu_pod() -> None:
    spec = pod(variant("gpu"))
    container = spec["containers"][0]
    gpu = {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "1"}
    assert container["resources"] == {"requests": gpu, "limits": gpu}
    assert container["startupProbe"]["failureThreshold"] == 120
    assert spec["volumes"][0]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}
    assert environment(variant("gpu"))["SHAZAM_RUNTIME"] == "torch-cuda"
    assert spec["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


@pytest.mark.parametrize("name", VARIANTS)
def test_one_autoscaler_or_none_owns_the_number_of_pods(name: str) -> None:
    found = variant(name)
    owners = [one for one in found if one["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")]
    owned = [owner["spec"]["scaleTargetRef"]["name"] for owner in owners]
    deployments = [one for one in found if one["kind"] == "Deployment"]
    for one in deployments:
        assert owned.count(one["metadata"]["name"]) + ("replicas" in one["spec"]) == 1
    assert set(owned) <= {one["metadata"]["name"] for one in deployments}


def test_from_zero_the_ingress_points_at_the_proxy_that_wakes_pods() -> None:
    found = variant("production from zero")
    path = of_kind(found, "Ingress")["spec"]["rules"][0]["http"]["paths"][0]
    [service] = [
        one
        for one in found
        if one["kind"] == "Service"
        and one["metadata"]["name"] == path["backend"]["service"]["name"]
    ]
    assert service["spec"]["externalName"].startswith("keda-add-ons-http-interceptor-proxy.keda.")
    assert service["spec"]["ports"][0]["port"] == path["backend"]["service"]["port"]["number"]


# What is refused


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("image.repository=ghcr.io/You/Shazam", "/image/repository"),
        ("image.repository=ghcr.io/you/shazam:1.0.0", "/image/repository"),
        ("image.tag=a b", "/image/tag"),
        ("image.digest=sha256:12", "/image/digest"),
        ("imge.tag=1", "imge"),
        ("settings.SHAZAM_MAX_CONCURENCY=4", "SHAZAM_MAX_CONCURENCY"),
        ("settings.SHAZAM_ARTIFACT=x", "SHAZAM_ARTIFACT"),
        ("scaling.mode=vpa", "/scaling/mode"),
        ("scaling.max=0", "/scaling/max"),
        ("scaling.http.hosts={https://covers.example.com}", "/scaling/http/hosts"),
        ("kind=voice", "/kind"),
        ("gpu.enabled=yes", "/gpu/enabled"),
        ("resources.limits.memory=1 GB", "/resources/limits/memory"),
        ("artifact.url=https://bucket/mine.tar", "/artifact/url"),
        ("artifact.path=/mine", "/artifact/path"),
        ("apiKeys.values={a b}", "/apiKeys/values"),
        ("ingress.host=covers", "/ingress/host"),
        ("service.port=99999", "/service/port"),
        ("metrics.podMonitor.credentials.name=x", "/metrics/podMonitor/credentials"),
        ("replicas=3", "replicas"),
    ],
)
def test_a_wrong_value_is_refused_by_name(value: str, name: str) -> None:
    assert name in refusal(*IMAGE, "--set", value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("image.repository=", "image.repository: which image?"),
        ("gpu.enabled=true,image.tag=", "image.tag: the GPU image has a tag of its own"),
        ("kind=sound,gpu.enabled=true,image.tag=a", "gpu.enabled: the image of sound"),
        ("kind=library", "library.existingSecret: which Secret"),
        ("kind=library,library.existingSecret=a", "library.storage: where do files go?"),
        (f"{LIBRARY_OF},library.mode=private", "library.mode: private is private to a key"),
        (f"artifact.url={URL}", "tmp.sizeLimit:"),
        (f"artifact.url={URL},artifact.existingClaim=a,tmp.sizeLimit=4Gi", "artifact: url and"),
        ("apiKeys.existingSecret=a,apiKeys.values={b}", "apiKeys: existingSecret and values"),
        ("scaling.mode=http", "scaling.http.hosts:"),
        ("scaling.min=0", "scaling.min:"),
        ("ingress.enabled=true", "ingress.host:"),
        (f"{INGRESS},ingress.clusterIssuer=a", "ingress.tlsSecret:"),
        (f"{HTTP},ingress.enabled=true,ingress.host=other.example.com", "scaling.http.hosts:"),
        ("metrics.podMonitor.enabled=true,apiKeys.values={b}", "metrics.podMonitor.credentials:"),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_a_way_out(
    values: str, words: str
) -> None:
    assert words in refusal(*IMAGE, "--set", values)


def test_the_schema_knows_every_setting_of_the_service_and_no_other() -> None:
    """A new setting belongs in values.schema.json, below `settings`."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = set(schema["properties"]["settings"]["properties"])
    elsewhere = {"SHAZAM_ARTIFACT", "SHAZAM_SOUND_ARTIFACT", "SHAZAM_API_KEYS", "SHAZAM_RUNTIME"}
    # Values of their own, or what a Secret holds.
    elsewhere |= {"SHAZAM_LIBRARY", "SHAZAM_STORAGE"}
    beside = {**LIBRARY, **VOICE}
    elsewhere |= {PREFIX + name.upper() for name, row in beside.items() if row.secret}
    table = {**VARIABLES, **SOUND, **beside}
    assert known | elsewhere == {PREFIX + variable.upper() for variable in table}
    assert not known & elsewhere


def test_the_schema_knows_every_value_and_takes_the_defaults() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(values)
    assert set(schema["properties"]) == set(values) | {"global"}


def test_a_large_number_stays_a_number(tmp_path: Any) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("settings: {SHAZAM_MAX_UPLOAD_BYTES: 20971520, SHAZAM_LOG_LEVEL: debug}")
    given = environment(render(*IMAGE, "--values", str(values)))
    assert given["SHAZAM_MAX_UPLOAD_BYTES"] == "20971520"
    assert given["SHAZAM_LOG_LEVEL"] == "debug"
