"""deploy/'s READMEs: every block of shell in, the commands it would have sent to a platform out.

Each block runs by itself, in a copy of deploy/, with stand-ins for the platforms' tools on PATH
that write down their arguments, their standard input and every file they were given. What reached
a tool must be what its platform takes, and no placeholder may ever reach one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PROJECT
from manifests import DEPLOY, HELM, fits, kubernetes_takes

FOLDERS = ["", *sorted(path.parent.name for path in DEPLOY.glob("*/README.md"))]
PLATFORMS = [name for name in FOLDERS if name not in ("", "observability")]
TOOLS = ("kubectl", "helm", "gcloud", "az", "aws", "fly", "railway", "bentoml", "docker", "make")
TOOLS += ("pip", "python", "first-query.sh")
# What a reader must have set before: who may pull. Everything else a block says itself.
READERS = {"GHCR_USER": "you", "GHCR_TOKEN": "ghp_notARealOne"}
PLACEHOLDER = re.compile(r"YOUR-|\bTAG(-gpu)?\b|<[a-z-]+>|\bOWNER\b")

# What a tool answers, where a block goes on with it: (words that its arguments hold, the answer).
ANSWERS = [
    ("config get-value project", "my-project"),
    ("projects describe", "123456789012"),
    ("services describe", "https://shazam-visual-abc.a.run.app"),
    ("jsonpath={.status.url}", "http://shazam-visual.default.example.org"),
    ("get-caller-identity", "123456789012"),
    ("get-login-password", "a-password"),
    ("describe-vpcs", "vpc-0123"),
    ("describe-subnets", "subnet-1,subnet-2"),
    ("describe-stacks", "http://balancer.eu-central-1.elb.amazonaws.com"),
    ("create-secret", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shazam-keys-AbCdEf"),
    ("ingress.fqdn", "shazam-visual.westeurope.azurecontainerapps.io"),
    ("railway domain", "Service Domain created:\nhttps://shazam-visual-1a2b.up.railway.app"),
    ("get_endpoint_urls", "https://shazam-visual-xyz.mt-1.bentoml.ai"),
    ("imagetools inspect", '"sha256:' + "0c" * 32 + '"'),
]

# Of the environment, what a tool may read.
SEEN = ("IMAGE", "SHAZAM_API_KEYS", "KEY", "HOST", "POSTGRES_PASSWORD", "S3_SECRET_KEY")
STAND_IN = f"""#!{sys.executable}
import json, os, pathlib, select, stat, sys
name = pathlib.Path(sys.argv[0]).name
kind = stat.S_IFMT(os.fstat(0).st_mode)
files = {{}}
for argument in sys.argv[1:]:
    for word in (argument, argument.partition("=")[2]):
        if word and pathlib.Path(word).is_file():
            files[word] = pathlib.Path(word).read_text()
for path in pathlib.Path().iterdir():
    if name == "railway" and path.is_file():
        files[path.name] = path.read_text()
call = {{
    "tool": name,
    "arguments": sys.argv[1:],
    "stdin": sys.stdin.read() if kind in (stat.S_IFIFO, stat.S_IFREG) else "",
    "files": files,
    "environment": {{key: os.environ[key] for key in {SEEN!r} if key in os.environ}},
}}
with open(os.environ["CALLS"], "a") as log:
    log.write(json.dumps(call) + "\\n")
line = " ".join([name, *sys.argv[1:]])
for words, answer in {ANSWERS!r}:
    if words in line:
        print(answer)
        break
"""


@dataclass(frozen=True)
class Call:
    """One command that a platform's tool was given."""

    tool: str
    arguments: list[str]
    stdin: str
    files: dict[str, str]
    environment: dict[str, str]

    @property
    def line(self) -> str:
        return " ".join([self.tool, *self.arguments])

    def option(self, *names: str) -> list[str]:
        """The values of an option, whichever of its names and of its two spellings was used."""
        found = []
        for position, argument in enumerate(self.arguments):
            if argument in names:
                found.append(self.arguments[position + 1])
            elif argument.split("=")[0] in names:
                found.append(argument.partition("=")[2])
        return found


