"""A client that gets a format it does not read loses its scrape."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.negotiation import Format, accepts_gzip, choose_format

OPENMETRICS, TEXT_1, TEXT_0 = Format.OPENMETRICS_1_0_0, Format.TEXT_1_0_0, Format.TEXT_0_0_4

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3_NATIVE_HISTOGRAMS = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7," + PROMETHEUS_3
)
PROMETHEUS_3_TEXT_ONLY = "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4"
CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        pytest.param(PROMETHEUS_2_42, OPENMETRICS, id="Prometheus 2.42"),
        pytest.param(PROMETHEUS_3, OPENMETRICS, id="Prometheus 3"),
        pytest.param(PROMETHEUS_3_NATIVE_HISTOGRAMS, OPENMETRICS, id="Prometheus 3 with native histograms"),
        pytest.param(PROMETHEUS_3_TEXT_ONLY, TEXT_1, id="Prometheus 3 told to take text"),
        pytest.param(CHROME, TEXT_0, id="a browser"),
        pytest.param("*/*", TEXT_0, id="curl"),
        pytest.param("", TEXT_0, id="empty"),
        pytest.param("text/*", TEXT_0, id="any text"),
        pytest.param("text/plain", TEXT_0, id="text without a version"),
        pytest.param("application/openmetrics-text", OPENMETRICS, id="OpenMetrics without a version"),
        pytest.param("text/plain;version=1.0.0", TEXT_1, id="text 1.0.0"),
        pytest.param("text/plain;version=0.0.4", TEXT_0, id="text 0.0.4"),
        pytest.param('text/plain; version="1.0.0"', TEXT_1, id="quoted version"),
        pytest.param("Application/OpenMetrics-Text ; Version=1.0.0 ; Q=1", OPENMETRICS, id="capitals and blanks"),
        pytest.param("application/openmetrics-text;version=0.0.1", TEXT_0, id="an OpenMetrics that is not spoken"),
        pytest.param("application/openmetrics-text;version=abc", TEXT_0, id="a version that is none"),
        pytest.param("text/plain;version=1.0.0abc,text/plain;version=1.0.0;q=0.1", TEXT_1, id="one bad, one good"),
        pytest.param("application/openmetrics-text;q=0.1,text/plain;q=0.9", TEXT_0, id="text liked better"),
        pytest.param("text/plain;q=0.1,application/openmetrics-text;q=0.9", OPENMETRICS, id="OpenMetrics liked better"),
        pytest.param("text/plain,application/openmetrics-text", OPENMETRICS, id="both liked as well"),
        pytest.param("application/openmetrics-text,text/plain", OPENMETRICS, id="both liked as well, turned about"),
        pytest.param("application/openmetrics-text;q=0,text/plain;version=1.0.0;q=0.1", TEXT_1, id="one refused"),
        pytest.param("application/openmetrics-text;q=0", TEXT_0, id="only one, and that refused"),
        pytest.param("application/openmetrics-text;q=2", TEXT_0, id="q above 1"),
        pytest.param("application/openmetrics-text;q=-1", TEXT_0, id="q below 0"),
        pytest.param("application/openmetrics-text;q=nan", TEXT_0, id="q not a number"),
        pytest.param("application/openmetrics-text;q=1e-1", TEXT_0, id="q with an exponent"),
        pytest.param("application/openmetrics-text;q=1.0.0", TEXT_0, id="q with two dots"),
        pytest.param("application/openmetrics-text;q=", TEXT_0, id="q empty"),
        pytest.param("application/openmetrics-text;q=\u0661", TEXT_0, id="q in another script's digits"),
        pytest.param(";;;,,,===;q=1,;version=1.0.0", TEXT_0, id="punctuation"),
        pytest.param("application/vnd.google.protobuf", TEXT_0, id="only what is not spoken"),
        pytest.param("image/png," * 49 + "application/openmetrics-text", OPENMETRICS, id="the fiftieth"),
    ],
)
def test_a_client_gets_what_it_likes_best_of_what_is_spoken(accept: str, chosen: Format) -> None:
    assert chosen is choose_format(accept)


@given(st.text(alphabet=st.sampled_from(';,=/* "q10.2version-abctextplainopenmetricsé\0'), max_size=200) | st.text())
def test_no_header_is_an_error(header: str) -> None:
    assert choose_format(header) in Format
    assert accepts_gzip(header) in {True, False}


@pytest.mark.parametrize("header", ["," * 1_000_000, "text/plain;q=0.1," * 60_000, ";" * 1_000_000, "a=b;" * 250_000])
def test_a_long_header_costs_no_more_than_reading_it(header: str) -> None:
    started = time.process_time()

    choose_format(header)

    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("accept_encoding", "takes"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("GZIP", True),
        ("deflate;q=1, gzip;q=0.001", True),
        ("*", True),
        ("*;q=0.5", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0, gzip", True),
        ("gzipped", False),
        ("gzip;q=abc", False),
    ],
)
def test_gzip_is_for_those_who_take_it(accept_encoding: str, takes: bool) -> None:  # noqa: FBT001 - a table's value
    assert takes is accepts_gzip(accept_encoding)


def test_each_format_says_its_media_type_version_and_charset() -> None:
    assert [form.value for form in Format] == [
        "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
        "text/plain; version=0.0.4; charset=utf-8",
    ]
    assert [form for form in Format if form.is_openmetrics] == [OPENMETRICS]
