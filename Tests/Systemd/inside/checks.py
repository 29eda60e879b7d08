"""The checks of smmu-brokerd inside a machine of its own, in the order in which they are made."""

import errno
import json
import os
import re
import signal
import stat
from pathlib import Path

from machine import CLIENT_SOCKET, SERVICE, Client, Journal, StoppedJournal
from machine import check, expect, expect_equal, is_serving, main_pid, output, run, run_checks, run_vmm, show, start
from machine import stop, until

ADMIN_SOCKET = "/run/smmu-broker/admin.sock"
DROP_INS = Path("/etc/smmu-broker/smmu-broker.conf.d")
CATALOG = Path("/usr/lib/systemd/catalog/smmu-broker.catalog")
FAULT = "MESSAGE_ID=f8b16c3823e840e8b670ed37803e6de5"
SUPPRESSED = "MESSAGE_ID=f2b42e6b355243dd8f2752c771bda667"
PARKED = "MESSAGE_ID=8fa4651b7469488d91100b8d4ea2659e"
ENDED = "MESSAGE_ID=9d3466ad039949149f90f3352968727d"
LOST = "MESSAGE_ID=1853ef1fe81845cd90990f4589e90100"
REFUSED = "MESSAGE_ID=5b1b89f22f9b4df482a49e743fc920be"
RELOADED = "MESSAGE_ID=30b7b7f5023c443a843168be9b622dbd"
KEPT = "MESSAGE_ID=33b8db74425d4e8ebe0a982baf550ab5"


# ---- What the boot has made -----------------------------------------------------------------------------------------


@check
def booted():
    """Enabled, the service comes up with the machine, and no unit has failed"""
    until(is_serving, f"{SERVICE} runs")
    expect_equal(output("systemctl", "--failed", "--plain", "--no-legend").strip(), "", "the list of failed units")
    # journalctl fails when there is no such line.
    said = run("journalctl", "-q", "--grep=smmu-broker.*(ordering cycle|Unknown|Invalid|ignoring)")[1]
    expect_equal(said.strip(), "", "what systemd says of the units")


@check
def users_and_sockets():
    """sysusers and tmpfiles have made users, groups and directories, and the sockets are their groups' alone"""
    for path, kind, owner, mode in (
        ("/run/smmu-broker", stat.S_IFDIR, "root:root", 0o755),
        (CLIENT_SOCKET, stat.S_IFSOCK, "root:kvm", 0o660),
        (ADMIN_SOCKET, stat.S_IFSOCK, "root:smmu-broker-admin", 0o660),
    ):
        found = os.stat(path)
        expect_equal(found.st_mode, kind | mode, f"the mode of {path}")
        expect_equal(f"{Path(path).owner()}:{Path(path).group()}", owner, f"the owner of {path}")


@check
def started():
    """The service has told systemd that it is ready and what it does, and runs as its own user without any privilege"""
    expect_equal(show("Type"), "notify", "Type")
    expect_equal(show("NRestarts"), "0", "NRestarts")
    expect(re.fullmatch(r"Serving \d+ devices and templates to 2 grants\.", show("StatusText")), show("StatusText"))
    process = Path(f"/proc/{main_pid()}")
    expect_equal(process.owner(), "smmu-broker", "the daemon's user")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    for name, wanted in (("CapEff", "0" * 16), ("CapBnd", "0" * 16), ("NoNewPrivs", "1"), ("Seccomp", "2")):
        expect_equal(status[name], wanted, name)


# ---- Who may what ---------------------------------------------------------------------------------------------------


@check
def client_activates():
    """A VMM of the group kvm starts the service by connecting, and gets all of its work done"""
    stop()
    run_vmm()
    expect(is_serving(), "vmm-example did not start the service")


@check
def operator_activates():
    """An operator of the group smmu-broker-admin starts the service by asking for its status"""
    stop()
    expect("Process " in output("smmuctl", "status", user="operator"), "smmuctl status shows no process")
    expect(is_serving(), "smmuctl did not start the service")


@check
def strangers():
    """Who is not in a socket's group is told that there is no permission"""
    for user in ("stranger", "operator"):
        status, text = run("/checks/vmm-example", user=user)
        expect(status == 1 and "Permission denied" in text, f"vmm-example of {user}: status {status}: {text}")
    for user in ("stranger", "vmm"):
        status, text = run("smmuctl", "status", user=user)
        expect(status == 1 and "no permission" in text, f"smmuctl of {user}: status {status}: {text}")


