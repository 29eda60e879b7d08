#!/bin/sh
# Runs in the lab's virtual machine, in the directory with the programs: binds the edu devices to vfio-pci, starts the
# daemon with Backend=iommufd, and has everything checked. One line for each check; those who count are outside.
set -u
FIRST=0000:00:08.0 SECOND=0000:00:09.0 THIRD=0000:01:00.0
client=/run/smmu-broker/client.sock admin=/run/smmu-broker/admin.sock

check() { # NAME COMMAND...
    name=$1
    shift
    if "$@"; then echo "ok    $name"; else echo "FAIL  $name"; fi
}

# Tries for 10 s.
soon() {
    tries=0
    while ! "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || return 1
        usleep 100000
    done
}

descriptors() { ls /proc/$daemon/fd | wc -l; }
threads() { ls /proc/$daemon/task | wc -l; }
sessions() { ./smmuctl list --socket $admin --no-legend | wc -l; }
has_sessions() { [ "$(sessions)" -eq "$1" ]; }
is_as_before() { [ "$(descriptors)" -eq "$fds" ] && [ "$(threads)" -eq "$tasks" ]; }
lives() { kill -0 $daemon; }
is_refused() { ! ./lab-vmm again $client "$1" >>refused.txt; }
holding() { grep -qs holding "$1"; }

bind() {
    echo vfio-pci >/sys/bus/pci/devices/$1/driver_override
    echo $1 >/sys/bus/pci/drivers_probe
    [ -d /sys/bus/pci/devices/$1/vfio-dev ]
}

uname -sr | sed 's/^/--    /'
for device in $FIRST $SECOND $THIRD; do check "vfio-pci has $device" bind $device; done

echo "== What the fake kernel of the unit tests does as well"
./kernel-behaviour $FIRST $SECOND

mkdir -p /run/smmu-broker
cat >lab.conf <<CONFIGURATION
[Broker]
Backend=iommufd

[Grant lab]
User=0
Devices=0000:*
CONFIGURATION
check "--check-config takes Backend=iommufd" ./smmu-brokerd --config lab.conf --check-config
./smmu-brokerd --config lab.conf >daemon.log 2>&1 &
daemon=$!
check "the daemon starts" soon test -S $client -a -S $admin
./smmuctl status --socket $admin | sed 's/^/--    /'
fds=$(descriptors)
tasks=$(threads)

echo "== One VM"
check "the lab's VMM ends with status 0" ./lab-vmm check $client $FIRST
check "its session is gone" soon has_sessions 0
check "no descriptor and no thread is left of it" soon is_as_before

echo "== Two VMs at the same time, on one SMMU, with the same vSID, ASID, IPAs and IOVAs"
./lab-vmm check $client $SECOND >second.txt &
second=$!
./lab-vmm check $client $FIRST >first.txt
wait $second
sed 's/^\(ok    \|FAIL  \)/\1first: /' first.txt
sed 's/^\(ok    \|FAIL  \)/\1second: /' second.txt
check "their sessions are gone" soon has_sessions 0
check "no descriptor and no thread is left of them" soon is_as_before

echo "== A VMM that is killed while its device does DMA"
round=0
while [ $round -lt 3 ]; do
    round=$((round + 1))
    ./lab-vmm hold $client $THIRD >hold.txt &
    vmm=$!
    check "round $round: a VMM does DMA" soon holding hold.txt
    check "round $round: smmuctl show has its device" sh -c "./smmuctl show hold --socket $admin | grep -q $THIRD"
    ./lab-vmm again $client $THIRD >taken.txt
    check "round $round: nobody else gets its device" grep -q "belongs to another session" taken.txt
    kill -KILL $vmm
    wait $vmm 2>>killed.txt
    check "round $round: its session ends" soon has_sessions 0
    check "round $round: nothing is left of it" soon is_as_before
    ./lab-vmm again $client $THIRD | sed "s/^\(ok    \|FAIL  \)/\1round $round, the next VMM: /"
done

echo "== What is refused"
check "a device that vfio-pci does not have" is_refused 0000:00:11.0
grep FAIL refused.txt | sed 's/FAIL  /--    /'
check "the daemon lives" lives
check "SIGTERM ends it" sh -c "kill $daemon"
wait $daemon
status=$?
check "with status 0" test $status -eq 0
echo "== The end"
