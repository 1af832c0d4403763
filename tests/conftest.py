"""For all black-box tests: the option and the mark they share."""


def pytest_addoption(parser):
    parser.addoption("--seed", help="seed of the randomized tests")


def pytest_configure(config):
    config.addinivalue_line("markers", "sqlite: about the file; left out with "
                                       "TIDINGS_JOURNAL=redis")
    config.addinivalue_line("markers", "slow: left out by `tests/run quick`")