@check
def grant_by_unit():
    """A grant for a unit is for the processes of this unit, and the refusal of others is in the journal"""
    journal = Journal()
    status, text = run("/checks/vmm-example", CLIENT_SOCKET, "disk0", user="vmm")
    expect(status == 1, f"any process may use the unit's device: {text}")
    refused = journal.first(REFUSED, "SMMU_VM=vmm-example")
    expect("disk0" in refused["MESSAGE"], refused["MESSAGE"])
    service = ["systemd-run", "--quiet", "--wait", "--pipe", "--unit=vmm-by-unit", "--uid=vmm"]
    output(*service, "/checks/vmm-example", CLIENT_SOCKET, "disk0")


# ---- The sandbox ----------------------------------------------------------------------------------------------------


@check
def sandbox():
    """Nothing that the daemon does needs more than its sandbox allows, even if that killed it: a recorded guest,
    faults, operators, a reload, the end"""
    journal = Journal()
    start(SystemCallErrorNumber="kill")
    pid = main_pid()
    run_vmm()
    replay = output("smmuctl", "replay", "/checks/lin-4k-s1-faults", user="vmm")
    rows = re.search(r": (\d+) rows, (\d+) agree", replay)
    expect(rows and int(rows[1]) > 1000, f"the replay is none: {replay}")
    for verb in (("status",), ("list",), ("metrics",), ("events", "--faults")):
        output("smmuctl", *verb, user="operator")
    output("systemctl", "reload", SERVICE)
    journal.first(RELOADED)
    expect_equal(main_pid(), pid, "the daemon's process")
    output("systemctl", "stop", SERVICE)
    expect_equal((show("Result"), show("ExecMainCode"), show("ExecMainStatus")), ("success", "1", "0"), "its end")
    errors = journal.entries(f"_SYSTEMD_UNIT={SERVICE}", *(f"PRIORITY={priority}" for priority in range(4)))
    expect_equal([entry["MESSAGE"] for entry in errors], [], "the list of errors")


# ---- The journal ----------------------------------------------------------------------------------------------------


@check
def fault_in_journal():
    """A fault is found by its fields, and journalctl -x explains it"""
    start()
    journal = Journal()
    run_vmm()
    entry = journal.first(FAULT, "SMMU_VM=vmm-example", "SMMU_EVENT=F_TRANSLATION")
    for name, wanted in (
        ("SMMU_IOVA", "0xdead0000"),
        ("SMMU_ACCESS", "read"),
        ("SMMU_STAGE", "1"),
        ("SMMU_CLASS", "IN"),
        ("SMMU_VSID", "0x8"),
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "smmu-brokerd"),
        ("_SYSTEMD_UNIT", SERVICE),
        ("SMMU_PEER_UID", output("id", "-u", "vmm").strip()),
    ):
        expect_equal(entry.get(name), wanted, name)
    expect(entry["SMMU_DEVICE"] in entry["MESSAGE"] and "0xdead0000" in entry["MESSAGE"], entry["MESSAGE"])
    text = journal.explained(FAULT)
    expect("An SMMU fault of vSID 0x8 of VM vmm-example: F_TRANSLATION" in text, text)
    expect("Usual causes" in text and "smmu-brokerd(8)" in text, text)


@check
def storm_in_journal():
    """A device that its grant's policy parks is found by why, and journalctl -x explains it"""
    journal, file = Journal(), DROP_INS / "65-storm.conf"
    file.write_text("[Grant vmms]\nFaultPolicy=park\nFaultStorm=1/1h\n")
    try:
        output("systemctl", "reload", SERVICE)
        journal.first(RELOADED)
        run_vmm()
        entry = journal.first("SMMU_HEALTH=quarantined", "SMMU_REASON=event-storm", "SMMU_VM=vmm-example")
        expect_equal(f"MESSAGE_ID={entry['MESSAGE_ID']}", PARKED, "its kind")
        expect_equal(entry.get("SMMU_COUNT"), "1", "SMMU_COUNT")
        text = journal.explained(PARKED)
        expect("is in quarantine: event-storm" in text and "ParkReturn=" in text, text)
    finally:
        file.unlink()
    journal = Journal()
    output("systemctl", "reload", SERVICE)
    journal.first(RELOADED)


@check
def stuck_journal():
    """A journal that is stuck delays neither VMMs nor operators, and has the fault once it goes on; so has a new one"""
    journal = Journal()
    with StoppedJournal():
        for _ in range(3):
            run_vmm()
        output("smmuctl", "status", user="operator")
    until(lambda: len(journal.entries(FAULT, "SMMU_VM=vmm-example")) == 3, "the journal has all three faults")
    output("systemctl", "restart", "systemd-journald.service")
    run_vmm()
    until(lambda: len(journal.entries(FAULT, "SMMU_VM=vmm-example")) == 4, "the new journal has the fourth")


