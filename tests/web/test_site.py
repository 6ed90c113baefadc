"""The routes: what a scraper, an orchestrator and a person get, and what an attacker doesn't."""

from __future__ import annotations

import gzip
import json

import pytest
import structlog

from exporter.exposition import Exposition
from exporter.negotiation import Format
from exporter.snapshot import Snapshot
from exporter.web.site import Site
from tests.asgi import call
from tests.lifecycles import lifecycle
from tests.snapshots import TIMESTAMP, blamed_snapshot, failure, snapshot, success
from tests.web.sites import ONLINE, ROUTES, NothingOwn, get, site

# -- which routes there are


@pytest.mark.parametrize("path", ROUTES)
def test_a_route_answers_get_and_head_alike(path: str) -> None:
    head = call(site(ONLINE), path, method="HEAD")

    assert get(path).status == head.status == 200
    assert head.headers == get(path).headers


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "NONSENSE"])
def test_another_method_is_405_and_says_which_are_allowed(path: str, method: str) -> None:
    answer = call(site(ONLINE), path, method=method)

    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert answer.error is None


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/metrics/",
        "/metrics/x",
        "/-/healthy/",
        "/-/",
        "//metrics",
        "//evil.example/",
        "/Metrics",
        "/%2e%2e/etc/passwd",
        "/../etc/passwd",
        "/api/v1",
        "/favicon.ico",
        "/\x00",
        "/é",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_anything_else_is_404_without_a_redirect_that_echoes_the_host(path: str, method: str) -> None:
    answer = call(site(ONLINE), path, {"Host": "evil.example"}, method=method)

    assert answer.status == 404
    assert "location" not in answer.headers
    assert "evil" not in answer.text


def test_the_metrics_are_where_the_setting_says_and_only_there() -> None:
    application = site(ONLINE, telemetry_path="/f2b/metrics")

    assert "fail2ban_up 1.0" in call(application, "/f2b/metrics").text
    assert call(application, "/metrics").status == 404
    assert 'href="./f2b/metrics"' in call(application, "/").text


def test_a_telemetry_path_with_markup_in_it_stays_a_link() -> None:
    answer = call(site(ONLINE, telemetry_path='/"><script>'), "/")

    assert "<script>" not in answer.text


# -- /metrics


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Format.TEXT_0_0_4),
        ("application/openmetrics-text;version=1.0.0", Format.OPENMETRICS_1_0_0),
        ("text/plain;version=1.0.0;q=0.5", Format.TEXT_1_0_0),
    ],
)
def test_metrics_come_in_the_format_asked_for_and_say_so(accept: str, form: Format) -> None:
    answer = get("/metrics", headers={"Accept": accept})

    assert answer.headers["content-type"] == form.value
    assert "Accept" in answer.headers["vary"]
    assert answer.text.endswith("# EOF\n") is form.is_openmetrics


def test_metrics_are_compressed_for_those_who_take_it_and_plain_for_others() -> None:
    packed, plain = get("/metrics", headers={"Accept-Encoding": "gzip"}), get("/metrics")

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) == int(packed.headers["content-length"])


def test_names_filter_the_metrics() -> None:
    text = get("/metrics?name[]=fail2ban_up&name%5B%5D=fail2ban_jails&other=x").text

    assert [line for line in text.splitlines() if not line.startswith("#")] == ["fail2ban_up 1.0", "fail2ban_jails 2.0"]


def test_a_query_of_many_names_is_answered() -> None:
    assert get("/metrics?" + "&".join(["name[]=x"] * 5000)).status == 200


# -- /api/v1/status


def test_the_status_is_json_that_nobody_caches() -> None:
    answer = get("/api/v1/status")

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert json.loads(answer.body)["state"] == "online"


def test_a_stale_snapshot_is_live_on_no_route() -> None:
    assert json.loads(get("/api/v1/status", now=1e6).body)["state"] == "unknown"
    assert "fail2ban_up 0.0" in get("/metrics", now=1e6).text
    assert "state is unknown" in get("/", now=1e6).text
    assert "sshd" not in get("/", now=1e6).text


def test_the_status_names_the_jails_that_are_blamed() -> None:
    document = json.loads(get("/api/v1/status", blamed_snapshot("nginx", "sshd")).body)

    assert document["state"] == "offline"
    assert document["pending_recoveries"] == [
        {"jail": "nginx", "detected_timestamp_seconds": TIMESTAMP + 3},
        {"jail": "sshd", "detected_timestamp_seconds": TIMESTAMP + 3},
    ]


# -- /-/healthy and /-/ready


@pytest.mark.parametrize(
    ("shown", "now", "status"),
    [
        pytest.param(snapshot(beat=0), 0, 200, id="just started"),
        pytest.param(snapshot(beat=0), 99.9, 200, id="the first probe takes its time"),
        pytest.param(snapshot(beat=0), 100, 503, id="no first probe ever ended"),
        pytest.param(snapshot(success(), beat=1000), 1099, 200, id="beats"),
        pytest.param(snapshot(success(), beat=1000), 1100, 503, id="three intervals and the timeout without a beat"),
        pytest.param(snapshot(failure(), beat=1000), 1001, 200, id="fail2ban is down, the exporter is not"),
    ],
)
def test_healthy_is_the_exporter_and_not_fail2ban(shown: Snapshot, now: float, status: int) -> None:
    answer = get("/-/healthy", shown, now=now)

    assert status == answer.status
    assert ("has not beaten for 100 s" in answer.text) is (status == 503)


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        pytest.param(snapshot(), 503, id="before the first probe"),
        pytest.param(snapshot(success()), 200, id="after a success"),
        pytest.param(snapshot(failure()), 200, id="after a failure"),
    ],
)
def test_ready_is_once_a_first_probe_has_ended_either_way(shown: Snapshot, status: int) -> None:
    assert get("/-/ready", shown).status == status


# -- when it fails itself


def test_an_error_of_the_exporter_is_a_500_without_details_and_a_log_line_with_them() -> None:
    def broken() -> Snapshot:
        raise RuntimeError("hunter2")

    application = Site(broken, Exposition(broken, NothingOwn()), "/metrics", lifecycle()).application()
    with structlog.testing.capture_logs() as lines:
        answer = call(application, "/api/v1/status")

    assert answer.status == 500
    assert "hunter2" not in answer.text
    assert [(line["event"], line["path"]) for line in lines] == [("request_failed", "/api/v1/status")]
