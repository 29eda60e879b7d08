#!/usr/bin/env python3
"""Checks that every relative link of every Markdown file leads to a file, and to a heading if it names one."""

import re
import sys
from pathlib import Path
from urllib.parse import unquote

import tree

LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)


def anchors(text):
    """The anchors that GitHub gives to the headings of a page."""
    seen = {}
    for title in HEADING.findall(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        seen[slug] = seen.get(slug, -1) + 1
        yield f"{slug}-{seen[slug]}" if seen[slug] else slug


def link_fault(root, page, target):
    """What is wrong with one link of `page`, or nothing."""
    place, _, anchor = target.partition("#")
    path = root / page if not place else (root / page).parent / unquote(place)
    path = Path(path).resolve()
    if not path.is_relative_to(root.resolve()):
        return f"{page}: {target} leads out of the project"
    if not path.exists():
        return f"{page}: {target} leads to nothing"
    if anchor and path.suffix == ".md" and anchor not in anchors(path.read_text()):
        return f"{page}: {target}: there is no such heading"
    return None


def main():
    root = tree.options(__doc__).parse_args().root
    faults, count = [], 0
    for page in tree.files(root, ".md"):
        text = CODE.sub("", (root / page).read_text())
        for inline, reference in LINK.findall(text):
            target = inline or reference
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue  # another site, or mail
            count += 1
            faults.append(link_fault(root, page, target))
    return tree.verdict("links", list(filter(None, faults)), f"{count} relative links lead somewhere")


if __name__ == "__main__":
    sys.exit(main())
