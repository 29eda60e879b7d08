#!/usr/bin/env python3
"""Shows which test proves which rule of the SMMUv3 architecture.

The rules are the rows of model-rules.tsv. A test names those it proves at the start of its display name:
`@Test("tlb.nh-va, tlb.global: a global page goes with any ASID")`. Without an option this writes
docs/model-coverage.md; with --check it fails when that file is out of date or a rule has no test. Both fail when a test
names a rule that does not exist.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path
from urllib.parse import quote

import tree

RULE_ID = r"[a-z0-9-]+(?:\.[a-z0-9-]+)+"
PLAIN_NAME, RAW_NAME = r'"((?:[^"\\\n]|\\.)*)"', r'(#+)"(.*?)"\2'
DISPLAY_NAME = re.compile(rf"@Test\(\s*(?:{PLAIN_NAME}|{RAW_NAME})")
PAGE = "docs/model-coverage.md"


class Rule:
    """One row of the table, and the tests that name it: (file, sentence)."""

    def __init__(self, ident, section, text):
        self.ident, self.section, self.text, self.tests = ident, section, text, []


def read_rules(path):
    """The rules by id, in the order of the file, and what is wrong with the file."""
    rules, faults = {}, []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        cells = line.split("\t")
        if number == 1 and cells == ["id", "section", "rule"]:
            continue
        if len(cells) != 3 or not all(cells) or not re.fullmatch(RULE_ID, cells[0]):
            faults.append(f"{path.name}:{number}: not `id TAB section TAB rule`")
        elif cells[0] in rules:
            faults.append(f"{path.name}:{number}: {cells[0]} is there twice")
        else:
            rules[cells[0]] = Rule(*cells)
    return rules, faults


def cited(name):
    """The rule ids and the sentence of a display name; no ids if the part before the colon is not a list of them."""
    head, colon, sentence = name.partition(":")
    parts = [part.strip() for part in head.split(",")]
    if not colon or not any(re.fullmatch(RULE_ID, part) for part in parts):
        return [], name
    return parts, sentence.strip()


def collect(root, rules):
    """Adds every test to the rules that it names, and gives what is wrong with the names."""
    for path in tree.files(root, ".swift", under="Tests/"):
        text = (root / path).read_text()
        for match in DISPLAY_NAME.finditer(text):
            where = f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
            plain, _, raw = match.groups()
            idents, sentence = cited(raw if plain is None else plain.replace('\\"', '"'))
            if idents and not sentence:
                yield f"{where}: the test says nothing after its rules"
            for ident in idents:
                if ident in rules:
                    rules[ident].tests.append((path, sentence))
                else:
                    yield f"{where}: there is no rule `{ident}` in model-rules.tsv"


def page(rules):
    """The text of docs/model-coverage.md."""
    sections = defaultdict(list)
    for rule in rules.values():
        sections[rule.section].append(rule)
    covered = sum(bool(rule.tests) for rule in rules.values())
    lines = [
        "# What the model is tested for",
        "",
        "Written by `make coverage-doc` from [model-rules.tsv](../Tests/Checks/model-rules.tsv) and the names of the",
        "tests; do not edit it. The rules are those of the Arm SMMUv3 architecture (IHI 0070) and of VMSAv8-64 (the Arm",
        "Architecture Reference Manual) in our own words.",
        "",
        f"{covered} of {len(rules)} rules have a test.",
    ]
    for title, members in sections.items():
        lines += ["", f"## {title}", "", "| rule | what must hold | tests |", "|---|---|---|"]
        lines += [f"| `{rule.ident}` | {cell(rule.text)} | {tests_cell(rule.tests)} |" for rule in members]
    return "\n".join(lines) + "\n"


def tests_cell(tests):
    return "<br>".join(f"[{p.stem}](../{quote(str(p))}): {cell(sentence)}" for p, sentence in tests) or "**none**"


def cell(text):
    """Text that stays one cell of a Markdown table and is taken literally."""
    return re.sub(r"([|<>*])", r"\\\1", text)


def main():
    parser = tree.options(__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something is missing")
    arguments = parser.parse_args()

    rules, faults = read_rules(arguments.root / "Tests/Checks/model-rules.tsv")
    faults += collect(arguments.root, rules)
    text, path = page(rules), arguments.root / PAGE
    untested = [rule for rule in rules.values() if not rule.tests]
    if arguments.check:
        for title in dict.fromkeys(rule.section for rule in untested):
            missing = ", ".join(rule.ident for rule in untested if rule.section == title)
            faults.append(f"{title}: no test proves {missing}")
        if not path.is_file() or path.read_text() != text:
            faults.append(f"{PAGE} is out of date: run `make coverage-doc`")
    else:
        Path(path.parent).mkdir(exist_ok=True)
        path.write_text(text)
    return tree.verdict("coverage", faults, f"{len(rules)} rules, {len(untested)} without a test")


if __name__ == "__main__":
    sys.exit(main())
