"""Values that the server chooses, and what differs between what is expected and what came."""


class Cell:
    """One such value: unknown until it is seen for the first time, fixed from then on."""

    def __init__(self, kind, on_known=None):
        self.kind, self.value, self.on_known = kind, None, on_known

    def learn(self, value):
        if self.value is None:
            self.value = value
            if self.on_known:
                self.on_known(value)

    def __repr__(self):
        return f"<{self.kind.__name__} {self.value}>"


class OneOf:
    """A value that is not known exactly."""

    def __init__(self, *values):
        self.values = values

    def __repr__(self):
        return f"<one of {self.values}>"


def difference(expected, got, place=""):
    """None, or a text that says where the two differ. Teaches nothing."""
    if isinstance(expected, OneOf):
        found = got in expected.values or type(got) in expected.values
        return None if found else f"{place}: {expected} expected, not {got!r}"
    if isinstance(expected, Cell):
        if type(got) is not expected.kind or expected.value not in (None, got):
            return f"{place}: {expected.value!r} expected, not {got!r}"
        return None
    if isinstance(expected, dict) and isinstance(got, dict):
        for name in expected.keys() | got.keys():
            if name not in got:
                return f"{place}.{name} is missing, {expected[name]!r} expected"
            if name not in expected:
                return f"{place}.{name} is {got[name]!r}, none expected"
            found = difference(expected[name], got[name], f"{place}.{name}")
            if found:
                return found
        return None
    if isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            return f"{place}: {len(expected)} expected, not {len(got)}: {expected} / {got}"
        for index, (one, other) in enumerate(zip(expected, got)):
            found = difference(one, other, f"{place}[{index}]")
            if found:
                return found
        return None
    if type(expected) is not type(got) or expected != got:
        return f"{place}: {expected!r} expected, not {got!r}"
    return None


def learn(expected, got):
    """Takes over what the server chose; the two do not differ."""
    if isinstance(expected, Cell):
        expected.learn(got)
    elif isinstance(expected, dict):
        for name, value in expected.items():
            learn(value, got[name])
    elif isinstance(expected, list):
        for one, other in zip(expected, got):
            learn(one, other)


def match(expected, got, what):
    """Fails when they differ; else learns."""
    found = difference(expected, got)
    assert not found, f"{what}: {found}\n  expected {expected}\n  got      {got}"
    learn(expected, got)
