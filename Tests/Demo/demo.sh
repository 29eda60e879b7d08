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
work=$(mktemp -d "${TMPDIR:-/tmp}/smmu-broker-demo.XXXXXX")
daemon=""
follower=""

stop() {
    local status=$?
    trap - EXIT
    for process in $follower $daemon; do
        kill "$process" 2>>"$work/stop.log" || true
    done
    # A daemon that does not end by itself is ended: nothing stays behind.
    for process in $follower $daemon; do
        for ((tries = 0; tries < 100; tries++)); do
            kill -0 "$process" 2>>"$work/stop.log" || continue 2
            sleep 0.05
        done
        kill -KILL "$process" 2>>"$work/stop.log" || true
        status=1
    done
    if [[ $status -ne 0 && -s $work/daemon.log ]]; then
        echo "The last lines of the daemon:" >&2
        tail -n 20 "$work/daemon.log" >&2
    fi
    rm -rf "$work"
    [[ $status -eq 0 ]] && echo "Everything came out as it must." || echo "The demo failed (status $status)." >&2
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

step "A VMM of 250 lines of C, from HELLO to a fault" \
    "$programs/vmm-example" "$work/client.sock"

printf '\n'
