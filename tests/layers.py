#!/usr/bin/env python3
"""How the house is kept, as far as a program can tell.

  floors     a file includes its own floor and those below, never above
  cycles     no headers include one another in a ring
  libraries  each third-party header only on its floors
  sizes      500 lines a file, 70 a function, 100 columns a line
  headers    start with a comment that says the floor; guards are named by the path
  build      every C file is built, every unit test is run
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLOORS = ["base", "core", "store", "net", "api"]
TOP = "main and config"  # above all floors: src/*.c and include/*.h

LIBRARIES = {
    "uthash.h": {"base"},
    "utlist.h": {"base"},
    "sqlite3.h": {"store"},
    "hiredis": {"store"},
    "microhttpd.h": {"net"},
    "event2": {"net", "store"},
    "zlib.h": {"net", "store"},
    "gnutls": {"net", "api"},
    "jansson.h": {"store", "api"},
    "ini.h": {TOP},
}

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100

faults = []


def fault(path, line, text):
    where = f"{path.relative_to(ROOT)}:{line}" if line else str(path.relative_to(ROOT))
    faults.append(f"{where}: {text}")


def c_files(*folders):
    return sorted(path for folder in folders for kind in ("*.c", "*.h")
                  for path in (ROOT / folder).rglob(kind))


def floor_of(path):
    """The floor of a file of src/ or include/; TOP for those in none."""
    inner = path.relative_to(ROOT).parts[1:]
    return inner[0] if len(inner) > 1 else TOP


def height(floor):
    return FLOORS.index(floor) if floor in FLOORS else len(FLOORS)


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', line)
        if match:
            yield number, match[1], match[2]


def check_floors(path):
    own = floor_of(path)
    if own != TOP and own not in FLOORS:
        fault(path, 0, f"{own} is no floor")
        return
    for number, ours, theirs in includes(path):
        if ours:
            target = ROOT / "include" / ours
            if not target.exists():
                fault(path, number, f"{ours} is not under include/")
            elif height(floor_of(target)) > height(own):
                fault(path, number, f"{own} includes {ours} of the floor above")
        elif theirs:
            name = theirs if theirs in LIBRARIES else theirs.split("/")[0]
            if name in LIBRARIES and own not in LIBRARIES[name]:
                fault(path, number, f"{theirs} belongs to {', '.join(sorted(LIBRARIES[name]))}")
            elif "/" not in theirs and name not in LIBRARIES and name not in SYSTEM:
                fault(path, number, f"{theirs} is neither of the system nor in LIBRARIES")


SYSTEM = {name + ".h" for name in """
    assert ctype errno fcntl getopt inttypes limits math netdb poll pthread sched semaphore signal
    stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib string strings threads time unistd
    spawn endian byteswap malloc dirent setjmp locale ucontext link""".split()}


def check_cycles(headers):
    """Depth-first; a header met again on the way down closes a ring."""
    edges = {path: [ROOT / "include" / ours for _, ours, _ in includes(path) if ours]
             for path in headers}
    done = set()

    def walk(path, way):
        if path in way:
            ring = way[way.index(path):] + [path]
            fault(path, 0, "ring of includes: " + " -> ".join(step.name for step in ring))
            return
        if path in done:
            return
        for target in edges.get(path, []):
            walk(target, way + [path])
        done.add(path)

    for path in headers:
        walk(path, [])


def functions(lines):
    """(line, length) of each function: from its `{` in the first column to the `}` there, with
    the lines of its head."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            head = number - 1
            while head > 0 and lines[head - 1].strip() and lines[head - 1][0] not in "}#/ ":
                head -= 1
                if not lines[head - 1].startswith(" ") and lines[head - 1].endswith((";", "*/")):
                    break
            start = max(head, 1)
        elif line.startswith("}") and start is not None:
            yield start, number - start + 1
            start = None


def check_sizes(path):
    lines = path.read_text().splitlines()
    if len(lines) > FILE_LINES_MAX:
        fault(path, 0, f"{len(lines)} lines, at most {FILE_LINES_MAX}")
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            fault(path, number, f"{len(line)} columns, at most {COLUMNS_MAX}")
        if "\t" in line or line != line.rstrip():
            fault(path, number, "a tab, or blanks at the end")
    if path.suffix in (".c", ".h"):
        for number, length in functions(lines):
            if length > FUNCTION_LINES_MAX:
                fault(path, number, f"function of {length} lines, at most {FUNCTION_LINES_MAX}")


def check_header(path):
    text = path.read_text()
    comment = re.match(r"/\* \S.*?\*/\n", text, re.S)
    if not comment:
        fault(path, 1, "does not start with a comment that says what it is")
        return
    if floor_of(path) != TOP and f"Floor: {floor_of(path)}." not in comment[0]:
        fault(path, 1, f"its comment does not say `Floor: {floor_of(path)}.`")
    guard = "TIDINGS_" + re.sub(r"[/.]", "_", str(path.relative_to(ROOT / "include"))).upper()
    if f"#ifndef {guard}\n#define {guard}\n" not in text:
        fault(path, 0, f"guard is not {guard}")


def check_build():
    """meson takes the files that it names; one that is not named would silently be left out."""
    for build, folder, pattern in (("meson.build", "src", "*.c"),
                                   ("tests/meson.build", "tests/unit", "test_*.c")):
        words = set(re.findall(r"[\w/.-]+", (ROOT / build).read_text()))
        for path in sorted((ROOT / folder).rglob(pattern)):
            names = {str(path.relative_to(ROOT)), path.stem, path.stem.removeprefix("test_")}
            if not names & words:
                fault(path, 0, f"is not named in {build}")


def main():
    code = c_files("src", "include")
    headers = [path for path in code if path.suffix == ".h"]
    for path in code:
        check_floors(path)
    for path in headers:
        check_header(path)
    check_cycles(headers)
    texts = code + c_files("tests") + sorted(
        path for kind in ("*.py", "*.sql", "*.lua") for folder in ("src", "tests")
        for path in (ROOT / folder).rglob(kind) if "node_modules" not in path.parts)
    for path in texts:
        if "node_modules" not in path.parts:
            check_sizes(path)
    check_build()
    for text in faults:
        print(text)
    print(f"{len(texts)} files, {len(faults)} faults")
    return 1 if faults or not code else 0


if __name__ == "__main__":
    sys.exit(main())
