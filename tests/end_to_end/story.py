"""What happens on the stage, once for all tests that look at it: chapters that each begin and end in good health."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.end_to_end.hosts import CANARY, GOOD, Guarded, with_canary, without_permission
from tests.end_to_end.stage import Observer, Stage
from tests.monitoring import rules
from tests.monitoring.webhook import Notification
from tests.real_fail2ban import Jail

BROKEN: Final = Jail("broken", log_file="/nonexistent/app.log")
"""A jail with which fail2ban does not start."""

LATE: Final = Jail("late")
"""A jail that is enabled and waits for a reload."""


@dataclass(frozen=True)
class Chapter:
    """One that was played.

    Attributes:
        start: Seconds since the epoch.
        end: The same.
        fault: Why it did not come to its end, or None.
    """

    start: float
    end: float
    fault: AssertionError | OSError | None


@dataclass
class Story:
    """All that was played, on a stage that is still there to be looked at.

    Attributes:
        stage: As the end left it.
        start: When everything ran; seconds since the epoch.
        well: A moment at which all was well.
        end: When it was over.
    """

    stage: Stage
    start: float
    well: float
    end: float = 0.0
    _chapters: dict[str, Chapter] = field(default_factory=dict)

    def play(self, title: str, scene: Callable[[Stage], None]) -> None:
        """Play a chapter. If it fails, those who ask for it learn of that, and the story goes on."""
        start, fault = time.time(), None
        try:
            scene(self.stage)
        except (AssertionError, OSError) as error:
            fault = error
            for host in self.stage.hosts:
                host.mend()
        self.end = time.time()
        self._chapters[title] = Chapter(start, self.end, fault)

    def chapter(self, title: str) -> Chapter:
        """One that was played to its end.

        Raises:
            AssertionError: It was not; this says why.
            OSError: The same.
        """
        chapter = self._chapters[title]
        if chapter.fault is not None:
            raise chapter.fault
        return chapter

    def told(self, title: str, observer: Observer, alert: str, host: Guarded) -> list[Notification]:
        """What an observer was told of one alert on one host since the beginning of a chapter."""
        notifications = observer.webhook.received(self.chapter(title).start)
        return [one for one in notifications if one.is_of(alert, instance=host.instance)]


def play(stage: Stage) -> Story:
    """Play it from beginning to end, in a minute or two."""
    story = Story(stage, time.time(), _all_is_well(stage))
    for title, scene in CHAPTERS.items():
        story.play(title, scene)
    return story


def _all_is_well(stage: Stage) -> float:
    """Have some attackers banned, as on every day, and return a moment at which nothing is wrong."""
    for number in (1, 2):
        for host in stage.hosts:
            host.attack(number)
            stage.wait_seen(f'instance:fail2ban_jail_bans:rate5m{{instance="{host.instance}"}} > 0')
    stage.wait_quiet()
    return time.time()


def _blamed_and_back(stage: Stage) -> None:
    """A jail brings fail2ban down, and it is back before anybody is woken; again if that took too long."""
    alert = next(rule for rule in rules.rules(rules.ours()) if rule.name == "Fail2banActivationFailed")
    for number in range(5):
        jail = Jail(f"flaky-{number}")
        stage.new.enable(jail)
        stage.new.server.client("reload")
        stage.new.exporter.wait_for("fail2ban_jail_up", 1, jail=jail.name)
        stage.new.server.kill()
        stage.new.server.start()
        failed = f'fail2ban_activation_failures_total{{jail="{jail.name}"}} == 1'
        stage.wait_seen(f"{failed} and on (instance, jail) fail2ban_pending_recovery == 0")
        if all(one.prometheus.query(alert.expression) for one in stage.observers):
            break
    stage.new.mend()


def _crash_loop(stage: Stage) -> None:
    start = time.time()
    for _ in range(4):
        stage.new.server.kill()
        stage.new.server.start()
        stage.new.exporter.wait_state("online")
    stage.wait_told("firing", "Fail2banCrashLoop", start, [stage.new])


def _crash_loop_is_over(stage: Stage) -> None:
    stage.wait_told("resolved", "Fail2banCrashLoop", 0, [stage.new])


def _down(stage: Stage) -> None:
    """A flood of failures would be told as well, later than the outage; it waits for as long as that lasts."""
    start = time.time()
    stage.old.flood()
    stage.wait_seen("fail2ban_jail_failures_total > 500")
    for host in stage.hosts:
        host.server.stop()
    stage.wait_told("firing", "Fail2banDown", start, stage.hosts)
    stage.wait_inhibited("Fail2banFailureSurge", "Fail2banDown", stage.old)
    stage.marks["down no more"] = time.time()
    for host in stage.hosts:
        host.mend()
    stage.wait_told("resolved", "Fail2banDown", start, stage.hosts)


def _starts_refused(stage: Stage) -> None:
    """It crashes, and starts are refused before there is a socket that could show a process; no jail is to blame."""
    start = time.time()
    server = stage.old.server
    server.kill()
    server.log_path(GOOD[0].name).unlink()
    said = server.log_lines()
    for _ in range(3):
        stage.old.refuse_to_start()
    assert server.log_lines() == said, "a server had begun to run"
    stage.wait_told("firing", "Fail2banCrashLoop", start, [stage.old])
    assert stage.old.exporter.value("fail2ban_pending_recoveries") == 0, "a jail is blamed"
    stage.old.mend()
    stage.wait_told("resolved", "Fail2banCrashLoop", start, [stage.old])


def _pending_recovery(stage: Stage) -> None:
    start = time.time()
    for host in stage.hosts:
        host.enable(BROKEN)
        host.server.stop()
        host.refuse_to_start()
    stage.wait_told("firing", "Fail2banPendingRecovery", start, stage.hosts, jail=BROKEN.name)
    for host in stage.hosts:
        host.mend()
    stage.wait_told("resolved", "Fail2banPendingRecovery", start, stage.hosts, jail=BROKEN.name)


def _jail_down(stage: Stage) -> None:
    start = time.time()
    stage.old.enable(LATE)
    stage.new.server.configure(GOOD[1:])
    stage.new.server.client("reload")
    stage.wait_told("firing", "Fail2banJailDown", start, [stage.old], jail=LATE.name)
    stage.wait_told("firing", "Fail2banJailDown", start, [stage.new], jail=GOOD[0].name)
    stage.old.server.client("reload")
    stage.new.mend()
    stage.wait_told("resolved", "Fail2banJailDown", start, [stage.old], jail=LATE.name)
    stage.wait_told("resolved", "Fail2banJailDown", start, [stage.new], jail=GOOD[0].name)
    stage.old.mend()


def _log_file_missing(stage: Stage) -> None:
    """A log file is gone, and fail2ban runs on as if nothing had happened."""
    start = time.time()
    for host in stage.hosts:
        host.server.log_path(GOOD[1].name).unlink()
        host.exporter.wait_for("fail2ban_jail_log_files_missing", 1, jail=GOOD[1].name)
    stage.wait_told("firing", "Fail2banLogFileMissing", start, stage.hosts, jail=GOOD[1].name)
    for host in stage.hosts:
        host.server.log_path(GOOD[1].name).touch()
    stage.wait_told("resolved", "Fail2banLogFileMissing", start, stage.hosts, jail=GOOD[1].name)


def _all_else(stage: Stage) -> None:
    """Whatever else can be wrong, for as long as it takes to see it."""
    with without_permission(stage.folder / "no-permission") as locked:
        stage.scrape(locked)
        stage.wait_seen('fail2ban_state{fail2ban_state="inaccessible"} == 1')
        stage.leave_out(locked)
    _nobody_is_banned(stage)
    stage.new.server.sigstop()
    stage.new.exporter.wait_state("unresponsive")
    _faults_of_the_exporter(stage, stage.old)
    _no_guard_in_spite_of_running(stage, stage.old)
    stage.wait_seen(f"instance:fail2ban_probe_duration_seconds:p90_15m{{instance={stage.new.instance!r}}} > 1")
    stage.new.server.sigcont()
    stage.new.exporter.wait_state("online")
    stage.wait_seen(f"fail2ban_up{{instance={stage.new.instance!r}}} == 1")
    with stage.old.exporter_frozen():
        stage.wait_seen(f"up{{instance={stage.old.instance!r}}} == 0")


def _nobody_is_banned(stage: Stage) -> None:
    """A jail that no longer looks at its log, which the canary finds out."""
    with with_canary(stage.folder / "canary") as (host, server):
        stage.scrape(host)
        stage.wait_seen('fail2ban_canary_runs_total{result="success"} >= 2')
        server.client("set", CANARY, "idle", "on")
        stage.wait_seen("fail2ban_canary_up == 0 and on (instance) fail2ban_up == 1")
        stage.leave_out(host)


def _faults_of_the_exporter(stage: Stage, host: Guarded) -> None:
    with host.faulty_settings(), host.faulty_jail_configuration(), host.faulty_database():
        stage.wait_seen("fail2ban_geoip_database_reload_success == 0")
        stage.wait_seen("fail2ban_exporter_config_last_reload_successful == 0")
        stage.wait_seen("fail2ban_exporter_jail_config_errors > 0")


def _no_guard_in_spite_of_running(stage: Stage, host: Guarded) -> None:
    aside = host.state_folder.with_name("aside")
    host.state_folder.rename(aside)
    host.server.configure([])
    host.server.restart()
    stage.wait_seen("fail2ban_jails == 0")
    stage.wait_seen("fail2ban_exporter_state_file_errors_total > 0")
    aside.rename(host.state_folder)
    host.server.configure([GOOD[0], Jail("toothless", action="")])
    host.server.restart()
    stage.wait_seen("fail2ban_jail_actions == 0")
    host.mend()


CHAPTERS: Final[dict[str, Callable[[Stage], None]]] = {
    "blamed and back": _blamed_and_back,
    "crash loop": _crash_loop,
    "down": _down,
    # before any jail is activated on that host, so that there is none to blame
    "starts refused": _starts_refused,
    "pending recovery": _pending_recovery,
    "jail down": _jail_down,
    "log file missing": _log_file_missing,
    "all else": _all_else,
    "crash loop is over": _crash_loop_is_over,
}
