"""Fixtures: a server for a file of tests, servers of one's own, names that nobody else uses."""
import itertools
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.server import Server  # noqa: E402

counter = itertools.count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory, request):
    """Shared by a file's tests; `OPTIONS` and `LOAD` of the file are heeded."""
    made = Server(tmp_path_factory.mktemp("server"), getattr(request.module, "OPTIONS", None),
                  load=getattr(request.module, "LOAD", False))
    made.start()
    yield made
    made.stop()


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
            made.stop()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def names():
    """names("room") is a name of this test alone."""
    return lambda stem: f"{stem}-{next(counter)}"


@pytest.fixture
def tell(capsys):
    """tell("…") shows what was measured, also when the test passes."""
    def show(text):
        with capsys.disabled():
            print(f"\n    {text}", flush=True)
    return show


@pytest.fixture
def seed(request):
    """A random generator whose seed is shown when the test fails."""
    number = int(request.config.getoption("--seed") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {number} (again: --seed={number})")
    return random.Random(number)
