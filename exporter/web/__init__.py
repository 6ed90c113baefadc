"""The HTTP side: sockets, server, routes, status page. It reads snapshots and knows nothing of fail2ban's socket."""
