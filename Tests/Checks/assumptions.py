#!/usr/bin/env python3
"""Checks that every check that docs/kernel-assumptions.md names is one of the lab's.

Names stand in backticks in the last column of the tables where that column is called "check". In them `…` is anything, N a number, and a PCI address the one
that a script has in a variable; a name that ends in `:` is the beginning of many. A name counts as there when a file of
the lab contains it.
"""

import re
import sys

import tree

TABLE = re.compile(r"^\|.*\| check \|\n((?:\|.*\|\n?)*)", re.M)
ROW = re.compile(r"^\|.*\|([^|]*)\|$", re.M)
NAME = re.compile(r"`([^`]+)`")
VARIABLE = re.compile(r"\b(?:N|[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])(?!\w)")
WHERE = ("Tests/Lab/", "Tests/Support/KernelBehaviour/")


def pattern(name):
    """A name as the lab's sources have it."""
    parts = [re.escape(part) for part in re.split(r"…|" + VARIABLE.pattern, name)]
    gaps = [r"[^\"\n]*" if gap == "…" else r"[\w$]+" for gap in re.findall(r"…|" + VARIABLE.pattern, name)]
    return re.compile("".join(part + gap for part, gap in zip(parts, gaps + [""])))


def named(page):
    """Each name, and the line on which it stands."""
    for table in TABLE.finditer(page):
        for row in ROW.finditer(page, table.start(1), table.end(1)):
            for name in NAME.findall(row.group(1)):
                yield name, page.count("\n", 0, row.start()) + 1


def main():
    root = tree.options(__doc__).parse_args().root
    lab = "\n".join(
        (root / path).read_text() for place in WHERE for path in tree.files(root, ".c", ".sh", ".swift", under=place))
    names = list(named((root / "docs/kernel-assumptions.md").read_text()))
    faults = [f"docs/kernel-assumptions.md:{line}: the lab has no check `{name}`" for name, line in names
              if not pattern(name).search(lab)]
    if not names:
        faults.append("docs/kernel-assumptions.md: no check is named in it")
    return tree.verdict("assumptions", faults, f"{len(names)} checks of the lab are named, and are there")


if __name__ == "__main__":
    sys.exit(main())
