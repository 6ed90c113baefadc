"""The story is played once for all tests of this folder, and both generations of Prometheus watch it side by side."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.end_to_end.stage import GENERATIONS, Observer, build
from tests.end_to_end.story import Story, play


@pytest.fixture(scope="package")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """All that happened, on a stage that still runs."""
    with ExitStack() as stack:
        yield play(build(tmp_path_factory.mktemp("stage"), stack))


@pytest.fixture(params=GENERATIONS)
def observer(request: pytest.FixtureRequest, story: Story) -> Observer:
    """Each Prometheus in turn, and those whom it tells."""
    return next(one for one in story.stage.observers if one.name == request.param)
