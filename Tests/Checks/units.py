#!/usr/bin/env python3
"""Checks that `make install` installs what installed.txt lists, and that systemd, journald and groff take it.

Installs twice into a temporary directory, with stand-ins for the programs: with DESTDIR, for the list of files and for
`make uninstall`; and with PREFIX, for tools that must find everything in its place.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tree

PROGRAMS = ("smmu-brokerd", "smmuctl")
# systemd-analyze security, 0 (nothing is exposed) to 100: what the service reaches today.
EXPOSURE = 7


def run(*command, environment=None):
    """The exit status and all output of a command."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def table(path):
    """The lines of a file, without comments and empty ones."""
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


class Installation:
    """The tree's `make install` below a temporary folder."""

    def __init__(self, root, folder):
        self.root, self.folder = root, folder
        self.build = folder / "build"
        self.build.mkdir()
        for program in PROGRAMS:
            (self.build / program).write_text("#!/bin/sh\n")

    def make(self, goal, **variables):
        """Runs make, without the variables of one that may have started this check; its faults."""
        settings = [f"{name}={value}" for name, value in {"BUILD_DIR": self.build, **variables}.items()]
        clean = {"MAKEFLAGS": "", "MAKELEVEL": "", "MFLAGS": ""}
        status, text = run("make", "-C", self.root, "--no-print-directory", goal, *settings, environment=clean)
        return [f"make {goal}: {text.strip() or status}"] if status else []


def expected(root, listing):
    """The paths that installed.txt stands for."""
    for line in table(listing):
        place, _, pattern = (part.strip() for part in line.partition(" < "))
        if not pattern:
            yield place
            continue
        yield from (f"{place}/{path.name}" for path in sorted(root.glob(pattern)) if path.is_file())


def files(folder):
    return {f"/{path.relative_to(folder)}" for path in folder.rglob("*") if not path.is_dir()}


def listed_faults(installation, listing):
    """What is installed and not listed, listed and not installed, or left behind by `make uninstall`."""
    target = installation.folder / "destdir"
    if faults := installation.make("install", DESTDIR=target):
        return faults
    wanted, found = set(expected(installation.root, listing)), files(target)
    faults = [f"make install does not install {path}" for path in sorted(wanted - found)]
    faults += [f"make install installs {path}, which {listing.name} does not list" for path in sorted(found - wanted)]
    for path in sorted(found):
        mode, programs = (target / path[1:]).stat().st_mode & 0o777, ("/bin/", "/sbin/")
        if mode != (0o755 if any(folder in path for folder in programs) else 0o644):
            faults.append(f"make install gives {path} the mode {mode:o}")
    faults += kept_faults(installation, target)
    return faults


def kept_faults(installation, target):
    """Whether `make install` keeps changed configuration, and `make uninstall` removes all but that."""
    changed = "# changed\n"
    configuration = sorted(path for path in files(target) if path.startswith("/etc/"))
    for path in configuration:
        (target / path[1:]).write_text(changed)
    faults = installation.make("install", DESTDIR=target)
    faults += [f"make install overwrites {path}" for path in configuration if (target / path[1:]).read_text() != changed]
    for path in configuration:
        (target / path[1:]).write_text(changed)
    faults += installation.make("uninstall", DESTDIR=target)
    left = files(target)
    faults += [f"make uninstall leaves {path}" for path in sorted(left - set(configuration))]
    faults += [f"make uninstall removes {path}, which was changed" for path in configuration if path not in left]
    return faults


