"""What is seen from outside: metrics, logs, traces, and the dashboard and alerts made of them."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from conftest import PROJECT, Serve, Server
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from engine.library.service.figures import SERIES

FOLDER = PROJECT / "deploy" / "observability"
ALERTS = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())


class Collector:
    """Takes OTLP over HTTP and keeps the spans."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def watched(
    serve: Serve, tiny_artifact: Path, covers: Path, collector: Collector
) -> Iterator[tuple[Server, str]]:
    """A server that was asked a little, and its metrics."""
    made = serve(tiny_artifact, SHAZAM_TRACES=collector.url, SHAZAM_LOG_FORMAT="json")
    cover = (covers / "cover-03.png").read_bytes()
    traced = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-ID": "traced"}
    with httpx.Client(base_url=made.url, timeout=20) as client:
        for headers in (traced, {}):
            for path in ("/api/search-by-image", "/api/identify"):
                files = {"file": ("hidden-name.png", cover)}
                assert client.post(path, files=files, headers=headers).status_code == 200
        assert client.get("/api/search-by-text?query=hidden-words").status_code == 200
        metrics = client.get("/metrics").text
    yield made, metrics
    serve.end(made)  # type: ignore[attr-defined]


def expressions() -> list[str]:
    """Every query of the alerts and of the dashboard, its variables filled in."""
    rules = [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]
    targets = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    filled = [query.replace("$__rate_interval", "5m").replace("$job", ".*") for query in targets]
    return rules + filled


@pytest.mark.parametrize("query", expressions())
def test_every_query_parses_and_asks_for_what_the_service_exports(
    watched: tuple[Server, str], query: str
) -> None:
    promql_parser.parse(query)
    exported = set(re.findall(r"^(shazam_\w+)", watched[1], re.MULTILINE)) | set(SERIES)
    asked = set(re.findall(r"\bshazam_\w+", query))
    assert asked
    assert asked <= exported
    labels = set(re.findall(r"(\w+)=", "".join(re.findall(r"\{(.*)\}", watched[1])))) | {
        "job",
        "state",
    }
    grouped = re.findall(r"by \(([\w, ]+)\)", query) + re.findall(r"[{,] ?(\w+)=~?", query)
    assert {label.strip() for part in grouped for label in part.split(",")} <= labels


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool on this machine: apt-get install prometheus")
    return subprocess.run([found, *arguments], cwd=FOLDER, capture_output=True, text=True)


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    run = promtool("check", "rules", "alerts.yaml")
    assert run.returncode == 0, run.stderr
    assert "9 rules found" in run.stdout


def test_the_alerts_fire_when_they_should_and_at_nothing_else() -> None:
    run = promtool("test", "rules", "alerts.test.yaml")
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_alert_is_tried() -> None:
    cases = yaml.safe_load((FOLDER / "alerts.test.yaml").read_text())["tests"]
    tried = [
        (case["alertname"], "exp_alerts" in case) for t in cases for case in t["alert_rule_test"]
    ]
    for rule in ALERTS["groups"][0]["rules"]:
        assert {(rule["alert"], True), (rule["alert"], False)} <= set(tried)


def test_every_alert_says_what_to_do() -> None:
    for rule in ALERTS["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in ("page", "ticket", "info")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_metrics_of_the_promise_are_there(watched: tuple[Server, str]) -> None:
    text = watched[1]
    for stage in ("decode", "queue", "encode", "search", "identify"):
        found = re.search(rf'shazam_stage_seconds_count{{stage="{stage}"}} (\S+)', text)
        assert found, stage
        assert float(found[1]) >= 1, stage
    for part in ("digests", "index", "encoder", "warm-up", "load"):
        assert f'shazam_start_seconds{{part="{part}"}}' in text
    assert re.search(r'shazam_artifact_albums{artifact="\w{16}",', text)
    assert 'shazam_batch_items_count{call="images"}' in text
    assert 'shazam_queue_items{call="images"} 0.0' in text
    assert 'shazam_ready{capability="covers"} 1.0' in text
    told = (FOLDER / "README.md").read_text()
    # Those of sound and of the library are looked for where they are served
    # (tests/whole/test_sound_service.py, tests/library/service/test_service.py).
    assert set(re.findall(r"^# TYPE (shazam_\w+)", text, re.MULTILINE)) == set(
        re.findall(r"`(shazam_\w+?)(?:`|{)", told)
    ) - {"shazam_artifact_tracks"} - set(SERIES)


def test_a_request_is_one_line_of_the_log(watched: tuple[Server, str]) -> None:
    lines = [json.loads(line) for line in watched[0].log.read_text().splitlines() if line[0] == "{"]
    asked = [line for line in lines if line.get("route") == "/api/search-by-image"]
    assert len(asked) == 2
    assert asked[0]["request_id"] == "traced"
    for line in asked:
        assert {"timestamp", "level", "message", "status", "duration_ms"} < set(line)
    assert asked[0]["batch_size"] == 1
    assert "batch_size" not in asked[1]  # found among recent uploads


def test_a_request_is_a_trace_with_its_stages(
    watched: tuple[Server, str], collector: Collector
) -> None:
    wanted = {"decode", "encode", "search", "identify"}
    end = time.monotonic() + 60  # spans are sent every five seconds
    while time.monotonic() < end:
        mine = [span for span in collector.spans if span.trace_id.hex() == TRACE]
        if wanted <= {span.name for span in mine}:
            break
        time.sleep(0.2)
    by_name = {span.name: span for span in mine}
    assert wanted <= set(by_name)
    parents = {span.span_id: span for span in mine}
    assert "/api/search-by-image" in str(parents[by_name["decode"].parent_span_id])
    assert "shazam.request_id" in str(mine)
    assert "hidden" not in str(collector.spans)


def test_loggers_that_bentoml_disabled_speak_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import logging

    from engine.serving.watch.logs import configure_logging

    loggers = [logging.getLogger(name) for name in ("shazam", "shazam.access", "shazam.identify")]
    for logger in loggers:
        monkeypatch.setattr(logger, "disabled", True)
    handlers = list(loggers[0].handlers)
    monkeypatch.setattr(loggers[0], "handlers", handlers)
    monkeypatch.setattr(loggers[0], "propagate", loggers[0].propagate)
    configure_logging("text", "info")
    assert not any(logger.disabled for logger in loggers)


def test_every_logger_is_one_that_has_a_handler() -> None:
    for path in (PROJECT / "engine").rglob("*.py"):
        for name in re.findall(
            r"^\w+ = logging\.getLogger\((.*)\)$", path.read_text(), re.MULTILINE
        ):
            assert re.fullmatch(r"\"shazam(\.\w+)?\"|OURS", name), path
