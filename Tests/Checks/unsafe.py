#!/usr/bin/env python3
"""Checks that unsafe code stays where it is ordinary, and that some words stay out of Sources.

Outside ALLOWED a line with `unsafe` needs a comment `// SAFETY: ...` right above it; one comment covers a run of
adjacent lines. `try!`, `as!` and `fatalError(`, and notes to do something later, are allowed nowhere in Sources.
"""

import re
import sys

import tree

# Reading of files, time stamps and counters of the kernel, and the one module for raw descriptors.
ALLOWED = ("Sources/Captures/", "Sources/smmu-broker-bench/", "Sources/LinuxSystem/")

UNSAFE = re.compile(r"\bunsafe\b")
BANNED_CODE = {"try!": re.compile(r"\btry!"), "as!": re.compile(r"\bas!"), "fatalError(": re.compile(r"\bfatalError\s*\(")}
BANNED_TEXT = re.compile(r"\b(TODO|FIXME|XXX)\b")


def justified(lines, code, index):
    """Whether a SAFETY comment stands above line `index`, over the run of unsafe lines that it belongs to."""
    above = index - 1
    while above >= 0 and UNSAFE.search(code[above]):
        above -= 1
    while above >= 0 and lines[above].strip().startswith("//"):
        if "// SAFETY: " in lines[above]:
            return True
        above -= 1
    return False


def file_faults(path, lines, code):
    for number, (line, bare) in enumerate(zip(lines, code), start=1):
        for word, pattern in BANNED_CODE.items():
            if pattern.search(bare):
                yield f"{path}:{number}: {word} may end the program; throw, or use a precondition with a reason"
        if note := BANNED_TEXT.search(line):
            yield f"{path}:{number}: {note.group()}: do it now, or leave it out"
        if UNSAFE.search(bare) and not str(path).startswith(ALLOWED) and not justified(lines, code, number - 1):
            yield f"{path}:{number}: unsafe without a comment `// SAFETY: why` above it"


def main():
    root = tree.options(__doc__).parse_args().root
    faults, allowed, explained = [], 0, 0
    for path in tree.files(root, ".swift", under="Sources/"):
        text = (root / path).read_text()
        lines, code = text.splitlines(), tree.swift_code(text).splitlines()
        faults += file_faults(path, lines, code)
        count = sum(len(UNSAFE.findall(line)) for line in code)
        if str(path).startswith(ALLOWED):
            allowed += count
        else:
            explained += count
    return tree.verdict("unsafe", faults, f"{allowed} where it is ordinary, {explained} elsewhere, each explained")


if __name__ == "__main__":
    sys.exit(main())
