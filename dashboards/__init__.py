"""What people look at, and what wakes them: dashboards as code."""
