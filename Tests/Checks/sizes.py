#!/usr/bin/env python3
"""Checks the lengths of files and functions.

Hard limits: 700 lines a file, 70 lines a function, unless a comment `// A table: ...` above the function or in its
first lines says why it is long. Budget, a warning: the median Swift file has at most 200 lines, the 90th percentile 450.
"""

import ast
import re
import sys

import tree

FILE_LIMIT, FUNCTION_LIMIT = 700, 70
MEDIAN_BUDGET, P90_BUDGET = 200, 450
EXCUSE = re.compile(r"//+ A table: \S")
EXCUSE_DEPTH = 5  # lines of a function in which the excuse may stand

SWIFT_FUNCTION = re.compile(r"\bfunc\s+([^\s(<]+)|(?<![.\w])(init|deinit|subscript)\b|\bvar\s+(\w+)\s*:[^={}\n]*(?=\{)")
C_FUNCTION = re.compile(r"^[A-Za-z_][^;{}=]*?\b(\w+)\s*\([^;{}]*\)\s*(?=\{)", re.MULTILINE)


def swift_functions(text):
    """(name, first line, last line) of every function, initialiser, subscript and computed property with a body."""
    code = tree.swift_code(text)
    for match in SWIFT_FUNCTION.finditer(code):
        brace = body_start(code, match.end())
        if brace is not None:
            yield next(filter(None, match.groups())), line_of(code, match.start()), line_of(code, block_end(code, brace))


def body_start(code, at):
    """Where the body of a declaration opens: its first brace outside parentheses, unless it is a mere requirement."""
    depth = 0
    for index in range(at, len(code)):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(code[index], 0)
        if depth < 0 or (depth == 0 and code[index] == "}"):
            return None
        if depth == 0 and code[index] == "{":
            return index
        if depth == 0 and re.match(r"\n\s*(?:func|var|let|init|static|mutating|case|struct|enum|@)\b", code[index:]):
            return None
    return None


def block_end(code, brace):
    """Where the block closes that opens at `brace`."""
    depth = 0
    for index in range(brace, len(code)):
        depth += {"{": 1, "}": -1}.get(code[index], 0)
        if depth == 0:
            return index
    return len(code) - 1


def c_functions(text):
    """The same for C."""
    code = tree.swift_code(text)
    for match in C_FUNCTION.finditer(code):
        yield match.group(1), line_of(code, match.start()), line_of(code, block_end(code, match.end()))


def python_functions(text):
    """The same for Python."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.lineno, node.end_lineno


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def excused(lines, first):
    """Whether the comment that allows a long function stands above line `first` or shortly after it."""
    above = first - 1
    while above > 0 and lines[above - 1].strip().startswith(("//", "@", "///")):
        above -= 1
    return any(EXCUSE.search(line) for line in lines[above : first + EXCUSE_DEPTH])


READERS = {".swift": swift_functions, ".c": c_functions, ".h": c_functions, ".py": python_functions}


def file_faults(root, path):
    text = (root / path).read_text()
    lines = text.splitlines()
    if len(lines) > FILE_LIMIT:
        yield f"{path}: {len(lines)} lines; the limit is {FILE_LIMIT}"
    for name, first, last in READERS[path.suffix](text):
        length = last - first + 1
        if length > FUNCTION_LIMIT and not excused(lines, first):
            yield f"{path}:{first}: {name} has {length} lines; the limit is {FUNCTION_LIMIT} (or say `// A table: why`)"


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))] if sorted_values else 0


def main():
    root = tree.options(__doc__).parse_args().root
    paths = tree.files(root, *READERS)
    faults = [fault for path in paths for fault in file_faults(root, path)]
    lengths = sorted(len((root / p).read_text().splitlines()) for p in paths if p.suffix == ".swift")
    median, p90 = percentile(lengths, 0.5), percentile(lengths, 0.9)
    if median > MEDIAN_BUDGET or p90 > P90_BUDGET:
        print(f"sizes: warning: the budget is a median of {MEDIAN_BUDGET} lines and a 90th percentile of {P90_BUDGET}")
    summary = f"{len(lengths)} Swift files, median {median} lines, 90th percentile {p90}, longest {max(lengths, default=0)}"
    return tree.verdict("sizes", faults, summary)


if __name__ == "__main__":
    sys.exit(main())
