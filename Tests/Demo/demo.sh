#!/bin/bash
# The broker from end to end, without hardware: `make demo` has it built, and runs this with the directory of the programs.
#
# Starts smmu-brokerd on private sockets with the software SMMU, replays what a real Linux guest did through it, runs the
# example VMM, and shows what the operator sees. Leaves nothing behind, and fails if any part of it does.
set -euo pipefail
programs=$1
cd "$(dirname "$0")/../.."

bold="" plain=""
[[ ! -t 1 || -n ${NO_COLOR:-} ]] || bold=$'\033[1m' plain=$'\033[0m'
# The path of a socket has 107 bytes at most, and that of a temporary directory may have more.
work=$(mktemp -d /tmp/smmu-broker-demo.XXXXXX)
daemon=""

stop() {
    local status=$?
    trap - EXIT INT TERM
    if [[ -n $daemon ]]; then
        kill "$daemon" 2>>"$work/stop.log" || true
        # Nothing stays behind: a daemon that does not end in 10 s is ended, and the demo has failed.
        for ((tries = 0; tries < 200; tries++)); do
            kill -0 "$daemon" 2>>"$work/stop.log" || break
            sleep 0.05
        done
        kill -KILL "$daemon" 2>>"$work/stop.log" || true
        local ended=0
        wait "$daemon" 2>>"$work/stop.log" || ended=$?
        if [[ $status -eq 0 && $ended -ne 0 ]]; then
            echo "smmu-brokerd ended with status $ended." >&2
            status=1
        fi
    fi
    if [[ $status -ne 0 && -s $work/daemon.log ]]; then
        echo "The last lines of the daemon:" >&2
        tail -n 20 "$work/daemon.log" >&2
    fi
    rm -rf "$work"
    if [[ $status -eq 0 ]]; then
        echo "Everything came out as it must, in $SECONDS s. Nothing is left running."
    else
        echo "The demo failed (status $status)." >&2
    fi
    exit "$status"
}
trap stop EXIT
trap 'exit 130' INT TERM

# step TEXT COMMAND...: says what is done, and does it, for 60 s at most.
step() {
    printf '\n%s%s%s\n' "$bold" "$1" "$plain"
    shift
    timeout -k 5 60 "$@"
}

# wait_for TEXT COMMAND...: tries until it succeeds; not for long, and not when the daemon has ended.
wait_for() {
    local what=$1
    shift
    for ((tries = 0; tries < 200; tries++)); do
        "$@" && return
        kill -0 "$daemon" || break
        sleep 0.05
    done
    echo "Failed to start the demo: $what" >&2
    exit 1
}

cat >"$work/smmu-broker.conf" <<CONFIGURATION
[Broker]
ClientSocket=$work/client.sock
AdminSocket=$work/admin.sock

[Grant demo]
User=$(id -u)
Devices=model
CONFIGURATION

tar -C "$work" -xJf Tests/Fixtures/captures/lin-4k-s1-faults.tar.xz

step "smmu-brokerd with its software SMMU, for user $(id -un)" \
    "$programs/smmu-brokerd" --config "$work/smmu-broker.conf" --check-config
"$programs/smmu-brokerd" --config "$work/smmu-broker.conf" >"$work/daemon.log" 2>&1 &
daemon=$!
wait_for "smmu-brokerd does not listen" test -S "$work/client.sock" -a -S "$work/admin.sock"

step "A recorded Linux guest through the broker: its memory, STEs, commands, translations, faults" \
    "$programs/smmuctl" replay --socket "$work/client.sock" "$work/lin-4k-s1-faults"

step "A VMM in C, from HELLO to a fault" \
    "$programs/vmm-example" "$work/client.sock"

step "The same, with the guest's event queue in its RAM written by the broker itself" \
    "$programs/vmm-example" --shared-events "$work/client.sock"

# Monitors hear of a fault after the VMM does.
fault_is_shown() {
    timeout -k 5 10 "$programs/smmuctl" events --faults --vm vmm-example --socket "$work/admin.sock" >"$work/events"
    grep -q "F_TRANSLATION.*0xdead0000" "$work/events"
}
wait_for "smmuctl events does not show the fault" fault_is_shown
step "The fault, as the operator sees it" cat "$work/events"

step "The broker afterwards" "$programs/smmuctl" status --socket "$work/admin.sock"
printf '\n'