@check
def journal_loss():
    """What a stuck journal does not take is lost and its faults are counted exactly, and the recorded guest's VMM notices
    nothing"""
    start()
    pid = main_pid()

    def replay():
        output("smmuctl", "replay", "/checks/lin-4k-s1-faults", user="vmm")

    def written_and_lost(journal):
        # Faults, and not entries: how many become one, and how many are kept out, depends on how fast they come.
        written = lost = 0
        for entry in journal.entries(f"_PID={pid}"):
            kind = f"MESSAGE_ID={entry.get('MESSAGE_ID')}"
            if kind == FAULT:
                written += int(entry["SMMU_COUNT"]) + int(entry.get("SMMU_SUPPRESSED", 0))
            elif kind == SUPPRESSED:
                written += int(entry["SMMU_COUNT"])
            elif kind == LOST:
                lost += int(entry.get("SMMU_FAULTS", 0))
        return written, lost

    journal = Journal()
    replay()
    journal.first(ENDED, "SMMU_SESSION=1")
    of_one, lost = written_and_lost(journal)
    expect_equal(lost, 0, "the number of faults that a journal loses which is not stuck")
    journal, times = Journal(), 5
    # The first hundreds wait in journald's socket.
    with StoppedJournal():
        for _ in range(times):
            replay()
    until(lambda: sum(written_and_lost(journal)) == times * of_one, f"{times * of_one} faults are written or lost")
    expect(written_and_lost(journal)[1] > 0, f"nothing is lost of {times * of_one} faults, so nothing is tried here")


# ---- Reload ---------------------------------------------------------------------------------------------------------


@check
def reload_good():
    """systemctl reload takes a good file, without an end of what there is"""
    start()
    journal, pid, client = Journal(), main_pid(), Client("stays")
    file = DROP_INS / "70-more.conf"
    file.write_text("[Grant more]\nUser=stranger\nDevices=net0\n")
    output("systemctl", "reload", SERVICE)
    entry = journal.first(RELOADED)
    expect(str(file) in entry["MESSAGE"], entry["MESSAGE"])
    until(lambda: show("StatusText").endswith("to 3 grants."), "the status has the new grant")
    until(is_serving, "the service runs again")
    # The signal does the same, but tells nobody what came of it.
    file.write_text("[Grant more]\nUser=stranger\nDevices=gpu0\n\n[Grant fourth]\nUser=stranger\nDevices=net0\n")
    output("systemctl", "kill", "-sHUP", "--kill-who=main", SERVICE)
    until(lambda: show("StatusText").endswith("to 4 grants."), "the status has one more grant")
    expect_equal(main_pid(), pid, "the daemon's process")
    expect("stays" in output("smmuctl", "list", user="operator"), "the session is gone")
    client.close()


@check
def reload_broken():
    """systemctl reload with a broken file keeps what there is, and the journal says why, with file and line"""
    journal, pid = Journal(), main_pid()
    file = DROP_INS / "80-broken.conf"
    file.write_text("[Grant more]\nUser=stranger\nMaxMemory=much\n")
    try:
        expect(run("systemctl", "reload", SERVICE)[0] != 0, "systemctl reload says that all is well")
        journal.first(KEPT)
        journal.says(f"{file}:3: error:")
        expect("The configuration has mistakes" in journal.explained(KEPT), journal.explained(KEPT))
        until(is_serving, "the service runs again")
        expect_equal(main_pid(), pid, "the daemon's process")
        run_vmm()
    finally:
        file.unlink()
        (DROP_INS / "70-more.conf").unlink()
    output("systemctl", "reload", SERVICE)
    journal.first(RELOADED)


@check
def broken_at_start():
    """With a broken file the service does not start, once, and says why; corrected it starts, sockets and all"""
    stop()
    journal, file = Journal(), DROP_INS / "80-broken.conf"
    file.write_text("[Grant more]\nUser=stranger\nMaxMemory=much\n")
    try:
        expect(run("systemctl", "start", SERVICE)[0] != 0, "systemctl start says that all is well")
        journal.says(f"{file}:3: error:")
        until(lambda: show("ActiveState") == "failed", "systemd gives up")
        expect_equal((show("ExecMainStatus"), show("NRestarts")), ("78", "0"), "the exit status, and other tries")
    finally:
        file.unlink()
    output("systemctl", "reset-failed")
    output("systemctl", "start", SERVICE)
    run_vmm()


# ---- Ends -----------------------------------------------------------------------------------------------------------