def blocks(folder: str) -> list[str]:
    text = (DEPLOY / folder / "README.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)


BLOCKS = [
    pytest.param(folder, number, id=f"{folder or 'deploy'}-{number}")
    for folder in FOLDERS
    for number in range(len(blocks(folder)))
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a clone of this repository, and tools that write down what they are told."""
    root = tmp_path_factory.mktemp("desk")
    shutil.copytree(DEPLOY, root / "clone" / "deploy")
    recipes = ("bentofile.yaml", "bentofile.gpu.yaml", "bentofile.sound.yaml")
    for name in ("requirements", *recipes, "Makefile"):
        os.symlink(PROJECT / name, root / "clone" / name)
    (root / "clone" / ".venv" / "bin").mkdir(parents=True)
    (root / "clone" / ".venv" / "bin" / "activate").write_text("")
    (root / "tools").mkdir()
    for name in TOOLS:
        path = root / "tools" / name
        path.write_text(STAND_IN)
        path.chmod(0o755)
    shutil.copy(root / "tools" / "first-query.sh", root / "clone" / "deploy" / "first-query.sh")
    return root


_CALLS: dict[tuple[str, int], list[Call]] = {}


def calls(desk: Path, folder: str, number: int) -> list[Call]:
    """What one block told the tools, in order. It runs once, and stops at its first failure."""
    if (folder, number) not in _CALLS:
        _CALLS[folder, number] = _run(desk, folder, number)
    return _CALLS[folder, number]


def _run(desk: Path, folder: str, number: int) -> list[Call]:
    log = desk / f"calls-{folder}-{number}"
    log.touch()
    environment = READERS | {
        "PATH": f"{desk / 'tools'}:/usr/bin:/bin",
        "CALLS": str(log),
        "HOME": str(desk),
        "PYTHONPATH": "",
    }
    # A reader has run the blocks above it: what they left in build/ is there.
    (desk / "clone" / "build" / "railway").mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", blocks(folder)[number] + "\nwait\n"],
        cwd=desk / "clone",
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return [Call(**json.loads(line)) for line in log.read_text().splitlines()]


def everything(call: Call) -> str:
    return "\n".join([call.line, call.stdin, *call.files.values(), *call.environment.values()])


# What every block must hold to


@pytest.mark.parametrize(("folder", "number"), BLOCKS)
def test_a_block_runs_by_itself_and_no_placeholder_reaches_a_tool(
    desk: Path, folder: str, number: int
) -> None:
    told = calls(desk, folder, number)
    assert told, "a block that tells no tool anything"
    for call in told:
        found = PLACEHOLDER.search(without_comments(everything(call)))
        assert found is None, f"{found} reaches: {call.line}"


def without_comments(text: str) -> str:
    return re.sub(r"(^|\s)#.*$", "", text, flags=re.M)


FILES = ("-f", "--filename", "--file", "--patch-file", "--values", "--config", "--yaml")
FILES += ("--template-file", "--config-file")


@pytest.mark.parametrize(("folder", "number"), BLOCKS)
def test_every_file_that_a_tool_is_given_is_there(desk: Path, folder: str, number: int) -> None:
    for call in calls(desk, folder, number):
        for name in call.option(*FILES):
            assert name == "-" or name in call.files, f"no file {name}: {call.line}"
        for argument in call.arguments:
            if argument.startswith(("deploy/", "requirements/")):
                assert (desk / "clone" / argument).exists() or argument in call.files, call.line


@pytest.mark.parametrize(("folder", "number"), BLOCKS)
def test_a_version_is_named_for_what_is_installed(desk: Path, folder: str, number: int) -> None:
    for call in calls(desk, folder, number):
        if call.tool == "helm" and call.arguments[0] in ("install", "upgrade"):
            assert is_ours(call) or call.option("--version"), call.line
        for image in call.option("--image"):
            assert re.search(r":\d|@sha256:", image), call.line


# What a platform would take


def is_ours(call: Call) -> bool:
    return call.tool == "helm" and "deploy/kubernetes/chart" in call.arguments


@pytest.mark.parametrize(("folder", "number"), BLOCKS)
def test_a_platform_takes_what_it_is_given(desk: Path, folder: str, number: int) -> None:
    for call in calls(desk, folder, number):
        if call.tool == "kubectl" and call.arguments[0] in ("apply", "patch", "create"):
            names = call.option("-f", "--filename", "--patch-file")
            for text in (call.stdin if name == "-" else call.files[name] for name in names):
                for one in yaml.safe_load_all(text):
                    kubernetes_takes(one)
        elif is_ours(call):
            ours_renders(desk, call)
        elif call.line.startswith("gcloud run services replace"):
            fits(yaml.safe_load(call.files[call.arguments[3]]), "cloud-run-service")
        elif call.line.startswith("az containerapp create"):
            fits(yaml.safe_load(only_file(call)), "azure-container-app")
        elif call.line.startswith("fly deploy"):
            fits(tomllib.loads(only_file(call)), "fly")
            assert call.option("--app")
            assert call.option("--image")
        elif call.line.startswith("docker compose"):
            for text in call.files.values():
                fits(composed(text, call.environment), "compose")
        elif call.line == "railway up":
            fits(json.loads(call.files["railway.json"]), "railway")
            assert call.files["Dockerfile"].count("\nFROM ghcr.io/you/") == 1


def only_file(call: Call) -> str:
    [text] = call.files.values()
    return text


def composed(text: str, environment: dict[str, str]) -> Any:
    """A Compose file with its variables, those that must be set being set."""

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found.groups()
        if name not in environment:
            assert operator == ":-", f"{name} {rest}"
        return environment.get(name, rest)

    return yaml.safe_load(re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", value, text))


def ours_renders(desk: Path, call: Call) -> None:
    """The real helm makes of these very arguments what Kubernetes takes."""
    if HELM is None:
        pytest.skip("no helm here: `make helm` brings it")
    assert call.arguments[:2] == ["upgrade", "--install"]
    done = subprocess.run(
        [HELM, "template", *call.arguments[2:]],
        cwd=desk / "clone",
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(desk)},
    )
    assert done.returncode == 0, done.stderr
    for one in filter(None, yaml.safe_load_all(done.stdout)):
        kubernetes_takes(one)


# What every platform's README tells


def all_calls(desk: Path, folder: str) -> list[Call]:
    return [call for number in range(len(blocks(folder))) for call in calls(desk, folder, number)]


@pytest.mark.parametrize("folder", PLATFORMS)
def test_every_platform_is_told_where_keys_go(desk: Path, folder: str) -> None:
    if folder == "bentocloud":
        assert "SHAZAM_API_KEYS" in (DEPLOY / folder / "README.md").read_text()
        return
    told = all_calls(desk, folder)
    # A key of 24 random bytes, in a command or in the environment of one.
    assert [one for one in told if re.search(r"\b[0-9a-f]{48}\b", everything(one))]
    assert (
        "SHAZAM_API_KEYS"
        in "\n".join(map(everything, told))
        + "\n".join(name for one in told for name in one.environment)
        + (DEPLOY / folder / "README.md").read_text()
    )


@pytest.mark.parametrize("folder", PLATFORMS)
def test_every_platform_can_pull_from_a_private_registry_or_says_that_it_cannot(
    desk: Path, folder: str
) -> None:
    logs_in = [one for one in all_calls(desk, folder) if READERS["GHCR_TOKEN"] in everything(one)]
    own_registry = [one for one in all_calls(desk, folder) if one.line.startswith("docker push")]
    text = (DEPLOY / folder / "README.md").read_text()
    said = {"railway": "make the package public", "bentocloud": "No registry is asked"}
    assert logs_in or own_registry or said[folder] in text


def test_the_address_that_is_asked_is_the_one_that_the_platform_gave(desk: Path) -> None:
    given = {"railway": "https://shazam-visual-1a2b.up.railway.app"}
    given |= {"cloud-run": "https://shazam-visual-abc.a.run.app"}
    given |= {"azure-container-apps": "https://shazam-visual.westeurope.azurecontainerapps.io"}
    for folder, url in given.items():
        [asked, *_] = [one for one in all_calls(desk, folder) if one.tool == "first-query.sh"]
        assert asked.arguments == [url]


def test_a_gpu_never_gets_the_image_for_cpus(desk: Path) -> None:
    """A GPU file or switch, and the image of the GPU recipe: neither starts without the other."""
    for folder in PLATFORMS:
        for call in all_calls(desk, folder):
            images = re.findall(
                r"(?:image: ?\"?|image\.tag=)(\S+)", without_comments(everything(call))
            )
            images = [one for one in images if "shazam" in one or one[0].isdigit()]
            asks_for_gpu = "torch-cuda" in everything(call) or "gpu.enabled=true" in call.line
            if asks_for_gpu and folder not in ("bentocloud", "compose"):
                assert images, call.line
                assert all("-gpu" in one for one in images), call.line


# The check itself


def test_the_check_sees_a_placeholder_that_reaches_a_live_command(desk: Path) -> None:
    """As deploy/kubernetes/README.md once patched a running Deployment."""
    patch = "image: ghcr.io/YOUR-ORG/shazam-visual:TAG-gpu"
    call = Call("kubectl", ["patch", "--patch-file", "gpu.yaml"], "", {"gpu.yaml": patch}, {})
    assert PLACEHOLDER.search(without_comments(everything(call)))
    assert not PLACEHOLDER.search(without_comments("a: 1  # YOUR-ORG is replaced"))