class Tools:
    """What is asked about the installed files, with the paths that an installation below `prefix` has."""

    def __init__(self, installation, allowed):
        self.base = installation.folder / "prefix"
        self.prefix = self.base / "usr"
        self.units = self.prefix / "lib/systemd/system"
        self.allowed = [re.compile(pattern) for pattern in table(allowed)] if allowed.is_file() else []
        self.environment = {"SYSTEMD_UNIT_PATH": f"{self.units}:"}

    def unexpected(self, text):
        return [line for line in text.splitlines() if line and not any(p.fullmatch(line) for p in self.allowed)]

    def quiet(self, what, *command):
        """A command that must succeed, and print nothing that is not allowed."""
        status, text = run(*command, environment=self.environment)
        lines = self.unexpected(text)
        return [f"{what}: {line}" for line in lines] or ([f"{what}: status {status}"] if status and not text else [])

    def verify(self):
        names = sorted(self.units.glob("*.*"))
        faults = self.quiet("systemd-analyze verify", "systemd-analyze", "verify", "--man=no", *names)
        for page in {match for name in names for match in re.findall(r"man:([\w.-]+\(\d\))", name.read_text())}:
            title, section = page[:-3], page[-2]
            if title.startswith("smmu") and not (self.prefix / f"share/man/man{section}/{title}.{section}").is_file():
                faults.append(f"a unit refers to {page}, which is not installed")
        for service in (name for name in names if name.suffix == ".service"):
            options = ["--offline=true", "--no-pager", f"--threshold={EXPOSURE}"]
            status, text = run("systemd-analyze", "security", *options, service, environment=self.environment)
            if status:
                faults.append(f"{service.name}: {(text.strip().splitlines() or ['?'])[-1]}: allowed is {EXPOSURE / 10}")
        return faults

    def users_and_directories(self):
        """Makes users and directories below a root of their own."""
        root = self.base / "root"
        (root / "etc").mkdir(parents=True)
        faults = []
        for tool, folder, options in (("sysusers", "sysusers.d", []), ("tmpfiles", "tmpfiles.d", ["--create"])):
            for path in sorted((self.prefix / "lib" / folder).glob("*")):
                status, text = run(f"systemd-{tool}", *options, f"--root={root}", path)
                if status:
                    faults.append(f"systemd-{tool} {path.name}: {text.strip()}")
        return faults

    def catalog(self):
        """Whether journalctl takes each entry of the catalog."""
        folder = self.prefix / "lib/systemd/catalog"
        wanted = sum(path.read_text().count("\n-- ") for path in folder.glob("*"))
        root = self.base / "journal"
        shutil.copytree(folder, root / "usr/lib/systemd/catalog")
        faults = self.quiet("journalctl --update-catalog", "journalctl", "--update-catalog", f"--root={root}")
        _, text = run("journalctl", "--list-catalog", f"--root={root}")
        taken = len(text.splitlines())
        return faults + ([f"journalctl takes {taken} of {wanted} catalog entries"] if taken != wanted else [])

    def pages(self):
        pages = sorted((self.prefix / "share/man").rglob("*.[1-8]"))
        return [f for page in pages for f in self.quiet(page.name, "groff", "-mandoc", "-ww", "-z", "-Tutf8", page)]


def tool_faults(installation, allowed):
    """What the tools find wrong, and which tools are missing."""
    tools = Tools(installation, allowed)
    if faults := installation.make("install", PREFIX=tools.prefix, SYSCONFDIR=tools.base / "etc"):
        return faults, []
    checks = {
        "systemd-analyze": tools.verify,
        "systemd-tmpfiles": tools.users_and_directories,
        "journalctl": tools.catalog,
        "groff": tools.pages,
    }
    missing = [tool for tool in checks if shutil.which(tool) is None]
    return [fault for tool, check in checks.items() if tool not in missing for fault in check()], missing


def main():
    parser = tree.options(__doc__)
    root = parser.parse_args().root
    checks = root / "Tests/Checks"
    with tempfile.TemporaryDirectory(prefix="units-") as name:
        installation = Installation(root, Path(name).resolve())
        faults = listed_faults(installation, checks / "installed.txt")
        more, missing = tool_faults(installation, checks / "units-allowed.txt")
    for tool in missing:
        print(f"units: SKIPPED what {tool} would check: it is not installed (make install-deps)")
    return tree.verdict("units", faults + more, "the installed files are those listed, and the tools accept them")


if __name__ == "__main__":
    sys.exit(main())
