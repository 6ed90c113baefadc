"""The routes: what a scraper, an orchestrator and a person get, and what an attacker doesn't."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Iterable
from html.parser import HTMLParser

import pytest
import structlog
from prometheus_client.core import Metric
from starlette.applications import Starlette

from exporter.exposition import Exposition
from exporter.health import ProbeEnded
from exporter.model import Result
from exporter.negotiation import Format
from exporter.snapshot import Snapshot
from exporter.web.site import Site
from tests.asgi import Answer, call
from tests.lifecycles import lifecycle
from tests.snapshots import (
    FOREVER,
    HOSTILE_NAMES,
    TIMESTAMP,
    blamed_snapshot,
    failure,
    jail,
    jail_with,
    server,
    snapshot,
    success,
    then,
)

ONLINE = snapshot(success(jail("sshd"), FOREVER))
ROUTES = ("/", "/metrics", "/api/v1/status", "/-/healthy", "/-/ready")


class NothingOwn:
    """No metrics of the exporter's own."""

    def collect(self) -> Iterable[Metric]:
        """None."""
        return []


def site(shown: Snapshot, now: float = 1.0, telemetry_path: str = "/metrics", wall: float = TIMESTAMP) -> Starlette:
    """The application, showing a snapshot at a time."""
    exposition = Exposition(lambda: shown, NothingOwn(), lambda: now)
    return Site(lambda: shown, exposition, telemetry_path, lifecycle(), lambda: now, lambda: wall).application()


def get(path: str, shown: Snapshot = ONLINE, headers: dict[str, str] | None = None, *, now: float = 1.0) -> Answer:
    """The answer to a GET; nothing may have been raised."""
    answer = call(site(shown, now), path, headers)
    assert answer.error is None
    return answer


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
    assert 'href="/f2b/metrics"' in call(application, "/").text


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
    assert "nothing is known of fail2ban" in get("/", now=1e6).text
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


# -- the page


class Page(HTMLParser):
    """The text of the page, cell by cell, and what in it a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._in = tag
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Note it."""
        self._in = ""
        if tag in {"td", "th"}:
            self._in = "tr"

    def handle_data(self, data: str) -> None:
        """Note it."""
        if self._in in {"td", "th"}:
            self.rows[-1][-1] += data


def page(shown: Snapshot, now: float = 1.0, wall: float = TIMESTAMP) -> Page:
    """The page as a browser reads it."""
    return Page(call(site(shown, now, wall=wall), "/").text)


@pytest.mark.parametrize(
    ("shown", "saying"),
    [
        (ONLINE, "fail2ban is online"),
        (snapshot(failure()), "fail2ban is offline: nothing guards this host"),
        (snapshot(failure(Result.TIMEOUT)), "fail2ban does not answer"),
        (snapshot(failure(Result.PERMISSION_DENIED)), "fail2ban can't be asked"),
        (snapshot(), "nothing is known of fail2ban"),
    ],
)
def test_the_page_says_first_how_things_stand(shown: Snapshot, saying: str) -> None:
    answer = get("/", shown)

    assert f"<title>{html.escape(saying)} - fail2ban-exporter</title>" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f"</span> {html.escape(saying)}</h1>" in answer.text


def test_the_page_lists_missing_jails_first_and_then_what_each_does() -> None:
    shown = snapshot(success(jail("sshd", bans=12345), FOREVER, jail_with("odd", ban_time=None)), expected=["nginx"])

    assert page(shown).rows[1:] == [
        ["nginx", "expected, not running", "", "", "", "", ""],
        ["sshd", "running", "4", "12,345", "2", "30", "10m"],
        ["recidive", "running", "4", "50", "2", "30", "permanent"],
        ["odd", "running", "4", "50", "2", "30", ""],
    ]


def test_the_page_says_what_to_do_when_a_probe_failed() -> None:
    assert "Run it as root." in get("/", snapshot(failure(reason="run it as root"))).text


@pytest.mark.parametrize(
    ("jails", "says"),
    [
        pytest.param(
            ["nginx"],
            "fail2ban went down after this jail was activated: nginx. Disable or mend it, then start fail2ban.",
            id="one",
        ),
        pytest.param(
            ["sshd", "nginx"],
            "fail2ban went down after these jails were activated: nginx, sshd. "
            "Disable or mend them, then start fail2ban.",
            id="two",
        ),
    ],
)
def test_the_page_names_at_its_head_the_jails_that_are_blamed_and_what_to_do(jails: list[str], says: str) -> None:
    text = get("/", blamed_snapshot(*jails)).text

    assert says in re.sub("<[^>]*>", "", text)
    assert 'role="alert"' in text
    assert text.index("</h1>") < text.index('role="alert"') < text.index("<table")


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(ONLINE, id="nobody was ever blamed"),
        pytest.param(snapshot(failure()), id="offline without anybody to blame"),
        pytest.param(then(blamed_snapshot("nginx"), ProbeEnded(success(), at=9, timestamp=TIMESTAMP)), id="recovered"),
    ],
)
def test_the_page_blames_nobody_when_nobody_is(shown: Snapshot) -> None:
    assert "alert" not in get("/", shown).text


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (snapshot(success()), "No jail runs."),
        (snapshot(success(jail_count=4)), "Jails that run: 4. This version of fail2ban does not tell their names"),
    ],
)
def test_a_page_without_rows_says_why(shown: Snapshot, says: str) -> None:
    assert says in get("/", shown).text


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (0, "For 0 seconds."),
        (1, "For 1 second."),
        (59.9, "For 59 seconds."),
        (60, "For 1 minute."),
        (7200, "For 2 hours."),
        (86400 * 3, "For 3 days."),
        (-5, "For 0 seconds."),  # the clock was set back
    ],
)
def test_the_page_says_how_long_it_has_been_so(seconds: float, says: str) -> None:
    assert says in call(site(ONLINE, wall=TIMESTAMP + seconds), "/").text


def test_a_stale_page_claims_no_time_since_when() -> None:
    assert "For " not in get("/", now=1e6).text


EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{state}%s"
EVIL_PAGES = {
    "a jail that is blamed": blamed_snapshot(EVIL),
    "a jail": snapshot(success(jail(EVIL))),
    "an expected jail": snapshot(success(), expected=[EVIL]),
    "a reason": snapshot(failure(reason=EVIL)),
    "a version": snapshot(success(server=server(version=EVIL))),
}


@pytest.mark.parametrize("place", EVIL_PAGES)
def test_hostile_text_stays_text(place: str) -> None:
    text = get("/", EVIL_PAGES[place]).text
    read = Page(text)

    assert html.escape(EVIL[1:]) in text  # a reason's first letter becomes a capital
    assert not {"script", "img"} & read.tags
    assert not {name for name in read.attributes if name.startswith("on")}


def test_hostile_jail_names_are_shown_as_they_are() -> None:
    shown = snapshot(success(*map(jail, HOSTILE_NAMES)))

    assert [row[0] for row in page(shown).rows[1:]] == list(HOSTILE_NAMES)


def test_the_page_may_run_and_load_nothing_but_its_own_style() -> None:
    answer = get("/")
    [style] = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))

    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert set(policy) == {"default-src", "base-uri", "form-action", "frame-ancestors", "style-src"}
    assert policy["style-src"] == f"'sha256-{_sha256(style)}'"
    assert not {"script", "link", "img", "iframe", "form"} & Page(answer.text).tags
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_every_link_on_the_page_leads_somewhere() -> None:
    links = re.findall('href="([^"]*)"', get("/").text)

    assert {get(link).status for link in links} == {200}
    assert set(links) == set(ROUTES) - {"/"}


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
