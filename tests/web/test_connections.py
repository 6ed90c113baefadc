from __future__ import annotations

from exporter.web.connections import Connections


class Client:
    """A connection that only remembers whether it was dropped."""

    def __init__(self) -> None:
        self.dropped = 0

    def drop(self) -> None:
        """Remember it."""
        self.dropped += 1


def admitted(books: Connections[Client], count: int) -> list[Client]:
    clients = [Client() for _ in range(count)]
    for client in clients:
        books.admit(client, 10.0)
    return clients


def dropped(clients: list[Client]) -> list[bool]:
    return [bool(client.dropped) for client in clients]


def test_below_the_cap_nobody_is_dropped() -> None:
    clients = admitted(Connections(3), 3)

    assert [False, False, False] == dropped(clients)


def test_past_the_cap_the_longest_waiting_is_dropped_for_each_newcomer() -> None:
    books: Connections[Client] = Connections(3)

    clients = admitted(books, 5)

    assert [True, True, False, False, False] == dropped(clients)
    assert len(books) == 3


def test_a_dropped_connection_is_dropped_once_though_it_ends_later() -> None:
    books: Connections[Client] = Connections(1)
    clients = admitted(books, 3)

    books.remove(clients[0])
    books.wait(clients[0], 10.0)
    books.work(clients[0])

    assert [1, 1, 0] == [client.dropped for client in clients]
    assert clients[2:] == list(books)


def test_a_request_in_progress_is_spared_while_others_wait() -> None:
    books: Connections[Client] = Connections(3)
    clients = admitted(books, 3)
    books.work(clients[0])

    clients += admitted(books, 2)

    assert [False, True, True, False, False] == dropped(clients)


def test_slow_work_for_some_does_not_shut_out_the_rest() -> None:
    books: Connections[Client] = Connections(2)
    clients = admitted(books, 2)
    books.work(clients[1])
    books.work(clients[0])

    newcomer = admitted(books, 1)

    assert [False, True] == dropped(clients)
    assert [False] == dropped(newcomer)


def test_the_wait_for_the_next_request_counts_from_its_own_beginning() -> None:
    books: Connections[Client] = Connections(2)
    clients = admitted(books, 2)
    books.work(clients[0])
    books.wait(clients[0], 10.0)

    admitted(books, 1)

    assert [False, True] == dropped(clients)


def test_each_wait_ends_at_its_own_deadline() -> None:
    books: Connections[Client] = Connections(4)
    early, late, working = Client(), Client(), Client()
    books.admit(late, 20.0)
    books.admit(early, 10.0)
    books.admit(working, 5.0)
    books.work(working)

    books.drop_expired(9.9)
    assert [False, False, False] == dropped([early, late, working])

    books.drop_expired(10.0)
    assert [True, False, False] == dropped([early, late, working])


def test_room_is_made_by_those_who_wait_and_never_by_a_request_in_progress() -> None:
    books: Connections[Client] = Connections(4)
    clients = admitted(books, 4)
    books.work(clients[1])

    books.drop_waiting(2)
    assert [True, False, True, False] == dropped(clients)

    books.drop_waiting(2)
    assert [True, False, True, True] == dropped(clients)


def test_all_can_be_dropped() -> None:
    books: Connections[Client] = Connections(2)
    clients = admitted(books, 2)
    books.work(clients[0])

    books.drop_all()

    assert [True, True] == dropped(clients)
    assert not books
