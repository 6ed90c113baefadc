"""From a real fail2ban to the person who is woken, with the real programs in between."""
