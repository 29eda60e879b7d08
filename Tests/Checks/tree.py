"""What every check needs: the files of the project, Swift source without comments and strings, and one way to fail."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent


def options(description):
    """An argument parser with the option that every check has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=Path, default=PROJECT, help="the tree to check (default: this project)")
    return parser


def files(root, *suffixes, under=""):
    """The project's files (ignored ones left out) as paths relative to `root`, sorted, by suffix and folder."""
    git = ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "--cached", "--others"]
    try:
        listing = subprocess.run([*git, "--exclude-standard"], capture_output=True, text=True, check=True).stdout
        names = listing.split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = walk(root)
    wanted = (n for n in names if n and n.startswith(under) and (not suffixes or n.endswith(suffixes)))
    return sorted({Path(n) for n in wanted if (root / n).is_file()})


def walk(root):
    """Every file below `root` but hidden folders': what there is to check when the tree is no git checkout."""
    for folder, below, names in os.walk(root):
        below[:] = [b for b in below if not b.startswith(".")]
        yield from (os.path.relpath(os.path.join(folder, n), root) for n in names)


def verdict(check, faults, good):
    """Prints the faults, or the good news, and gives the exit status."""
    for fault in faults:
        print(f"{check}: {fault}", file=sys.stderr)
    if faults:
        print(f"{check}: {len(faults)} fault(s)", file=sys.stderr)
        return 1
    print(f"{check}: {good}")
    return 0


def swift_code(text):
    """`text` with comments and the text of string literals blanked; lines, columns and interpolated code stay."""
    return SwiftBlanker(text).run()


class SwiftBlanker:
    """Goes through Swift source once. `out` is as long as what was read, so positions in both agree."""

    def __init__(self, text):
        self.text, self.at, self.out = text, 0, []

    def run(self):
        self.code(closer=None)
        return "".join(self.out)

    def keep(self, count=1):
        self.out.append(self.text[self.at : self.at + count])
        self.at += count

    def blank(self, count=1):
        self.out.append("".join(c if c == "\n" else " " for c in self.text[self.at : self.at + count]))
        self.at += count

    def looking_at(self, word):
        return self.text.startswith(word, self.at)

    def code(self, closer):
        """Code up to the end, or to the parenthesis that ends an interpolation."""
        depth = 0
        while self.at < len(self.text):
            hashes = self.hashes()
            if self.looking_at("//"):
                end = self.text.find("\n", self.at)
                self.blank((len(self.text) if end < 0 else end) - self.at)
            elif self.looking_at("/*"):
                self.block_comment()
            elif self.text.startswith('"', self.at + hashes):
                self.string(hashes)
            else:
                depth += {"(": 1, ")": -1}.get(self.text[self.at], 0)
                self.keep()
                if closer and depth < 0:
                    return

    def hashes(self):
        """How many # stand here: those before a raw string's quote."""
        end = self.at
        while self.text.startswith("#", end):
            end += 1
        return end - self.at

    def block_comment(self):
        depth = 0
        while self.at < len(self.text):
            if self.looking_at("/*"):
                depth += 1
                self.blank(2)
            elif self.looking_at("*/"):
                depth -= 1
                self.blank(2)
                if depth == 0:
                    return
            else:
                self.blank()

    def string(self, hashes):
        quote = '"""' if self.text.startswith('"""', self.at + hashes) else '"'
        self.keep(hashes + len(quote))
        end, escape = quote + "#" * hashes, "\\" + "#" * hashes
        while self.at < len(self.text) and not self.looking_at(end):
            if self.looking_at(escape + "("):
                self.keep(len(escape) + 1)
                self.code(closer=")")
            elif self.looking_at(escape):
                self.blank(len(escape) + 1)
            elif quote == '"' and self.looking_at("\n"):
                return
            else:
                self.blank()
        self.keep(len(end))
