"""``python -m exporter``: the same program as the console script."""

import sys

from exporter.cli import main

sys.exit(main())
