#!/usr/bin/env python3
"""Checks that every target imports only what layers.txt allows, in Package.swift and in its sources."""

import fnmatch
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import tree

IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?"
    r"import\s+(?:(?:struct|class|enum|protocol|typealias|func|let|var)\s+)?(\w+)",
    re.MULTILINE,
)
SOURCES = (".swift", ".c", ".h", ".modulemap")


class Table:
    """layers.txt: what each target may import, in the order of the rows."""

    def __init__(self, text):
        self.rows, self.outside = {}, set()
        for line in text.splitlines():
            line = line.split("#")[0].strip()
            if not line:
                continue
            name, _, allowed = line.partition(":")
            words = set(allowed.split()) - {"-"}
            if name.strip() == "outside":
                self.outside = words
            else:
                self.rows[name.strip()] = words

    def row(self, target):
        """The name of the row for a target: its own, or that of a pattern."""
        if target in self.rows:
            return target
        return next((row for row in self.rows if "*" in row and fnmatch.fnmatchcase(target, row)), None)

    def faults(self):
        """What is wrong with the table itself: rows that point upwards, or to nothing."""
        names = list(self.rows)
        for index, (name, allowed) in enumerate(self.rows.items()):
            for module in sorted(allowed - self.outside - {"*"}):
                if module not in self.rows:
                    yield f"layers.txt: {name} may import {module}, which is neither a row nor outside"
                elif names.index(module) >= index:
                    yield f"layers.txt: {name} may import {module}, which is not below it"


def manifests(root, fixed):
    """The package as SwiftPM reads it, without and with the fuzz targets (or from files, for tests of this check)."""
    if fixed:
        return [json.loads(path.read_text()) for path in fixed]
    return [dump(root, fuzz) for fuzz in ({}, {"FUZZ": "1"})]


def dump(root, extra):
    command = ["swift", "package", "--package-path", str(root), "dump-package"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **extra}, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"layers: swift package dump-package failed:\n{done.stderr}")
    return json.loads(done.stdout)


def merged(packages):
    """The targets of all manifests by name, each with the names of everything it depends on."""
    targets = {}
    for package in packages:
        for target in package["targets"]:
            needs = targets.setdefault(target["name"], {**target, "needs": set()})["needs"]
            for dependency in target["dependencies"]:
                kind = next(k for k in ("byName", "target", "product") if k in dependency)
                needs.add(dependency[kind][0])
    return targets


def folder(target):
    """Where SwiftPM looks for a target's sources."""
    return target.get("path") or f"{'Tests' if target['type'] == 'test' else 'Sources'}/{target['name']}"


def imports(root, sources):
    """(file, module) for every import in Swift sources."""
    for path in sources:
        if path.suffix == ".swift":
            code = tree.swift_code((root / path).read_text())
            yield from ((path, module) for module in IMPORT.findall(code))


def target_faults(root, table, target, everything):
    """What is wrong with one target."""
    name, place = target["name"], folder(target)
    row = table.row(name)
    if row is None:
        yield f"target {name} has no row in layers.txt"
        return
    allowed = table.rows[row]
    free = "*" in allowed
    sources = [p for p in everything if p.is_relative_to(place)]
    if target["type"] != "system" and not any(has_code(root / p) for p in sources):
        yield f"target {name} is empty: no code in {place}"
    yield from (f"{p}: holds no code" for p in sources if p.suffix == ".swift" and not has_code(root / p))

    for need in sorted(target["needs"]):
        if not free and need not in allowed:
            yield f"Package.swift: {name} depends on {need}; layers.txt does not allow it"
    seen = set()
    for path, module in imports(root, sources):
        seen.add(module)
        if module == "Foundation" and place.startswith("Sources"):
            yield f"{path}: imports Foundation, which no target in Sources may"
        elif not free and module not in allowed:
            yield f"{path}: {name} imports {module}; layers.txt does not allow it"
        elif module == "XCTest":
            yield f"{path}: imports XCTest; tests are written with Swift Testing"
    if not free and any(p.suffix == ".swift" for p in sources):
        yield from (f"Package.swift: {name} depends on {n} and never imports it" for n in sorted(target["needs"] - seen))


def has_code(path):
    """Whether a file holds anything but comments and white space."""
    return bool(tree.swift_code(path.read_text()).strip())


def strays(targets, everything):
    """Sources that no target owns."""
    owned = [folder(target) for target in targets.values()]
    for path in everything:
        if not any(path.is_relative_to(place) for place in owned):
            yield f"{path}: belongs to no target of Package.swift"


def main():
    parser = tree.options(__doc__)
    parser.add_argument("--manifest", type=Path, action="append", help="read this JSON instead of asking SwiftPM")
    parser.add_argument("--table", type=Path, default=Path(__file__).with_name("layers.txt"))
    arguments = parser.parse_args()

    table = Table(arguments.table.read_text())
    targets = merged(manifests(arguments.root, arguments.manifest))
    everything = tree.files(arguments.root, *SOURCES, under="Sources/")
    tested = tree.files(arguments.root, *SOURCES, under="Tests/")
    faults = list(table.faults())
    for target in targets.values():
        faults += target_faults(arguments.root, table, target, everything + tested)
    faults += strays(targets, everything)
    return tree.verdict("layers", faults, f"{len(targets)} targets import only what layers.txt allows")


if __name__ == "__main__":
    sys.exit(main())
