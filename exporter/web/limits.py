"""What clients may use up: connections, time, bytes."""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace

_OTHER_DESCRIPTORS = 64
"""Kept free for all that is not an HTTP connection: listening sockets, fail2ban's socket, files, the event loop."""

_TURNS_FOR_AN_ANSWER = 16
"""Of the event loop; in fact four or five."""


@dataclass(frozen=True)
class Limits:
    """Bounds for the HTTP server.

    A new connection costs a few hundred bytes, and what it has sent, until its first request is there, and a TLS
    session some 45 KB; a served one some 15 KB, and up to a piece of its answer. So each kind has a number of its own,
    and silent and dripping clients never push out a Prometheus that keeps its connection between scrapes.

    Attributes:
        places: Connections, at most, of all kinds together.
        arrivals: Connections, at most, that have sent neither a whole request nor all of a TLS greeting that begins a
            handshake. They have what places the others leave: the more of them can be left to wait, the fewer come
            back. Past that, the one that has waited longest is dropped.
        bulky: Connections, at most, of these that have sent more than `bulky_bytes`, counted apart.
        handshakes: Connections, at most, whose TLS handshake has begun, and that have not sent their first request yet.
            Past that, the one that has waited longest is dropped, of the address that has half of them if one has.
        connections: Connections, at most, that have. Past that, the one that has waited longest without a request in
            progress is dropped.
        request_seconds: For a whole request, head and body, from the connection or from the request's first byte.
        answer_seconds: For a client to take its whole answer, from when the kernel's buffer for it is full.
        keep_alive_seconds: How long a connection may be idle between two requests. Longer than the usual scrape
            intervals, so that Prometheus keeps its connection.
        shutdown_seconds: For answers in progress when the server is told to stop.
        head_bytes: The request line and all headers together.
        body_bytes: The body; the longest that any route reads is a few hundred bytes.
        piece_bytes: An answer goes to its connection in pieces of this size, each when the kernel has taken the one
            before, so that a client who doesn't read costs one piece and not a copy of the answer.
        send_buffer_bytes: What the kernel keeps for a client who does not read (it doubles the figure). Left to
            itself it takes megabytes a connection, which count against the memory limit of the service.
        receive_buffer_bytes: What the kernel keeps of a request that was not read yet, and so how much is read at once.
        turn: Connections accepted, and first requests begun, before others are served again.
        hellos: TLS clients greeted before others are served again: each costs a signature. While more of them wait for
            theirs than there is room for, no connection is accepted, or they would push out one another; but see
            `crowd`.
        unasked: TLS handshakes under way, or due, up to which a client's first greeting begins its own. Past that, it
            is asked to greet once more first, if it can be.
        crowd: TLS clients of one address who wait for their handshakes, having greeted once, from which on one of them
            goes for each newcomer that finds no place, the longest-waiting first, before anybody else does.
        hello_seconds: How long a TLS client has for its answer to its handshake's beginning, at the least, whoever else
            wants its place.
        retry_seconds: The same for its second greeting, beside the time that its packets take, both no longer than
            `hello_seconds`.
    """

    places: int = 944
    arrivals: int = 944
    bulky: int = 256
    bulky_bytes: int = 4 * 1024
    handshakes: int = 176
    connections: int = 256
    request_seconds: float = 5.0
    answer_seconds: float = 20.0
    keep_alive_seconds: float = 90.0
    shutdown_seconds: float = 1.0
    head_bytes: int = 16 * 1024
    body_bytes: int = 8 * 1024
    piece_bytes: int = 8 * 1024
    send_buffer_bytes: int = 32 * 1024
    receive_buffer_bytes: int = 16 * 1024
    turn: int = 16
    hellos: int = 4
    unasked: int = 44
    crowd: int = 64
    hello_seconds: float = 0.1
    retry_seconds: float = 0.05

    def within(self, descriptors: int) -> Limits:
        """The same limits with no more connections than fit into this many file descriptors; one of each at least.

        The descriptors of dropped connections are free a turn of the event loop later, so a turn's worth is left over.
        It takes some turns from a request to its answer: as many requests as are begun meanwhile must find room.
        """
        room = descriptors - self.turn - _OTHER_DESCRIPTORS
        if self.places <= room:
            return self

        def share(limit: int) -> int:
            return max(1, limit * room // self.places)

        connections = share(self.connections)
        turn = max(1, min(self.turn, connections // _TURNS_FOR_AN_ANSWER))
        return replace(
            self,
            places=max(3, room),
            arrivals=share(self.arrivals),
            bulky=share(self.bulky),
            handshakes=share(self.handshakes),
            unasked=share(self.unasked),
            crowd=share(self.crowd),
            connections=connections,
            turn=turn,
            hellos=min(self.hellos, turn),
        )


def descriptor_limit() -> int:
    """How many file descriptors this process may have open (the soft RLIMIT_NOFILE)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if soft == resource.RLIM_INFINITY else soft
