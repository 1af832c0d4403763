#!/usr/bin/env python3
"""Adds up what the layers of tests/run left in a folder; prints one line, exits 1 on failures.

*.xml     JUnit, by pytest
*.json    meson's test log (one JSON a line), where cmocka's own counts are looked for; or
          {"passed": N, "failed": N}
*.failed  a layer that ended badly: one failure, unless its own files tell of one
"""
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def count_junit(file):
    suites = ElementTree.parse(file).getroot().iter("testsuite")
    passed = failed = skipped = 0
    for suite in suites:
        total = int(suite.get("tests", 0))
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        left = int(suite.get("skipped", 0))
        passed, failed, skipped = passed + total - bad - left, failed + bad, skipped + left
    return max(passed, 0), failed, skipped


def count_meson_line(entry):
    text = entry.get("stdout", "") + entry.get("stderr", "")
    good = sum(int(number) for number in re.findall(r"\[  PASSED  \] (\d+) test", text))
    bad = sum(int(number) for number in re.findall(r"\[  FAILED  \] (\d+) test", text))
    if entry["result"] == "SKIP":
        return 0, 0, 1
    if entry["result"] != "OK":
        return good, max(bad, 1), 0
    return max(good, 1), bad, 0


def count_json(file):
    counts = (0, 0, 0)
    for line in file.read_text().splitlines():
        entry = json.loads(line)
        if "passed" in entry:
            more = entry["passed"], entry["failed"], entry.get("skipped", 0)
        else:
            more = count_meson_line(entry)
        counts = tuple(a + b for a, b in zip(counts, more))
    return counts


def main(folder):
    passed = failed = skipped = 0
    told = set()
    for file in sorted(folder.iterdir()):
        if file.suffix not in (".xml", ".json"):
            continue
        good, bad, left = count_junit(file) if file.suffix == ".xml" else count_json(file)
        print(f"{file.stem:8} {good} good, {bad} bad, {left} left out")
        passed, failed, skipped = passed + good, failed + bad, skipped + left
        told.add(file.stem if bad else None)
    broken = {file.stem for file in folder.glob("*.failed")}
    if broken:
        print("ended badly: " + ", ".join(sorted(broken)))
        failed += len(broken - told)
    if passed == 0:
        failed = max(failed, 1)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
