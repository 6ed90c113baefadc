"""`make soak MINUTES=10`: a real fail2ban that is brought down every second, and an exporter that must never lie of it.

A fault a second: killed, stopped, frozen, reloaded, refused a start, its folder removed; bans come and jails go
meanwhile, and the exporter is told to read its settings again. Several clients scrape all the time and hold each scrape
against what must hold of any (`invariants.py`); every fault holds what the exporter says of it against what was done
(`faults.py`). At the end come memory, descriptors and threads over time: a trend is a failure.
"""
