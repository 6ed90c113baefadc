"""How names and figures are written, whoever chose them."""

from __future__ import annotations

import html
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.text import advice_html, count, milliseconds, name_html, sentence
from tests.snapshots import HOSTILE_NAMES


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("sshd", "sshd"),
        ("größe ☂ 監獄", "größe ☂ 監獄"),
        ("<b>&\"'", "&lt;b&gt;&amp;&quot;&#x27;"),
        ("new\nline", r"new\nline"),
        ("\u202eevil", r"\u202eevil"),
        ("\u2066isolated", r"\u2066isolated"),
        (" ", "“ ”"),
        ("sshd ", "“sshd ”"),
        ("\u200d", r"“\u200d”"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("", "“”"),
        ("x" * 100, "x" * 100),
        ("a" * 99 + "b" * 99, "a" * 70 + "…" + "b" * 29),
    ],
)
def test_a_name_is_seen_for_what_it_is(name: str, shown: str) -> None:
    assert name_html(name) == shown


@given(st.text() | st.sampled_from(HOSTILE_NAMES))
def test_no_name_can_hide_or_turn_about_what_stands_beside_it(name: str) -> None:
    shown = html.unescape(name_html(name))

    assert shown.strip()
    assert len(shown) <= 10 * 100 + 2
    hidden = [one for one in shown if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    assert set(hidden) <= {"\u200c", "\u200d"}
    assert not {"<", ">", '"', "'"} & set(name_html(name))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.000_123, "0.12 ms"),
        (0.009_99, "9.99 ms"),
        (0.0123, "12.3 ms"),
        (0.25, "250 ms"),
        (1.0, "1.0 s"),
        (12345.6, "12,345.6 s"),
        (0.0, "0.00 ms"),
    ],
)
def test_a_latency_has_the_digits_that_matter(seconds: float, shown: str) -> None:
    assert milliseconds(seconds) == shown


def test_a_count_that_nobody_reads_is_not_written_out() -> None:
    assert [count(0), count(12_345), count(10**12), count(10**5000)] == ["0", "12,345", "≥ 10¹²", "≥ 10¹²"]


def test_commands_in_advice_become_code_and_all_else_stays_text() -> None:
    assert advice_html("Run `a <b>` & see `c`.") == "Run <code>a &lt;b&gt;</code> &amp; see <code>c</code>."


@pytest.mark.parametrize(("reason", "shown"), [("it hangs", "It hangs."), ("is it?", "Is it?"), ("", ".")])
def test_a_reason_becomes_a_sentence(reason: str, shown: str) -> None:
    assert sentence(reason) == shown
