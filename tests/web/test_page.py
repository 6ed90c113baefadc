"""The status page: what a person reads there, and what nobody else can make of it."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import time
from dataclasses import replace

import pytest

from exporter.health import Canary, CanaryResult, ProbeEnded
from exporter.model import Result
from exporter.snapshot import Snapshot
from exporter.web.page import StatusPage, View
from tests.asgi import call
from tests.browser.states import many_jails
from tests.snapshots import (
    FOREVER,
    TIMESTAMP,
    blamed_snapshot,
    canary,
    failure,
    jail,
    jail_with,
    server,
    snapshot,
    success,
    then,
)
from tests.web.markup import Markup
from tests.web.sites import ONLINE, ROUTES, get, site


def page(shown: Snapshot = ONLINE, path: str = "/", *, now: float = 1.0, wall: float = TIMESTAMP) -> Markup:
    """The page as a browser reads it."""
    return Markup(call(site(shown, now, wall=wall), path).text)


# -- the state


@pytest.mark.parametrize(
    ("shown", "headline", "meaning"),
    [
        (ONLINE, "fail2ban is online", "It answers and guards this host."),
        (snapshot(failure()), "fail2ban is offline", "Nothing guards this host."),
        (snapshot(failure(Result.TIMEOUT)), "fail2ban is unresponsive", "gives no valid answer."),
        (snapshot(failure(Result.PERMISSION_DENIED)), "fail2ban is inaccessible", "That says nothing about fail2ban"),
        (snapshot(), "fail2ban's state is unknown", "Nothing is known of it at this time."),
    ],
)
def test_the_first_words_in_the_tab_and_on_the_page_are_the_state(shown: Snapshot, headline: str, meaning: str) -> None:
    text = get("/", shown).text

    assert f"<title>{html.escape(headline)} - fail2ban-exporter</title>" in text
    assert re.search(rf'<h1 id="state"><svg .*?</svg><span>{headline}</span></h1>', text)
    assert meaning in Markup(text).text


def test_each_state_has_a_sign_of_another_shape_or_word() -> None:
    signs = {
        re.findall(r'<h1 id="state"><svg [^>]*><use href="([^"]*)"', get("/", snapshot(probe)).text)[0]
        for probe in (success(jail()), failure(), failure(Result.TIMEOUT), failure(Result.PERMISSION_DENIED))
    }

    assert signs == {"#tick", "#cross", "#triangle", "#question"}


def test_the_tab_shows_the_state_too_without_a_request() -> None:
    icons = {page(snapshot(probe)).all("link")[0]["href"] for probe in (success(jail()), failure())}

    assert len(icons) == 2
    assert all(icon.startswith("data:image/svg+xml,") for icon in icons)


def test_it_says_what_happened_and_what_to_do_when_a_probe_failed() -> None:
    text = page(snapshot(failure(reason="no socket at /x: is it right?"))).text

    assert "No socket at /x: is it right?" in text
    assert "What to do: Start it: systemctl start fail2ban." in text


def test_before_the_first_probe_it_says_so() -> None:
    text = page(snapshot()).text

    assert "No probe has ended yet." in text
    assert "A probe ends within 10s." in text
    assert "The first probe is under way." in text
    assert "since" not in text


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (0, "For 0 seconds, since 2023-11-14 22:13:20 UTC."),
        (1, "For 1 second, since"),
        (59.9, "For 59 seconds, since"),
        (60, "For 1 minute, since"),
        (7200, "For 2 hours, since"),
        (86400 * 3, "For 3 days, since"),
        (-5, "For 0 seconds, since"),  # the clock was set back
    ],
)
def test_it_says_since_when_it_has_been_so(seconds: float, says: str) -> None:
    assert says in page(wall=TIMESTAMP + seconds).text


def test_a_stale_page_claims_no_time_since_when_and_no_figure() -> None:
    stale = page(now=1e6)

    assert "For " not in stale.text
    assert stale.rows == []
    assert "Banned now" not in stale.text


def test_the_time_goes_on_while_the_snapshot_stays() -> None:
    shown = StatusPage("/metrics")

    texts = [Markup(shown.render(ONLINE, View(), TIMESTAMP + seconds)).text for seconds in (1, 2)]

    assert ["For 1 second," in texts[0], "For 2 seconds," in texts[1]] == [True, True]


# -- who is to blame


@pytest.mark.parametrize(
    ("jails", "says"),
    [
        pytest.param(["nginx"], "fail2ban went down after this jail was activated:nginx 1 minute ago", id="one"),
        pytest.param(
            ["sshd", "nginx"],
            "fail2ban went down after these jails were activated:nginx 1 minute agosshd 1 minute ago",
            id="two",
        ),
    ],
)
def test_the_jails_that_are_blamed_come_right_after_the_state_with_what_to_do(jails: list[str], says: str) -> None:
    read = page(blamed_snapshot(*jails), wall=TIMESTAMP + 63)

    assert says in read.text
    assert "Mend the jail, or disable it: enabled = false in its section." in read.text
    headings = [attributes.get("id") for tag, attributes in read.tags if tag in {"h1", "h2"}]
    assert headings[:2] == ["state", "pending"]
    assert "recovery pending - fail2ban-exporter</title>" in get("/", blamed_snapshot(*jails)).text


def test_of_very_many_blamed_jails_some_are_named_and_the_rest_counted() -> None:
    assert "jail-19 0 seconds agoand 5 more" in page(blamed_snapshot(*(f"jail-{n:02}" for n in range(25)))).text


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(ONLINE, id="nobody was ever blamed"),
        pytest.param(snapshot(failure()), id="offline without anybody to blame"),
        pytest.param(then(blamed_snapshot("nginx"), ProbeEnded(success(), at=9, timestamp=TIMESTAMP)), id="recovered"),
    ],
)
def test_nobody_is_blamed_when_nobody_is(shown: Snapshot) -> None:
    assert "pending" not in get("/", shown).text


# -- what else is wrong


def test_online_is_not_called_well_while_something_is_wrong() -> None:
    shown = replace(snapshot(success(jail(), jail_with("idle", actions=0)), expected=["nginx"]), config_faults=2)
    text = get("/", shown).text

    assert "<title>fail2ban is online, 3 warnings - fail2ban-exporter</title>" in text
    assert "It answers, but not all is well." in text
    assert "1 jail is enabled or expected, and not running." in text
    assert "1 jail has no action: a ban there blocks nobody." in text
    assert "2 files of fail2ban&#x27;s configuration can&#x27;t be read or parsed." in text


def test_without_a_warning_there_is_none() -> None:
    assert "Warning" not in get("/").text


# -- figures


def test_the_figures_of_all_jails_stand_above_the_table() -> None:
    text = page(snapshot(success(jail(bans=12_345), FOREVER)), wall=TIMESTAMP + 4).text

    assert "Jails running2 " in f"{text} ".replace("Banned", " Banned")
    assert "Banned now812,395 bans since the start" in text
    assert "Failing now460 failures since the start" in text
    assert "fail2ban1.1.0up for 1157 days, process 42" in text.replace("1,157", "1157")
    assert "Latest probe4 seconds agotook 2.00 ms" in text


def test_the_bans_of_the_canary_are_none_of_the_hosts() -> None:
    shown = replace(snapshot(success(jail(bans=12_345), FOREVER)), canary=Canary.initial(300.0, 60.0, FOREVER.name))

    assert "Banned now412,345 bans since the start" in page(shown).text


@pytest.mark.parametrize(
    ("result", "says"),
    [
        pytest.param(CanaryResult.SUCCESS, "Canarybanned in 750 ms5 seconds ago", id="banned"),
        pytest.param(CanaryResult.TIMEOUT, "Canarynot banned5 seconds ago", id="not banned"),
    ],
)
def test_the_canarys_latest_attack_stands_among_the_figures(result: CanaryResult, says: str) -> None:
    shown = page(replace(ONLINE, canary=canary(result)), wall=TIMESTAMP + 5)

    assert says in " ".join(shown.text.split())
    assert ("was not banned in time" in shown.text) is (result is CanaryResult.TIMEOUT)


def test_a_canary_that_is_off_or_has_not_attacked_yet_is_not_mentioned() -> None:
    for shown in (ONLINE, replace(ONLINE, canary=Canary.initial(300.0, 60.0))):
        assert "anary" not in page(shown).text


def test_offline_it_says_when_fail2ban_answered_last() -> None:
    shown = then(snapshot(success(jail())), ProbeEnded(failure(), at=60, timestamp=TIMESTAMP + 60))

    text = page(shown, wall=TIMESTAMP + 61).text

    assert "Last answered1 minute ago1 failed probe since" in text
    assert "Banned now" not in text


# -- hostile text

EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&{state}%s"
EVIL_PAGES = {
    "a jail that is blamed": blamed_snapshot(EVIL),
    "a jail": snapshot(success(jail(EVIL))),
    "an expected jail": snapshot(success(), expected=[EVIL]),
    "a reason": snapshot(failure(reason=EVIL)),
    "a version": snapshot(success(jail(), server=server(version=EVIL))),
}


@pytest.mark.parametrize("place", EVIL_PAGES)
def test_hostile_text_stays_text(place: str) -> None:
    text = get("/", EVIL_PAGES[place]).text
    read = Markup(text)

    assert html.escape(EVIL[1:]) in text  # a reason's first letter becomes a capital
    assert not {"script", "img"} & {tag for tag, _ in read.tags}
    assert [name for _, attributes in read.tags for name in attributes if name.startswith("on")] == []


@pytest.mark.parametrize(
    "query",
    ['?sort="><script>', "?refresh=<script>", "?order='onload='x", "?sort=\x00", "?" + "&".join(["sort=x"] * 5000)],
)
def test_a_hostile_query_is_nowhere_on_the_page(query: str) -> None:
    assert get("/" + query).text == get("/").text


# -- what the browser may do


def test_it_may_run_and_load_nothing_but_its_own_style_and_icon() -> None:
    answer = get("/")
    [style] = re.findall("<style>(.*?)</style>", answer.text, re.DOTALL)
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert policy == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "img-src": "data:",
        "style-src": f"'sha256-{digest}'",
    }
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_nothing_on_it_would_be_blocked_by_that_policy() -> None:
    read = page(many_jails(3))

    assert not {"script", "img", "iframe", "form", "object"} & {tag for tag, _ in read.tags}
    assert [attributes for _, attributes in read.tags if "style" in attributes] == []
    assert [attributes["rel"] for attributes in read.all("link")] == ["icon"]


# -- links, and loading it anew


def test_every_link_on_the_page_leads_somewhere_also_behind_a_proxys_prefix() -> None:
    links = [link.partition("#")[0] for link in page().links()]

    assert [link for link in links if not link.startswith("./")] == []
    assert {get(link.removeprefix(".")).status for link in links} == {200}
    assert {link.removeprefix(".") for link in links if "?" not in link} == set(ROUTES)


def test_it_is_loaded_anew_only_for_those_who_ask() -> None:
    usual, asked = get("/"), get("/?refresh=10&sort=bans")

    assert "refresh" not in usual.headers
    assert "http-equiv" not in usual.text
    assert asked.headers["refresh"] == "10"
    assert "./?refresh=10" in Markup(usual.text).links()
    assert "./?sort=bans&order=desc" in Markup(asked.text).links()  # stops it, and keeps the order
    assert "./?sort=name&order=asc&refresh=10#jails" in Markup(asked.text).links()


@pytest.mark.parametrize("value", ["", "0", "1", "10.0", "010", "99999999999999999999", "x"])
def test_how_often_is_not_for_the_query_to_say(value: str) -> None:
    assert "refresh" not in get(f"/?refresh={value}").headers


# -- for everybody


def test_it_is_built_of_landmarks_and_headings_in_order() -> None:
    read = page(blamed_snapshot("nginx"))
    tags = [tag for tag, _ in read.tags]

    assert read.all("html") == [{"lang": "en"}]
    assert [tags.count(landmark) for landmark in ("header", "main", "nav", "footer")] == [1, 1, 1, 1]
    assert [tag for tag in tags if re.fullmatch("h[1-6]", tag)] == ["h1", "h2", "h2", "h2"]
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named_by = {attributes["aria-labelledby"] for _, attributes in read.tags if "aria-labelledby" in attributes}
    assert named_by <= set(ids)


def test_nothing_but_the_region_that_scrolls_is_put_into_the_order_of_tabs() -> None:
    focusable = [attributes for _, attributes in page().tags if "tabindex" in attributes]

    assert focusable == [{"class": "scroll", "role": "region", "aria-labelledby": "jails", "tabindex": "0"}]


# -- its cost


def test_2000_jails_are_rendered_once_for_a_snapshot_and_cost_little_to_show_again_in_any_order() -> None:
    shown = many_jails(2000)
    views = {"first": View(), "again": View(), "in another order": View.from_query({"sort": "bans"})}
    costs = dict.fromkeys(views, 1.0)
    for _ in range(5):
        status_page = StatusPage("/metrics")
        for what, view in views.items():
            started = time.thread_time()
            status_page.render(shown, view, TIMESTAMP)
            costs[what] = min(costs[what], time.thread_time() - started)

    print({what: f"{seconds * 1000:.1f} ms" for what, seconds in costs.items()})
    assert costs["again"] < 0.5 * costs["first"]
    assert costs["in another order"] < 0.5 * costs["first"]
