"""Whoever is on call must be told what befell the guard, of which host and by which jail, and when it is over."""

import re
from datetime import timedelta

import pytest

from tests.end_to_end.hosts import FLOODED, GOOD, Guarded
from tests.end_to_end.stage import Observer
from tests.end_to_end.story import BROKEN, LATE, Story
from tests.monitoring.prometheus import JOB
from tests.monitoring.webhook import Notification

# The first of these waits for the whole story, some three minutes.
pytestmark = pytest.mark.timeout(timedelta(minutes=15).total_seconds())


def the_whole_of_it(
    story: Story, chapter: str, observer: Observer, alert: str, host: Guarded, **labels: str
) -> tuple[Notification, Notification]:
    """What was told of an alert that began to fire in a chapter: that it does, and that it doesn't any more."""
    told = [
        one
        for one in story.told(chapter, observer, alert, host)
        if labels.items() <= one.labels.items() and one.starts_at >= story.chapter(chapter).start
    ]
    firing = next(one for one in told if one.status == "firing")
    resolved = next(one for one in told if one.status == "resolved" and one.starts_at == firing.starts_at)
    assert firing.received < resolved.received
    return firing, resolved


def labels(alert: str, host: Guarded, severity: str, **others: str) -> dict[str, str]:
    return {"alertname": alert, "job": JOB, "instance": host.instance, "severity": severity} | others


def hosts(story: Story) -> list[Guarded]:
    return [story.stage.old, story.stage.new]


def test_a_jail_that_keeps_fail2ban_down_is_named_to_whoever_is_woken_until_fail2ban_is_back(
    story: Story, observer: Observer
) -> None:
    for host in hosts(story):
        firing, resolved = the_whole_of_it(
            story, "pending recovery", observer, "Fail2banPendingRecovery", host, jail=BROKEN.name
        )

        assert labels("Fail2banPendingRecovery", host, "critical", jail=BROKEN.name) == firing.labels
        assert firing.labels == resolved.labels
        assert firing.receiver == "wake-somebody"
        for annotation in ("summary", "description"):
            assert re.search(rf"\bjail {BROKEN.name}\b", firing.annotations[annotation], re.IGNORECASE)
            assert host.instance in firing.annotations[annotation]
        assert firing.annotations["runbook_url"].endswith("/dashboards/runbooks.md#fail2banpendingrecovery")


def test_a_fail2ban_that_is_down_wakes_somebody_until_it_is_back(story: Story, observer: Observer) -> None:
    for host in hosts(story):
        firing, resolved = the_whole_of_it(story, "down", observer, "Fail2banDown", host)

        assert labels("Fail2banDown", host, "critical") == firing.labels == resolved.labels
        assert firing.receiver == "wake-somebody"
        assert host.instance in firing.annotations["summary"]


def test_nobody_is_told_what_follows_from_an_outage_while_it_lasts(story: Story, observer: Observer) -> None:
    story.chapter("down")  # in which Alertmanager was seen to keep the flood to itself because of the outage
    told = observer.webhook.received()
    flood = [one for one in told if one.is_of("Fail2banFailureSurge", jail=FLOODED)]
    outage = [one for one in told if one.is_of("Fail2banDown", instance=story.stage.old.instance)]

    assert outage[0].received < story.stage.marks["down no more"]
    assert [one for one in flood if one.received < story.stage.marks["down no more"]] == []


def test_a_fail2ban_that_crashes_again_and_again_wakes_somebody_until_it_stays_up(
    story: Story, observer: Observer
) -> None:
    host = story.stage.new
    story.chapter("crash loop is over")

    firing, resolved = the_whole_of_it(story, "crash loop", observer, "Fail2banCrashLoop", host)

    assert labels("Fail2banCrashLoop", host, "critical") == firing.labels == resolved.labels
    assert firing.receiver == "wake-somebody"
    assert host.instance in firing.annotations["summary"]
    assert "is online right now" in firing.annotations["description"]


def test_a_crash_whose_restarts_are_refused_before_there_is_a_socket_is_a_crash_loop_too(
    story: Story, observer: Observer
) -> None:
    host = story.stage.old

    firing, resolved = the_whole_of_it(story, "starts refused", observer, "Fail2banCrashLoop", host)

    assert labels("Fail2banCrashLoop", host, "critical") == firing.labels == resolved.labels
    assert "is not online" in firing.annotations["description"]


def test_a_jail_that_is_enabled_or_expected_and_does_not_run_is_named_until_it_does(
    story: Story, observer: Observer
) -> None:
    for host, jail in ((story.stage.old, LATE), (story.stage.new, GOOD[0])):
        firing, resolved = the_whole_of_it(story, "jail down", observer, "Fail2banJailDown", host, jail=jail.name)

        assert labels("Fail2banJailDown", host, "warning", jail=jail.name) == firing.labels == resolved.labels
        assert firing.receiver == "working-hours"
        assert jail.name in firing.annotations["summary"]
        assert host.instance in firing.annotations["summary"]


def test_a_log_file_that_is_missing_is_told_by_its_jail_until_it_is_there_again(
    story: Story, observer: Observer
) -> None:
    for host in hosts(story):
        jail = GOOD[1].name
        firing, resolved = the_whole_of_it(
            story, "log file missing", observer, "Fail2banLogFileMissing", host, jail=jail
        )

        assert labels("Fail2banLogFileMissing", host, "warning", jail=jail) == firing.labels == resolved.labels
        assert firing.receiver == "working-hours"
        assert jail in firing.annotations["summary"]
        assert host.instance in firing.annotations["summary"]


def test_nobody_is_told_anything_while_all_is_well(story: Story, observer: Observer) -> None:
    assert [one for one in observer.webhook.received() if one.received < story.well] == []


def test_everything_that_could_be_wrong_was_seen(story: Story) -> None:
    story.chapter("blamed and back")
    story.chapter("all else")


def test_every_annotation_that_anybody_got_is_a_sentence(story: Story, observer: Observer) -> None:
    received = observer.webhook.received()
    annotations = {text for one in received for text in one.annotations.values()}

    assert len({one.labels["alertname"] for one in received}) >= 5, story.end
    assert [text for text in annotations if re.search(r"<|\{\{|%!|\bNaN\b|\bInf\b", text)] == []


def test_prometheus_evaluates_every_rule(observer: Observer) -> None:
    evaluated = observer.prometheus.rules()  # but for those whose first time, minutes after the start, is yet to come

    assert {"ok"} <= {rule["health"] for rule in evaluated}
    assert [(rule["name"], rule["lastError"]) for rule in evaluated if rule["health"] == "err"] == []
