"""What every request passes: rate limit, password, and the headers that the web config file adds."""

from __future__ import annotations

import base64

import bcrypt
import pytest
from starlette.types import Receive, Scope, Send

from exporter.web.config.model import RateLimit, WebConfig
from exporter.web.config.passwords import BusyError, Passwords
from exporter.web.guard import Bucket, Guard
from tests.web.serving import Answer, Serving, application

ALICE = {"alice": bcrypt.hashpw("open sésame:".encode(), bcrypt.gensalt(4)).decode()}


class Guarded:
    """The usual routes behind a guard whose configuration and clock the test sets."""

    def __init__(self, config: WebConfig, passwords: Passwords | None = None) -> None:
        self.config = config
        self.now = 0.0
        self.refused = 0
        self.guard = Guard(application(), lambda: self.config, self._refuse, passwords or Passwords(), lambda: self.now)

    def _refuse(self) -> None:
        self.refused += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self.guard(scope, receive, send)


def basic(user: str, password: str) -> str:
    """The header that carries a password."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(app: Guarded, *headers: str, path: str = "/metrics") -> Answer:
    """Ask on a connection of its own."""
    with Serving(app) as serving, serving.client() as client:
        lines = "".join(f"{header}\r\n" for header in headers)
        client.send(f"GET {path} HTTP/1.1\r\nHost: test\r\n{lines}\r\n".encode())
        return client.answer()


def test_without_a_web_config_everybody_is_let_in() -> None:
    app = Guarded(WebConfig())

    assert 200 == ask(app).status
    assert 0 == app.refused


@pytest.mark.parametrize(
    "header",
    [
        f"Authorization: {basic('alice', 'open sésame:')}",
        f"authorization: {basic('alice', 'open sésame:').replace('Basic', 'bAsIc')}",
    ],
)
def test_a_user_with_the_right_password_is_let_in(header: str) -> None:
    app = Guarded(WebConfig(users=ALICE))

    assert 200 == ask(app, header).status
    assert 0 == app.refused


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [basic("alice", "open sesame:")],
        [basic("Alice", "open sésame:")],
        [basic("bob", "open sésame:")],
        [basic("alice", "x" * 73)],
        [basic("alice", "")],
        ["Basic"],
        ["Basic ====="],
        ["Basic YWxpY2U="],
        ["Basic /////w=="],
        ["Bearer " + basic("alice", "open sésame:")[6:]],
        [basic("alice", "open sésame:"), basic("bob", "x")],
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/nowhere"])
def test_anybody_else_is_asked_for_a_password_on_every_path_and_counted(headers: list[str], path: str) -> None:
    app = Guarded(WebConfig(users=ALICE))

    answer = ask(app, *(f"Authorization: {header}" for header in headers), path=path)

    assert (401, "Basic") == (answer.status, answer.headers["www-authenticate"])
    assert 1 == app.refused


def test_users_who_are_removed_are_no_longer_let_in() -> None:
    app = Guarded(WebConfig(users=ALICE))
    header = f"Authorization: {basic('alice', 'open sésame:')}"
    assert 200 == ask(app, header).status

    app.config = WebConfig(users={"bob": ALICE["alice"]})

    assert 401 == ask(app, header).status


def test_too_many_passwords_at_once_are_put_off() -> None:
    class Busy(Passwords):
        async def check(self, *_: object) -> bool:
            raise BusyError

    app = Guarded(WebConfig(users=ALICE), Busy())

    answer = ask(app, f"Authorization: {basic('alice', 'x')}")

    assert (429, "1") == (answer.status, answer.headers["retry-after"])
    assert 0 == app.refused


@pytest.mark.parametrize(("path", "status"), [("/metrics", 200), ("/nowhere", 404), ("/broken", 500)])
def test_the_configured_headers_are_on_every_answer(path: str, status: int) -> None:
    answer = ask(Guarded(WebConfig(headers=((b"x-frame-options", b"deny"),))), path=path)

    assert status == answer.status
    assert "deny" == answer.headers["x-frame-options"]


def test_a_refusal_has_the_configured_headers_too() -> None:
    config = WebConfig(users=ALICE, headers=((b"x-frame-options", b"deny"),))

    assert "deny" == ask(Guarded(config)).headers["x-frame-options"]


def test_a_header_that_the_route_has_itself_stays_as_it_is() -> None:
    config = WebConfig(headers=((b"content-type", b"text/html"),))

    assert "text/plain; charset=utf-8" == ask(Guarded(config)).headers["content-type"]


def test_requests_past_the_rate_limit_get_429_until_a_token_has_grown_back() -> None:
    app = Guarded(WebConfig(rate_limit=RateLimit(interval=10, burst=2), users=ALICE))
    header = f"Authorization: {basic('alice', 'open sésame:')}"

    assert [200, 401, 429, 429] == [ask(app, header).status, ask(app).status, ask(app).status, ask(app, header).status]
    app.now = 9.9
    assert 429 == ask(app, header).status
    app.now = 10.1
    assert 200 == ask(app, header).status
    app.config = WebConfig(users=ALICE)
    assert 200 == ask(app, header).status


def test_a_bucket_holds_no_more_than_its_burst() -> None:
    bucket = Bucket(RateLimit(interval=1, burst=3), 0.0)

    assert [True, True, True, False] == [bucket.take(1000.0) for _ in range(4)]
    assert [True, False] == [bucket.take(1001.0) for _ in range(2)]


def test_without_a_limit_a_bucket_gives_what_is_asked_for() -> None:
    assert all(Bucket(RateLimit(), 0.0).take(0.0) for _ in range(1000))
