#!/usr/bin/env python3
"""Plants one fault after the other in a small tree and looks whether the check meant for it finds it."""

import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import tree

HERE = Path(__file__).resolve().parent
RULES = "id\tsection\trule\ntlb.nh-va\tTLB\tDrops an address.\ntlb.global\tTLB\tKeeps a global page.\n"


class Planted(unittest.TestCase):
    """A temporary tree, a check run on it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def run_check(self, check, *options):
        command = [sys.executable, "-B", HERE / f"{check}.py", "--root", self.root, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stderr

    def passes(self, check, *options):
        self.assertEqual(self.run_check(check, *options), (0, ""))

    def fails(self, check, message, *options):
        status, text = self.run_check(check, *options)
        self.assertEqual(status, 1)
        self.assertIn(message, text)


class SwiftCode(unittest.TestCase):
    def test_comments_and_strings_are_blanked_and_interpolations_stay(self):
        source = 'a /* x /* y */ "z" */ b "t\\"u\\(f("v") + w)" #"r\\(s)\\#(q)"# // end\nc'
        code = tree.swift_code(source)
        self.assertEqual(len(code), len(source))
        for word in "abcfwq":
            self.assertIn(word, code)
        for word in "xyztuvrs":
            self.assertNotIn(word, code)
        self.assertNotIn("end", code)

    def test_a_long_string_may_hold_quotes(self):
        self.assertEqual(tree.swift_code('"""\n"a" b\n"""; c').split(), ['"""', '""";', "c"])


class Assumptions(Planted):
    HEAD = "| assumption | check |\n|---|---|\n"

    def setUp(self):
        super().setUp()
        self.write("Tests/Lab/a.c", 'check("it ends", true);\n')
        self.write("Tests/Lab/b.sh", 'check "round $round: it starts" true\ncheck "vfio-pci has $device" true\n')

    def test_all_are_there(self):
        self.write("docs/kernel-assumptions.md",
                   self.HEAD + "| `of code` | `it ends`, `round N: it starts` |\n| b | `vfio-pci has 0000:00:08.0`, `it …` |\n")
        self.passes("assumptions")

    def test_one_that_is_not(self):
        self.write("docs/kernel-assumptions.md", self.HEAD + "| a | `it ends`, `it goes on` |\n")
        self.fails("assumptions", "kernel-assumptions.md:3: the lab has no check `it goes on`")

    def test_a_page_without_names(self):
        self.write("docs/kernel-assumptions.md", self.HEAD)
        self.fails("assumptions", "no check is named")


class Promises(Planted):
    def setUp(self):
        super().setUp()
        self.write("docs/protocol.md", "- **P1** One.\n- **P2** Two, see P1.\n")
        self.write("Tests/A/A.swift", '@Test("P1: one") func a() {}\n@Test(\n    "P2, P1: both", arguments: [1])\n')

    def test_all_named(self):
        self.passes("promises")

    def test_a_promise_without_a_test(self):
        self.write("docs/protocol.md", "- **P1** One.\n- **P2** Two.\n- **P3** Three.\n")
        self.fails("promises", "P3 has no test")
        self.write("Tests/Checks/promises.txt", "# Why\nP3 : not yet\n")
        self.passes("promises")

    def test_an_excuse_that_is_none(self):
        self.write("Tests/Checks/promises.txt", "P2 : not yet\n")
        self.fails("promises", "P2 has a test at Tests/A/A.swift")
        self.write("Tests/Checks/promises.txt", "P2\n")
        self.fails("promises", "not `P1 : why")

    def test_a_number_that_is_no_promise(self):
        self.write("Tests/A/B.swift", '@Test("P9: nine") func b() {}\n')
        self.fails("promises", "P9 is no promise")


class Layers(Planted):
    def manifest(self, *dependencies):
        targets = [
            {"name": "Low", "type": "regular", "dependencies": []},
            {"name": "High", "type": "regular", "dependencies": [{"byName": [d, None]} for d in dependencies]},
        ]
        self.write("manifest.json", json.dumps({"targets": targets}))
        self.write("Sources/Low/Low.swift", "let low = 1")
        self.write("Sources/High/High.swift", "".join(f"internal import {d}\n" for d in dependencies) + "let high = 1")
        self.table("outside : Glibc\nLow : -\nHigh : Low\n")

    def table(self, text):
        self.write("table.txt", text)

    @property
    def options(self):
        return ["--manifest", self.root / "manifest.json", "--table", self.root / "table.txt"]

    def test_allowed(self):
        self.manifest("Low")
        self.passes("layers", *self.options)

    def test_dependency_that_is_not_allowed(self):
        self.manifest("Low", "Other")
        self.fails("layers", "High depends on Other", *self.options)

    def test_import_that_is_not_allowed(self):
        self.manifest("Low")
        self.write("Sources/Low/More.swift", "// why\n@preconcurrency import struct Glibc.timespec\n")
        self.fails("layers", "Low imports Glibc", *self.options)

    def test_foundation(self):
        self.manifest("Low")
        self.write("Sources/Low/More.swift", "import Foundation\n")
        self.fails("layers", "imports Foundation", *self.options)

    def test_dependency_that_nothing_imports(self):
        self.manifest("Low")
        self.write("Sources/High/High.swift", "let high = 1")
        self.fails("layers", "never imports it", *self.options)

    def test_no_row(self):
        self.manifest("Low")
        self.table("Low : -\n")
        self.fails("layers", "High has no row", *self.options)

    def test_a_table_that_points_upwards(self):
        self.manifest("Low")
        self.table("Low : High\nHigh : Low\n")
        self.fails("layers", "High, which is not below it", *self.options)

    def test_empty_target(self):
        self.manifest("Low")
        self.write("Sources/Low/Low.swift", "// nothing yet\n")
        self.fails("layers", "target Low is empty", *self.options)

    def test_source_of_no_target(self):
        self.manifest("Low")
        self.write("Sources/Forgotten/A.swift", "let a = 1")
        self.fails("layers", "belongs to no target", *self.options)


class Sizes(Planted):
    def function(self, lines, head="func f() -> [Int]"):
        return f"struct S {{\n    {head} {{\n" + "        // {\n" * (lines - 2) + "    }\n}\n"

    def test_lengths_at_the_limits(self):
        self.write("Sources/A/A.swift", self.function(70))
        self.write("Sources/A/B.swift", "let b = 1\n" * 700)
        self.passes("sizes")

    def test_long_file(self):
        self.write("Sources/A/A.swift", "let a = 1\n" * 701)
        self.fails("sizes", "701 lines; the limit is 700")

    def test_long_functions(self):
        for head in ("func f<T>(_ t: (T) -> Int = { _ in 0 }) -> Int", "init?(a: Int)", "var size: Int"):
            self.write("Sources/A/A.swift", self.function(71, head))
            self.fails("sizes", "has 71 lines")

    def test_long_table(self):
        self.write("Sources/A/A.swift", self.function(90).replace("// {", "// A table: one line for each event", 1))
        self.passes("sizes")

    def test_requirements_have_no_length(self):
        self.write("A.swift", "protocol P {\n    func f()\n    init()\n}\nstruct S {\n" + "    let a = 1\n" * 80 + "}\n")
        self.passes("sizes")

    def test_long_c_function(self):
        self.write("Sources/C/c.c", "int f(int a)\n{\n" + "    a++;\n" * 70 + "    return a;\n}\n")
        self.fails("sizes", "f has 74 lines")


class Unsafe(Planted):
    def test_explained(self):
        text = "// SAFETY: the span\n// is longer.\nlet a = unsafe p[0]\nlet b = unsafe p[1]\n// unsafe\n"
        self.write("Sources/A/A.swift", text)
        self.passes("unsafe")

    def test_unexplained(self):
        self.write("Sources/A/A.swift", "// a\nlet a = unsafe p[0]\n")
        self.fails("unsafe", "A.swift:2: unsafe without")

    def test_where_it_is_ordinary(self):
        self.write("Sources/Captures/A.swift", "let a = unsafe p[0]\n")
        self.passes("unsafe")

    def test_banned_words(self):
        for text in ("let a = try! b()", "a as! B", "fatalError()", "// TODO: more", "/* FIXME */"):
            self.write("Sources/Captures/A.swift", text)
            self.fails("unsafe", "A.swift:1")

    def test_words_in_text_are_no_code(self):
        self.write("Sources/A/A.swift", 'let a = "unsafe try! b"\n')
        self.passes("unsafe")


class WordsAndLinks(Planted):
    def test_home(self):
        self.write("README.md", "See /" + "home/ann/notes and https://example.org/home/x.")
        self.fails("words", "/ann is a path")
        self.write("README.md", "See https://example.org/home/x and ../root/y.")
        self.passes("words")

    def test_links(self):
        self.write("docs/a.md", "# One `two`, three\n[b](#one-two-three) [c](../README.md) [d](https://example.org)")
        self.write("README.md", "[a](docs/a.md#one-two-three)\n`[x](nowhere)`\n")
        self.passes("links")
        self.write("README.md", "[a](docs/b.md)")
        self.fails("links", "docs/b.md leads to nothing")
        self.write("README.md", "[a](docs/a.md#four)")
        self.fails("links", "no such heading")


MAKEFILE = """
DESTDIR ?=
PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITS := $(DESTDIR)$(PREFIX)/lib/systemd/system
CATALOG := $(DESTDIR)$(PREFIX)/lib/systemd/catalog/c.catalog
CONFIG := $(DESTDIR)$(SYSCONFDIR)/c.conf
install:
\tinstall -D -m 755 $(BUILD_DIR)/smmu-brokerd $(DESTDIR)$(PREFIX)/sbin/d
\tsed 's|/usr/|$(PREFIX)/|' d.service | install -D -m 644 /dev/stdin $(UNITS)/d.service
\tinstall -D -m 644 c.catalog $(CATALOG)
\t[ -e $(CONFIG) ] || install -D -m 644 c.conf $(CONFIG)
uninstall:
\trm -f $(DESTDIR)$(PREFIX)/sbin/d $(UNITS)/d.service $(CATALOG)
\tif cmp -s c.conf $(CONFIG); then rm -f $(CONFIG); fi
"""
UNIT = "[Unit]\nDescription=D\n[Service]\nExecStart=/usr/sbin/d\n"
HARDENED = UNIT + """DynamicUser=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateUsers=yes
ProtectHome=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
CapabilityBoundingSet=
RestrictAddressFamilies=none
RestrictNamespaces=yes
RestrictRealtime=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @mount @obsolete @privileged @raw-io @reboot @resources @swap
UMask=0077
IPAddressDeny=any
"""


class Units(Planted):
    def setUp(self):
        super().setUp()
        self.write("Makefile", MAKEFILE)
        self.write("d.service", HARDENED)
        self.write("c.conf", "[C]\n")
        self.write("c.catalog", "# c\n\n-- " + "1f" * 16 + "\nSubject: S\n\nText.\n")
        self.list("/usr/sbin/d", "/usr/lib/systemd/system < *.service", "/usr/lib/systemd/catalog/c.catalog", "/etc/c.conf")

    def list(self, *lines):
        self.write("Tests/Checks/installed.txt", "\n".join(["# what", *lines]) + "\n")

    def needs(self, tool):
        if shutil.which(tool) is None:
            self.skipTest(f"{tool} is not installed")

    def test_right(self):
        self.passes("units")

    def test_not_listed(self):
        self.list("/usr/sbin/d", "/usr/lib/systemd/system/d.service", "/etc/c.conf")
        self.fails("units", "installs /usr/lib/systemd/catalog/c.catalog, which installed.txt does not list")

    def test_not_installed(self):
        self.write("e.service", UNIT)
        self.fails("units", "does not install /usr/lib/systemd/system/e.service")

    def test_mode(self):
        self.write("Makefile", MAKEFILE.replace("755", "700"))
        self.fails("units", "gives /usr/sbin/d the mode 700")

    def test_uninstall_leaves_something(self):
        self.write("Makefile", MAKEFILE.replace("$(UNITS)/d.service $(CATALOG)\n", "$(CATALOG)\n"))
        self.fails("units", "make uninstall leaves /usr/lib/systemd/system/d.service")

    def test_changed_configuration(self):
        self.write("Makefile", MAKEFILE.replace("[ -e $(CONFIG) ]", "false"))
        self.fails("units", "make install overwrites /etc/c.conf")
        self.write("Makefile", MAKEFILE.replace("if cmp -s c.conf $(CONFIG)", "if true"))
        self.fails("units", "make uninstall removes /etc/c.conf, which was changed")

    def test_make_that_fails(self):
        self.write("Makefile", "install:\n\techo no room; false\n")
        self.fails("units", "no room")

    def test_unknown_setting(self):
        self.needs("systemd-analyze")
        self.write("d.service", HARDENED + "Wonders=yes\n")
        self.fails("units", "Unknown key 'Wonders'")
        self.write("Tests/Checks/units-allowed.txt", "# newer\n.*Unknown key 'Wonders' in section .Service., ignoring.\n")
        self.passes("units")

    def test_wrong_place(self):
        self.needs("systemd-analyze")
        self.write("Makefile", MAKEFILE.replace("s|/usr/|$(PREFIX)/|", "s|/usr/|/nowhere/|"))
        self.fails("units", "/nowhere/sbin/d is not executable")

    def test_exposed(self):
        self.needs("systemd-analyze")
        self.write("d.service", UNIT)
        self.fails("units", "Overall exposure level")

    def test_page_that_is_missing(self):
        self.needs("systemd-analyze")
        self.write("d.service", HARDENED.replace("[Service]", "Documentation=man:smmu-d(8)\n[Service]"))
        self.fails("units", "smmu-d(8), which is not installed")

    def test_catalog(self):
        self.needs("journalctl")
        self.write("c.catalog", "\n-- " + "1f" * 16 + "\nSubject: S\n\nText.\n\n-- 1f\nSubject: S\n\nText.\n")
        self.fails("units", "journalctl")


class Coverage(Planted):
    def tests(self, *names):
        self.write("Tests/Checks/model-rules.tsv", RULES)
        self.write("Tests/ATests/A.swift", "\n".join(f"@Test({name}) func f() {{}}" for name in names))

    def test_all_forms_of_names(self):
        self.tests('"tlb.nh-va: one"', '\n    #"tlb.global, tlb.nh-va: "two" | three"#, arguments: [1]\n', '"plain: no rule"')
        self.passes("coverage")
        self.passes("coverage", "--check")
        text = (self.root / "docs/model-coverage.md").read_text()
        self.assertIn("2 of 2 rules have a test", text)
        self.assertIn('[A](../Tests/ATests/A.swift): one<br>[A](../Tests/ATests/A.swift): "two" \\| three', text)

    def test_rule_without_test(self):
        self.tests('"tlb.nh-va: one"')
        self.passes("coverage")
        self.fails("coverage", "no test proves tlb.global", "--check")

    def test_unknown_rule(self):
        self.tests('"tlb.nh-va, tlb.globl, global: one"')
        self.fails("coverage", "A.swift:1: there is no rule `tlb.globl`")
        self.fails("coverage", "there is no rule `global`")

    def test_stale_page(self):
        self.tests('"tlb.nh-va, tlb.global: one"')
        self.fails("coverage", "out of date", "--check")

    def test_damaged_table(self):
        self.tests('"tlb.nh-va, tlb.global: one"')
        self.write("Tests/Checks/model-rules.tsv", RULES + "tlb.global\tTLB\tAgain.\nnodot\tTLB\tNo.\n")
        self.fails("coverage", "there twice")
        self.fails("coverage", ":5: not `id TAB")


if __name__ == "__main__":
    unittest.main(argv=[arg for arg in sys.argv if arg != "--quiet"], verbosity=0 if "--quiet" in sys.argv else 1)