@check
def stopped():
    """systemctl stop ends the sessions, and the daemon by itself and in time; the next VMM starts it again"""
    start()
    clients = [Client(f"vm{number}") for number in range(20)]
    output("systemctl", "stop", SERVICE)
    expect(all(client.end() for client in clients), "a client does not see the end")
    expect_equal((show("Result"), show("ExecMainCode"), show("ExecMainStatus")), ("success", "1", "0"), "its end")
    run_vmm()


@check
def sockets_anew():
    """When its sockets are made anew the service is started with the new ones"""
    start()
    pid = main_pid()
    output("systemctl", "restart", "smmu-brokerd.socket", "smmu-brokerd-admin.socket")
    run_vmm()
    output("smmuctl", "status", user="operator")
    expect(main_pid() not in (0, pid), "it is the same process")


@check
def killed():
    """Killed, the service comes back by itself, and who connects meanwhile is served"""
    start()
    pid, client = main_pid(), Client("first")
    os.kill(pid, signal.SIGKILL)
    expect(client.end(), "the client does not see the end")
    Client("second").close()
    until(is_serving, "the service runs again")
    expect(main_pid() != pid, "it is the same process")
    expect_equal(show("NRestarts"), "1", "NRestarts")
    run_vmm()


@check
def hung():
    """A daemon that does not turn any more is killed by the watchdog and started again"""
    start(WatchdogSec="2s")
    pid, journal = main_pid(), Journal()
    os.kill(pid, signal.SIGSTOP)
    until(lambda: main_pid() not in (0, pid), "there is a new process")
    until(is_serving, "the service runs again")
    said = [str(entry["MESSAGE"]) for entry in journal.entries(f"UNIT={SERVICE}")]
    expect(any("Watchdog timeout" in line for line in said), f"it was not the watchdog: {said}")
    run_vmm()


@check
def kept_alive():
    """A daemon that has nothing to do tells the watchdog that it is alive"""
    start(WatchdogSec="2s")
    pid = main_pid()
    first = int(show("WatchdogTimestampMonotonic"))
    until(lambda: int(show("WatchdogTimestampMonotonic")) > first + 2_500_000, "it has lived on for 2.5 s")
    expect_equal((main_pid(), show("NRestarts")), (pid, "0"), "the process")


# ---- Limits ---------------------------------------------------------------------------------------------------------


@check
def descriptors():
    """Without descriptors left the daemon turns clients away, says which setting to change, and goes on"""
    start(LimitNOFILE="64")
    journal, pid, first = Journal(), main_pid(), Client("first")
    clients = [Client(status=None) for _ in range(100)]
    journal.says("LimitNOFILE=")
    for client in clients:
        client.close()
    first.close()
    until(lambda: run("/checks/vmm-example", user="vmm")[0] == 0, "a VMM is served again")
    expect_equal((main_pid(), show("NRestarts"), is_serving()), (pid, "0", True), "the process")


@check
def sessions():
    """With as many sessions as there may be, others are turned away, and the operator sees it"""
    start()
    journal = Journal()
    clients = [Client(f"vm{number}") for number in range(64)]
    Client("one-more", status=errno.EDQUOT).close()
    expect("MaxSessions=" in journal.first(REFUSED)["MESSAGE"], "the journal names no setting")
    expect("Sessions       64" in output("smmuctl", "status", user="operator"), "the status has other than 64 sessions")
    for client in clients:
        client.close()
    until(lambda: run("/checks/vmm-example", user="vmm")[0] == 0, "a VMM is served again")


# ---- At the end --------------------------------------------------------------------------------------------------


@check
def everything_explained():
    """Every entry with a message ID has its explanation, with everything filled in"""
    catalog = dict(re.findall(r"^-- (\w+)$(.*?)(?=^--|\Z)", CATALOG.read_text(), re.DOTALL | re.MULTILINE))
    kinds = {}
    for line in output("journalctl", "-q", "-ojson", f"_SYSTEMD_UNIT={SERVICE}").splitlines():
        entry = json.loads(line)
        kinds.setdefault(entry.get("MESSAGE_ID"), []).append(entry)
    expect(len(kinds) >= 6, f"there are entries of the kinds {list(kinds)} alone")
    for kind, entries in kinds.items():
        if kind is None:
            continue
        text = output("journalctl", "-q", "-x", f"_SYSTEMD_UNIT={SERVICE}", f"MESSAGE_ID={kind}")
        expect_equal(text.count("Defined-By: smmu-broker"), len(entries), f"the number of explained entries of {kind}")
        # Instead of a field that is missing journalctl shows its name.
        wanted = set(re.findall(r"@(\w+)@", catalog[kind]))
        for entry in entries:
            missing = wanted - entry.keys()
            expect(not missing, f"{entry['MESSAGE']!r} lacks what its explanation has: {missing}")



run_checks()
