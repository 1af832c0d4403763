"""Fixtures: a server for a file of tests, servers of one's own, names that nobody else uses."""
import itertools
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.redis import Redis  # noqa: E402
from lib.server import Server, over_redis  # noqa: E402

# The files that take longest, longest first: where several processes share the files out, none is
# left with one of these at the end.
LONGEST = ["test_model", "test_slow_reader", "test_presence", "test_typing", "test_drain",
           "test_slow_requests", "test_tls", "test_edits", "test_presence_crowd"]
counter = itertools.count(1)


def pytest_collection_modifyitems(items):
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(LONGEST)))
    skip = pytest.mark.skip(reason="about the journal's SQLite file")
    for item in items:
        if over_redis() and item.get_closest_marker("sqlite"):
            item.add_marker(skip)


@pytest.fixture
def redis():
    """redis("--appendonly", "yes") starts one; all are ended with the test."""
    started = []

    def starter(*options):
        started.append(Redis(*options))
        return started[-1].start()

    yield starter
    for made in started:
        made.end()


@pytest.fixture(scope="module")
def server(tmp_path_factory, request):
    """Shared by a file's tests; `OPTIONS` and `LOAD` of the file are heeded."""
    made = Server(tmp_path_factory.mktemp("server"), getattr(request.module, "OPTIONS", None),
                  load=getattr(request.module, "LOAD", False))
    made.start()
    yield made
    made.end()


@pytest.fixture
def start(tmp_path, request):
    """Starts servers of the test's own; each is stopped, and checked, at its end."""
    started = []
    load = getattr(request.module, "LOAD", False)

    def starter(files=None, **options):
        made = Server(tmp_path / f"server-{len(started)}",
                      {key.replace("__", "."): value for key, value in options.items()},
                      load=load, files=files)
        started.append(made)
        return made.start()

    yield starter
    faults = []
    for made in started:
        try:
            made.end()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def names():
    """names("room") is a name of this test alone."""
    return lambda stem: f"{stem}-{next(counter)}"


@pytest.fixture
def tell(record_property):
    """tell("…") shows, in the end, what was measured, also when the test passes."""
    return lambda text: record_property("told", text)


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if report.when == "call":
            for _, text in report.user_properties:
                terminalreporter.write_line(f"{report.location[2]}: {text}")


@pytest.fixture
def seed(request):
    """A random generator whose seed is shown when the test fails."""
    number = int(request.config.getoption("--seed") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {number} (again: --seed={number})")
    return random.Random(number)
