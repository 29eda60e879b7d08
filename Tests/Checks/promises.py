#!/usr/bin/env python3
"""Checks that every promise of docs/protocol.md has a test that names it.

A promise is a line `- **P7** …`. A test names those it proves at the start of its display name:
`@Test("P11, P12: the commands before an illegal one are done")`. A promise that nothing can show yet stands in
promises.txt, `P32 : why`. Fails for a promise with neither, for one with both, and for a number that is no promise's.
"""

import re
import sys

import tree
from coverage import DISPLAY_NAME

PROMISE = re.compile(r"^- \*\*(P\d+)\*\*", re.M)
NUMBER = re.compile(r"P\d+")


def exceptions(path):
    """The promises that are excused, and what is wrong with the file."""
    excused, faults = set(), []
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, reason = line.partition(":")
        if not NUMBER.fullmatch(name.strip()) or not reason.strip():
            faults.append(f"{path.name}:{number}: not `P1 : why it has no test`")
        excused.add(name.strip())
    return excused, faults


def cited(root):
    """Where each number is named: by a display name of a test."""
    places = {}
    for path in tree.files(root, ".swift", under="Tests/"):
        text = (root / path).read_text()
        for match in DISPLAY_NAME.finditer(text):
            head, colon, _ = (match.group(1) or match.group(3) or "").partition(":")
            parts = [part.strip() for part in head.split(",")]
            # Invariants (I1) may stand among them.
            if colon and all(re.fullmatch(r"[IP]\d+", part) for part in parts):
                line = text.count("\n", 0, match.start()) + 1
                for part in filter(NUMBER.fullmatch, parts):
                    places.setdefault(part, []).append(f"{path}:{line}")
    return places


def main():
    root = tree.options(__doc__).parse_args().root
    page = root / "docs/protocol.md"
    promises = PROMISE.findall(page.read_text())
    excused, faults = exceptions(root / "Tests/Checks/promises.txt")
    places = cited(root)
    for name in promises:
        if name not in places and name not in excused:
            faults.append(f"docs/protocol.md: {name} has no test, and no line in promises.txt")
        if name in places and name in excused:
            faults.append(f"promises.txt: {name} has a test at {places[name][0]}: remove the line")
    if not promises:
        faults.append("docs/protocol.md: no promise was found in it")
    for name in sorted((set(places) | excused) - set(promises)):
        faults.append(f"{places.get(name, ['promises.txt'])[0]}: {name} is no promise of docs/protocol.md")
    return tree.verdict("promises", faults, f"{len(promises)}, of which {len(excused)} wait for their test")


if __name__ == "__main__":
    sys.exit(main())
