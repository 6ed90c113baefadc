"""Bans that count once: proved on models and on real servers."""
