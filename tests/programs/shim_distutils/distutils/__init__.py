"""What fail2ban 0.11 and 1.0 want of a package that left Python in 3.12; on PYTHONPATH for them."""
