"""Random timelines of a fail2ban and its jails, with the truth about who brought it down, to hold the blame against."""
