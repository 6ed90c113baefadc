"""The benchmarks can be run one by one, and the page of figures is what they found. Nothing here is timed."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks import fleet_table, report
from benchmarks.__main__ import ALL
from benchmarks.bounds import BOUNDS, Bound
from benchmarks.bounds import report as verdicts
from benchmarks.figures import RESULTS, Figure, Notebook, load
from benchmarks.reference import probe
from benchmarks.simulator import ConstantFail2ban
from exporter.demo.wire import WireServer
from exporter.fail2ban import Client
from tests.fakes import Conversation, FakeServer, Honest, good

ROOT = Path(__file__).parents[2]
COMMANDS = ["benchmarks", *(f"benchmarks.{name}" for name in (*ALL, "report", "rivals", "simulator"))]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert f"usage: python -m {command}" in done.stdout


def test_the_page_has_the_figures_of_the_latest_run() -> None:
    assert report.render(*load()) == report.written(report.PAGE.read_text(encoding="utf-8"))


def test_the_page_on_fleets_has_the_figures_of_the_latest_run_too() -> None:
    assert fleet_table.render(load()[1]) == report.written(report.FLEET_PAGE.read_text(encoding="utf-8"))


def test_what_ten_thousand_hosts_cost_is_read_off_the_line_through_what_was_measured() -> None:
    measured = [Figure.of(f"fleet.{hosts} hosts.a", "MB", [50 + hosts / 10]) for hosts in fleet_table.MEASURED]

    assert fleet_table.reckoned(measured) == 1_000  # 1050, of which two digits are worth it


def test_the_latest_run_measured_all_that_has_a_bound() -> None:
    _, figures = load()

    assert [] == [bound.figure for bound in BOUNDS if bound.measured(figures) is None]


def test_the_machine_is_named_by_its_cores_and_memory_only() -> None:
    assert {"cores", "memory_gib"} == json.loads(RESULTS.read_text(encoding="utf-8"))["machine"].keys()


def test_a_figure_is_the_median_with_its_spread(capsys: pytest.CaptureFixture[str]) -> None:
    figure = Notebook().note("a.b", "ms", 3.0, 1.0, 2.00004)

    assert Figure("a.b", 2.0, "ms", low=1.0, p95=3.0, high=3.0, measurements=3) == figure
    assert capsys.readouterr().out == "a.b 2 ms  (1 to 3, 95 % up to 3, n=3)\n"


def test_a_benchmark_replaces_its_own_figures_and_keeps_those_of_others(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for benchmark, name in (("probe", "probe.old"), ("scrape", "scrape.rate"), ("probe", "probe.new")):
        notebook = Notebook()
        notebook.note(name, "", 1)
        notebook.save(benchmark, path)

    assert {"probe.new", "scrape.rate"} == load(path)[1].keys()


@pytest.mark.parametrize(
    ("bound", "high", "verdict"),
    [
        (Bound("a.b", "it", 2), 9, "PASS it: 2 ms (≤ 2 ms)"),
        (Bound("a.b", "it", 1.9), 9, "FAIL it: 2 ms (≤ 1.9 ms)"),
        (Bound("a.b", "it", 2, at_least=True), 9, "PASS it: 2 ms (≥ 2 ms)"),
        (Bound("a.b", "it", 2.1, at_least=True), 9, "FAIL it: 2 ms (≥ 2.1 ms)"),
        (Bound("a.b", "it", 2, of="high"), 9, "FAIL it: 9 ms (≤ 2 ms)"),
        (Bound("a.other", "it", 2), 9, "---- it: not measured (≤ 2)"),
    ],
)
def test_a_bound_that_is_not_kept_is_told(
    bound: Bound, high: float, verdict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.bounds.BOUNDS", (bound,))

    assert [verdict] == verdicts({"a.b": Figure("a.b", 2.0, "ms", low=1.0, p95=high, high=high, measurements=3)})


def test_the_reference_asks_one_by_one_what_other_exporters_ask() -> None:
    honest = Honest(replies={("ping",): good("pong")})

    def script(conversation: Conversation) -> None:
        for _ in range(7):
            conversation.reply(honest.answer(conversation.request()))
        conversation.hold()

    with FakeServer(script) as server:
        assert probe(server.path) == 1

    settings = [["get", "sshd", name] for name in ("bantime", "findtime", "maxretry")]
    assert server.requests == [["ping"], ["status"], ["status", "sshd"], *settings, ["version"]]


def test_the_simulated_fail2ban_is_one_to_the_exporter(tmp_path: Path) -> None:
    with WireServer(tmp_path / "f", ConstantFail2ban(7).answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client(str(tmp_path / "f"))
        found = client.probe(30.0)
        client.close()
        server.shutdown()

    assert [f"jail-{number:04}" for number in range(7)] == [jail.name for jail in found.jails]
    assert all(jail.settings and jail.log_files for jail in found.jails)
