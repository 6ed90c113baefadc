"""A folder with room for sockets, as for the tests of the protocol."""

from tests.fail2ban.conftest import folder

__all__ = ["folder"]
