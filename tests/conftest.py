"""For all tests: how many examples hypothesis tries of a property that does not say so itself."""

from hypothesis import settings

from tests.fuzz import FACTOR, examples

if FACTOR > 1:
    settings.register_profile("fuzz", examples(100), print_blob=True)
    settings.load_profile("fuzz")
