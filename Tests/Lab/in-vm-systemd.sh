#!/bin/bash
# Runs in the lab's virtual machine when systemd is its first process: the daemon as the service that `make install`
# installs, with Backend=iommufd, as its own user. One line for each check.
set -u
# The image has few programs of its own.
busybox mkdir -p /run/tools
busybox --install -s /run/tools
PATH=$PATH:/run/tools
FIRST=0000:00:08.0
client=/run/smmu-broker/client.sock admin=/run/smmu-broker/admin.sock

check() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >>service.txt 2>&1; then echo "ok    $name"; else echo "FAIL  $name"; fi
}

# Tries for 20 s.
soon() {
    for ((tries = 0; tries < 200; tries++)); do
        "$@" && return
        sleep 0.1
    done
    return 1
}

bind() {
    echo vfio-pci >"/sys/bus/pci/devices/$1/driver_override"
    echo "$1" >/sys/bus/pci/drivers_probe
    [[ -d /sys/bus/pci/devices/$1/vfio-dev ]]
}
show() { systemctl show -P "$1" smmu-brokerd.service; }
is() { [[ $(show "$1") == "$2" ]]; }
has_user() { [[ $(stat -c %U "/proc/$(show MainPID)") == smmu-broker ]]; }
has_no_session() { [[ -z $(smmuctl list --socket $admin --no-legend) ]]; }
doctor_says() { [[ $(smmuctl doctor) == *"$1"* ]]; }
restarted() { is ActiveState active && [[ $(show MainPID) != "$1" && $(show MainPID) != 0 ]]; }
journal_has() { [[ -n $(journalctl -q --no-pager -n 1 _SYSTEMD_UNIT=smmu-brokerd.service "$@") ]]; }
journal_says() { [[ $(journalctl -q --no-pager -o cat _SYSTEMD_UNIT=smmu-brokerd.service) == *"$1"* ]]; }
devices_are_its() { udevadm settle; [[ $(stat -c %G /dev/iommu /dev/vfio/devices/vfio0 | sort -u) == smmu-broker ]]; }

echo "== The daemon as a service of $(systemctl --version | head -n 1)"
cp -a root/. /
systemd-sysusers /usr/lib/sysusers.d/smmu-broker.conf
systemd-tmpfiles --create /usr/lib/tmpfiles.d/smmu-broker.conf
cat >/etc/smmu-broker/smmu-broker.conf.d/50-lab.conf <<'CONFIGURATION'
[Broker]
Backend=iommufd

[Grant lab]
User=root
Devices=0000:*
CONFIGURATION
udevadm control --reload
check "vfio-pci has $FIRST" bind $FIRST
udevadm trigger --subsystem-match=misc --subsystem-match=vfio-dev
check "/dev/iommu and the device are the daemon's group's" devices_are_its
systemctl daemon-reload
check "its sockets start" systemctl start smmu-brokerd.socket smmu-brokerd-admin.socket
check "it is not running yet" is ActiveState inactive
check "a VMM that connects starts it, and works" ./lab-vmm again $client $FIRST
check "it is active" is ActiveState active
check "it runs as its own user" has_user
check "smmuctl asks it" smmuctl status --socket $admin
check "smmuctl doctor finds all that hardware needs" smmuctl doctor
smmuctl doctor | sed 's/^/--    /'
check "the journal has the fault with its fields" journal_has SMMU_EVENT=F_TRANSLATION SMMU_DEVICE=$FIRST
check "and the end of the session" soon journal_says "session 1 ended"
pid=$(show MainPID)
kill -KILL "$pid"
check "killed, it is started again" soon restarted "$pid"
check "and a VMM works again" ./lab-vmm again $client $FIRST
check "reload" systemctl reload smmu-brokerd.service
check "the journal has the reload" soon journal_says "onfiguration"

# Control groups: the VMM has one of its own, the daemon its service's.
echo "== Who pays for memory"
vmm_group=/sys/fs/cgroup/vmm
daemon_group=/sys/fs/cgroup/system.slice/smmu-brokerd.service
mkdir -p $vmm_group
mkfifo /run/go
mebibytes() { echo $(($(<"$1/memory.current") / 1048576)); }
# A VMM that has written half of 256 MiB, or allocated the rest as well, and at `go` has all of it mapped.
hold_memory() {
    rm -f memory.txt
    (
        echo $BASHPID >$vmm_group/cgroup.procs
        exec ./lab-vmm "$1" $client $FIRST </run/go >memory.txt
    ) &
    vmm=$!
    exec 3>/run/go
    soon grep -q written memory.txt
}
go() {
    echo >&3
    exec 3>&-
    soon grep -q "$1" memory.txt
}
end_vmm() {
    kill -KILL $vmm
    wait $vmm 2>>service.txt
}
is_paid_back() { [[ $(mebibytes $daemon_group) -le $((daemon_before + 16)) ]]; }
was_killed() { grep -q 'oom_kill [1-9]' $daemon_group/memory.events || restarted "$pid"; }
check "a VMM has written half of 256 MiB" hold_memory memory
vmm_before=$(mebibytes $vmm_group) daemon_before=$(mebibytes $daemon_group)
check "all of it is mapped" go mapped
vmm_more=$(($(mebibytes $vmm_group) - vmm_before)) daemon_more=$(($(mebibytes $daemon_group) - daemon_before))
echo "--    $vmm_before MiB are the VMM's; mapped, $vmm_more MiB more are its, and $daemon_more MiB more the daemon's"
check "holes that are mapped are charged to the daemon's control group" test $daemon_more -ge 120
check "and not to the VMM's" test $vmm_more -le 8
end_vmm
check "they are the daemon's no more when the VMM is gone" soon is_paid_back

pid=$(show MainPID)
systemctl set-property --runtime smmu-brokerd.service MemoryMax=64M
check "the same with MemoryMax=64M" hold_memory allocated
vmm_before=$(mebibytes $vmm_group)
check "what the VMM has allocated before is mapped" go mapped
check "and stays the VMM's" test "$vmm_before" -ge 250
check "within the daemon's limit" is MainPID "$pid"
check "smmuctl doctor warns of the limit" doctor_says MemoryMax=
end_vmm
check "its session ends" soon has_no_session
check "again, with holes" hold_memory memory
go mapped &
check "the limit has the daemon killed for them: the unit must have none" soon was_killed
end_vmm
wait
systemctl set-property --runtime smmu-brokerd.service MemoryMax=infinity

mkdir -p /run/systemd/system/smmu-brokerd.service.d
printf '[Service]\nLimitMEMLOCK=64M\n' >/run/systemd/system/smmu-brokerd.service.d/locked.conf
systemctl daemon-reload
systemctl restart smmu-brokerd.service
check "the same with LimitMEMLOCK=64M" hold_memory allocated
check "is refused" go refused
check "and it says which setting" grep -q LimitMEMLOCK= memory.txt
grep refused memory.txt | sed 's/^/--    /'
end_vmm
check "smmuctl doctor warns of that limit" doctor_says LimitMEMLOCK=
check "the daemon lives" is ActiveState active

check "it stops" systemctl stop smmu-brokerd.service
check "without a failure" is Result success
systemctl --failed --no-legend --no-pager | sed 's/^/--    failed unit: /'
grep '^FAIL' service.txt | sed 's/^FAIL  /--    /'
journalctl -u smmu-brokerd.service --no-pager >daemon-service.log 2>&1
echo "== The end of the service"
