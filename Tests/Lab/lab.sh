#!/bin/bash
# `make lab`: the broker on a real kernel that drives an emulated SMMUv3, in a virtual machine.
#
# Makes what is missing of the machine (machine/setup), cross-builds the daemon, smmuctl and the lab's VMM, boots twice
# (machine/run), and counts the checks of in-vm.sh and in-vm-systemd.sh. Exit status: 0 when all passed, or when it had to
# be skipped, for the reason that it prints; 1 when one failed.
#
# LAB_PREBUILT  a directory with a kernel and an image; without it both are built of Debian's packages, in half an hour
# LAB_DIR       where all that is kept (default ~/.cache/smmu-lab)
# LAB_KEEP      where output, kernel log and the daemon's log are kept (default .build-lab/log)
# LAB_SECONDS   how long a machine may run (default 900)
set -euo pipefail
cd "$(dirname "$0")/../.."
if [[ -n ${LAB_PREBUILT:-} ]]; then
    LAB_PREBUILT=$(cd "$LAB_PREBUILT" && pwd)
    export LAB_PREBUILT
fi
. Tests/Lab/machine/settings
export LAB_DIR
keep=${LAB_KEEP:-.build-lab/log}

find_prebuilt
if [[ ! -d $qemu_at || ! -d $sdk_at || ! -e $kernel || ! -e $image ]]; then
    if [[ $EUID -ne 0 ]]; then
        echo "Skipped: setting up the lab takes root, to unpack packages."
        exit "${SKIP_STATUS:-0}"
    fi
    Tests/Lab/machine/setup
fi

mkdir -p "$keep"
keep=$(cd "$keep" && pwd)
share=$(mktemp -d "${TMPDIR:-/tmp}/smmu-broker-lab.XXXXXX")
trap 'rm -rf "$share"' EXIT

root=$sdk_at/sdks/lab.artifactbundle/lab/root
# Debian's standard library for arm64 differs in what it marks as unsafe, so that warnings are no errors here.
# Without the place of its own for pkg-config, this machine's libsystemd would be linked.
build=(swift build -c release --scratch-path .build-lab --swift-sdks-path "$sdk_at/sdks" --swift-sdk smmu-lab
    --static-swift-stdlib --pkg-config-path "$root/usr/lib/aarch64-linux-gnu/pkgconfig"
    -Xswiftc -static-executable -Xswiftc -no-warnings-as-errors)
# The compiler does not see that a C header has changed since the last build.
[[ ! -d .build-lab ]] || find .build-lab -type d -name ModuleCache -prune -exec rm -rf {} +
for program in smmu-brokerd smmuctl kernel-behaviour; do
    "${build[@]}" --product "$program"
    cp ".build-lab/$triple/release/$program" "$share/"
done
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
"$clang" --target=$triple --sysroot="$root" -fuse-ld=lld -static -std=c11 -O2 -Wall -Wextra -Werror \
    -ISources/CSMMUBroker/include -ISources/CIOMMUFD/include -o "$share/lab-vmm" Tests/Lab/*.c Sources/CSMMUBroker/*.c
cp Tests/Lab/in-vm*.sh "$share/"
make --no-print-directory install DESTDIR="$share/root" BUILD_DIR="$share" >"$keep/install"

# boot NAME END COMMAND: boots, and sees to it that the checks come to their end.
boot() {
    local name=$1 end=$2 command=$3 status=0
    Tests/Lab/machine/run -t "${LAB_SECONDS:-900}" -k "$keep/$name" "$share" "$command" |
        tee "$keep/$name.output" || status=$?
    cat "$keep/$name.output" >>"$keep/output"
    grep -q "^== $end$" "$keep/$name.output" && return
    echo "FAIL  $name: not at its end, status $status" | tee -a "$keep/output"
}
: >"$keep/output"
boot vm "The end" 'bash ./in-vm.sh'
boot service "The end of the service" 'bash ./in-vm-systemd.sh'
for log in daemon.log daemon-service.log service.txt; do [[ ! -e $share/$log ]] || cp "$share/$log" "$keep/"; done

passed=$(grep -c '^ok    ' "$keep/output" || true)
failed=$(grep -c '^FAIL  ' "$keep/output" || true)
if [[ $failed -ne 0 ]]; then
    echo "== What failed"
    grep '^FAIL  ' "$keep/output" || true
    echo "The last lines of the daemon:"
    tail -n 20 "$keep/daemon.log" | cut -c 1-400 || true
fi
echo "$passed passed, $failed failed (kept in $keep: output, daemon.log, dmesg, console)"
[[ $failed -eq 0 ]]
