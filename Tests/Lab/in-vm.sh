#!/bin/bash
# Runs in the lab's virtual machine, in the directory with the programs: binds the edu devices to vfio-pci, starts the
# daemon with Backend=iommufd, and has everything checked. One line for each check; those who count are outside.
set -u
# The image has few programs of its own.
busybox mkdir -p /run/tools
busybox --install -s /run/tools
PATH=$PATH:/run/tools
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
# Devices that nobody gets stand below them.
sessions() { ./smmuctl list --socket $admin --no-legend | grep -c '^ *[0-9][0-9]* '; }
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

unbind() { echo $1 >/sys/bus/pci/drivers/vfio-pci/unbind; }
inode() { stat -c %i /sys/bus/pci/devices/$1/vfio-dev/vfio*; }

# A VMM that says how far it is, and goes on when it is told to.
start() { # MODE ADDRESS...
    mode=$1
    shift
    rm -f /run/go
    mkfifo /run/go
    ./lab-vmm $mode $client "$@" </run/go >$mode.txt &
    vmm=$!
    exec 3>/run/go
}
says() { grep -qs "^$1\$" $mode.txt; }
let_go_on() { echo >&3; }
finish() {
    exec 3>&-
    wait $vmm
    status=$?
    sed "s/^\(ok    \|FAIL  \)/\1$mode: /" $mode.txt
    check "$mode: the VMM ends with status 0" test $status -eq 0
    check "$mode: its session is gone" soon has_sessions 0
    check "$mode: nothing is left of it" soon is_as_before
}
lists() { ./smmuctl list --socket $admin | grep -q "$1"; }
has_no_orphan() { ! lists orphan; }
shows() { ./smmuctl show $THIRD --socket $admin | grep -q "$1"; }
gets_device() { ./lab-vmm again $client $THIRD >again.txt; }

uname -sr | sed 's/^/--    /'
for device in $FIRST $SECOND $THIRD; do check "vfio-pci has $device" bind $device; done

echo "== What the fake kernel of the unit tests does as well"
check "all of the kernel's ways have been looked at" ./kernel-behaviour $FIRST $SECOND

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
first_status=$?
wait $second
second_status=$?
sed 's/^\(ok    \|FAIL  \)/\1first: /' first.txt
sed 's/^\(ok    \|FAIL  \)/\1second: /' second.txt
check "first: the VMM ends with status 0" test $first_status -eq 0
check "second: the VMM ends with status 0" test $second_status -eq 0
check "their sessions are gone" soon has_sessions 0
check "no descriptor and no thread is left of them" soon is_as_before

echo "== STEs that are replaced while three devices do DMA"
check "the replacing VMM ends with status 0" ./lab-vmm replace $client $FIRST $SECOND $THIRD
check "its session is gone" soon has_sessions 0

echo "== What the broker costs, as ratios to a VMM without it"
# All of the daemon's threads but the session's, which is started by one of them, sleep.
taskset -p 2 $daemon >>taskset.txt
check "all of it can be measured" taskset 2 ./lab-vmm measure $client $FIRST $SECOND
taskset -p 3 $daemon >>taskset.txt
check "the session is gone" soon has_sessions 0
check "nothing is left of what was replaced and measured" soon is_as_before

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
    ./lab-vmm again $client $THIRD >next.txt
    status=$?
    sed "s/^\(ok    \|FAIL  \)/\1round $round, the next VMM: /" next.txt
    check "round $round: the next VMM ends with status 0" test $status -eq 0
done

echo "== A device that somebody keeps"
start orphan $THIRD $FIRST
check "a device outlives its VMM" soon says orphaned
check "smmuctl list has the orphan" lists "$THIRD is orphaned"
check "smmuctl show says what it is" shows "is orphaned"
./smmuctl show $THIRD --socket $admin | sed 's/^/--    /'
let_go_on
check "a device outlives its detachment" soon says detached
check "smmuctl list has that orphan too" lists "$THIRD is orphaned"
let_go_on
finish
check "when nobody has the orphan any more it is not listed" soon has_no_orphan
check "and the next VMM gets it" gets_device

echo "== Somebody who attaches his device to all that there is"
check "hostile: the VMM ends with status 0" ./lab-vmm hostile $client $THIRD $SECOND $FIRST
check "hostile: its session is gone" soon has_sessions 0
check "hostile: nothing is left of it" soon is_as_before
check "hostile: the daemon lives" lives
check "hostile: the next VMM gets the device" gets_device

echo "== A device that its host takes back"
before=$(inode $THIRD)
start released $THIRD
check "a VMM has it" soon says holding
./smmuctl release $THIRD --socket $admin | sed 's/^/--    /'
check "the VMM has been told" soon says gone
check "smmuctl list has the released device" lists "$THIRD is orphaned"
(unbind $THIRD; echo unbound >/run/unbound) &
usleep 1000000
check "the host's unbind waits for the VMM" test ! -e /run/unbound
let_go_on
check "the VMM has closed it" soon says closed
check "then the host's unbind is done" soon test -e /run/unbound
check "vfio-pci has it again" bind $THIRD
check "its device file in sysfs is another one then" test "$before" -ne "$(inode $THIRD)"
let_go_on
finish
start released $THIRD
check "again a VMM has it" soon says holding
./smmuctl release --to-host $THIRD --socket $admin >>release.txt
check "and has been told" soon says gone
let_go_on
check "and has closed it" soon says closed
check "nobody gets what the host has" is_refused $THIRD
check "smmuctl show says that the host has it" shows "given back to the host"
./smmuctl release --again $THIRD --socket $admin | sed 's/^/--    /'
let_go_on
finish

echo "== Registers of a device as memory of the guest"
check "bar: the VMM ends with status 0" ./lab-vmm bar $client $FIRST $THIRD
check "bar: its session is gone" soon has_sessions 0
check "bar: nothing is left of it" soon is_as_before

echo "== What is refused"
check "a device that vfio-pci does not have" is_refused 0000:00:11.0
grep FAIL refused.txt | sed 's/FAIL  /--    /'
check "the daemon lives" lives
check "SIGTERM ends it" sh -c "kill $daemon"
wait $daemon
status=$?
check "with status 0" test $status -eq 0
echo "== The end"
