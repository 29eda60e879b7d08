"""What the checks see the machine through: commands, users, units, the journal, clients, and a way to report."""

import grp
import json
import os
import pwd
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

SERVICE = "smmu-brokerd.service"
CLIENT_SOCKET = "/run/smmu-broker/client.sock"
DROP_IN = Path("/run/systemd/system/smmu-brokerd.service.d/checks.conf")
# Far beyond what anything here takes: only a check that fails waits for so long.
PATIENCE = 15


class Failed(Exception):
    """Something is otherwise than it must be."""


def expect(holds, what):
    if not holds:
        raise Failed(what)


def expect_equal(found, wanted, what):
    expect(found == wanted, f"{what} is {found!r}, and must be {wanted!r}")


def until(holds, what):
    """Waits until `holds()` gives something true, which it returns."""
    deadline = time.monotonic() + PATIENCE
    while True:
        if found := holds():
            return found
        expect(time.monotonic() < deadline, f"in {PATIENCE} s it has not come to this: {what}")
        time.sleep(0.02)


# ---- Commands -------------------------------------------------------------------------------------------------------


def run(*command, user=None):
    """Exit status and all output of a command, perhaps as another user with the groups that this user is in."""
    who = {}
    if user:
        entry = pwd.getpwnam(user)
        groups = os.getgrouplist(user, entry.pw_gid)
        who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
        **who,
    )
    return done.returncode, done.stdout


def output(*command, user=None):
    """The output of a command that must succeed."""
    status, text = run(*command, user=user)
    expect(status == 0, f"{' '.join(map(str, command))}: status {status}: {text.strip()}")
    return text


def run_vmm(user="vmm"):
    """The example VMM from HELLO to a fault, which must come out right."""
    text = output("/checks/vmm-example", user=user)
    expect("F_TRANSLATION" in text, f"vmm-example shows no fault: {text}")


# ---- The service ----------------------------------------------------------------------------------------------------


def show(name, unit=SERVICE):
    return output("systemctl", "show", "--value", "-p", name, unit).strip()


def main_pid():
    return int(show("MainPID"))


def is_serving():
    return show("ActiveState") == "active" and show("SubState") == "running"


def start(**settings):
    """A new start of the service, with these settings of [Service] beside those that it is shipped with."""
    stop()
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text("[Service]\n" + "".join(f"{key}={value}\n" for key, value in settings.items()))
    output("systemctl", "daemon-reload")
    output("systemctl", "start", SERVICE)
    expect(is_serving(), f"{SERVICE} has started, and is {show('ActiveState')}")


def stop():
    """The service is stopped, its sockets listen, and earlier starts do not count."""
    output("systemctl", "stop", SERVICE)
    output("systemctl", "reset-failed")
    output("systemctl", "start", "smmu-brokerd.socket", "smmu-brokerd-admin.socket")


# ---- The journal ----------------------------------------------------------------------------------------------------


class Journal:
    """What is written to the journal from now on."""

    def __init__(self):
        output("journalctl", "--sync")
        newest = int(json.loads(output("journalctl", "-n1", "-ojson"))["__REALTIME_TIMESTAMP"])
        # Not --after-cursor, which leaves out the first entry that matches.
        self.after = f"--since=@{newest // 1_000_000}.{newest % 1_000_000 + 1:06}"

    def entries(self, *matches):
        """The entries that have these fields, as dictionaries."""
        text = output("journalctl", "-q", "-ojson", "--all", self.after, *matches)
        return [json.loads(line) for line in text.splitlines()]

    def first(self, *matches):
        """The first entry that has these fields, which must come."""
        return until(lambda: self.entries(*matches), f"the journal has an entry with {' '.join(matches)}")[0]

    def explained(self, *matches):
        """The same entries as people read them, with the catalog's explanations."""
        return output("journalctl", "-q", "-x", self.after, *matches)

    def says(self, *words):
        """An entry of the service's, by any field, which has all of these words in its message."""

        def found():
            entries = self.entries(f"_SYSTEMD_UNIT={SERVICE}")
            return [entry for entry in entries if all(word in str(entry.get("MESSAGE")) for word in words)]

        return until(found, f"the service's journal says {words}")[0]


class StoppedJournal:
    """Within it journald does not run, and takes nothing; journalctl would not end."""

    def __enter__(self):
        self.pid = int(show("MainPID", "systemd-journald.service"))
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


# ---- A client of our own --------------------------------------------------------------------------------------------


class Client:
    """A VMM, by its group, that connects, says HELLO and then nothing."""

    def __init__(self, name="", status=0):
        """`status`: what HELLO is to be answered; None: it is not said."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(2 * PATIENCE)
        own = os.getegid()
        os.setegid(grp.getgrnam("kvm").gr_gid)
        try:
            self.socket.connect(CLIENT_SOCKET)
        finally:
            os.setegid(own)
        if status is not None:
            body = struct.pack("<IIQ64s", 1, 0, 1, name.encode())
            self.socket.send(struct.pack("<HHIQ", 1, 0, 16 + len(body), 1) + body)
            reply = self.socket.recv(70000)
            expect(len(reply) >= 20, f"HELLO is answered with {len(reply)} bytes")
            expect_equal(struct.unpack_from("<I", reply, 16)[0], status, "the status of HELLO")

    def end(self):
        """Waits until the broker is gone: what a VMM sees of it."""
        try:
            return self.socket.recv(16) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.socket.close()


# ---- Reporting ------------------------------------------------------------------------------------------------------

CHECKS = []


def check(function):
    """Adds a function to the checks; its docstring says what holds when it returns."""
    CHECKS.append(function)
    return function


def run_checks():
    """Runs all checks in order; one that fails does not keep the others from running."""
    failures = 0
    for function in CHECKS:
        started, what = time.monotonic(), " ".join(function.__doc__.split())
        try:
            function()
            print(f"ok      {what} ({time.monotonic() - started:.1f} s)", flush=True)
        except (Failed, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            failures += 1
            print(f"FAILED  {what}\n        {type(error).__name__}: {error}", flush=True)
    print(f"{len(CHECKS)} checks, {failures} failed", flush=True)
    sys.exit(1 if failures else 0)
