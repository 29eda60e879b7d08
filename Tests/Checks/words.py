#!/usr/bin/env python3
"""Checks that no file names a place that exists only on one developer's machine."""

import re
import sys

import tree

HOMES = re.compile(r"(?<![\w.:/-])/(?:home|root|Users)" + r"/[\w.-]*")


def main():
    root = tree.options(__doc__).parse_args().root
    faults, count = [], 0
    for path in tree.files(root):
        try:
            text = (root / path).read_text()
        except UnicodeDecodeError:
            continue  # an archive or an image
        count += 1
        for number, line in enumerate(text.splitlines(), start=1):
            faults += [f"{path}:{number}: {place} is a path of one machine" for place in HOMES.findall(line)]
    return tree.verdict("words", faults, f"{count} text files name no machine's own paths")


if __name__ == "__main__":
    sys.exit(main())
