#!/bin/bash
# `make lab`: the broker on a real kernel that drives an emulated SMMUv3, in a virtual machine.
#
# LAB_PREBUILT names a directory with the programs `setup` (fetches QEMU, firmware, kernel and the SDK for arm64 into
# LAB_DIR, as root, once) and `run` (boots, and runs a command in a shared directory). Cross-builds the daemon, smmuctl
# and the lab's VMM, boots twice, and counts the checks of in-vm.sh and in-vm-systemd.sh. Exit status: 0 when all passed,
# or when it had to be skipped, for the reason that it prints; 1 when one failed; 2 when the lab is not there.
#
# LAB_DIR       where `setup` puts what it fetches (default ~/.cache/smmu-lab)
# LAB_KEEP      where output, kernel log and the daemon's log are kept (default .build-lab/log)
# LAB_SECONDS   how long a machine may run (default 600)
set -euo pipefail
cd "$(dirname "$0")/../.."
prebuilt=${LAB_PREBUILT:-}
export LAB_DIR=${LAB_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/smmu-lab}
keep=${LAB_KEEP:-.build-lab/log}
triple=aarch64-unknown-linux-gnu

if [[ -z $prebuilt ]]; then
    cat >&2 <<'MISSING'
Failed to start the lab: LAB_PREBUILT is not set.
It takes a kernel for arm64 with iommufd and SMMUv3 nesting, an image to boot, QEMU 11, and a Swift SDK for arm64.
To build these from Debian's packages is not there yet: have LAB_PREBUILT name a directory with `setup` and `run`.
MISSING
    exit 2
fi
for program in setup run; do
    [[ -x $prebuilt/$program ]] && continue
    echo "Failed to start the lab: there is no program $prebuilt/$program." >&2
    exit 2
done
prebuilt=$(cd "$prebuilt" && pwd)

skip() {
    echo "Skipped: $1"
    exit 0
}
if [[ ! -x $LAB_DIR/qemu11/usr/bin/qemu-system-aarch64 || ! -d $LAB_DIR/sdks/lab.artifactbundle ]]; then
    [[ $(id -u) -eq 0 ]] || skip "setting up the lab takes root, to install packages"
    apt-get -q update >/dev/null || skip "setting up the lab takes a network, to fetch packages"
fi
"$prebuilt/setup"

mkdir -p "$keep"
keep=$(cd "$keep" && pwd)
share=$(mktemp -d "${TMPDIR:-/tmp}/smmu-broker-lab.XXXXXX")
trap 'rm -rf "$share"' EXIT

sysroot=$LAB_DIR/sdks/lab.artifactbundle/lab/sysroot
# Debian's standard library for arm64 differs in what it marks as unsafe, so that warnings are no errors here.
build=(swift build -c release --scratch-path .build-lab --swift-sdks-path "$LAB_DIR/sdks" --swift-sdk smmu-lab
    --static-swift-stdlib --pkg-config-path "$sysroot/usr/lib/aarch64-linux-gnu/pkgconfig"
    -Xswiftc -static-executable -Xswiftc -no-warnings-as-errors)
# The compiler does not see that a C header has changed since the last build.
[[ ! -d .build-lab ]] || find .build-lab -type d -name ModuleCache -prune -exec rm -rf {} +
for program in smmu-brokerd smmuctl kernel-behaviour; do
    "${build[@]}" --product "$program"
    cp ".build-lab/$triple/release/$program" "$share/"
done
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
"$clang" --target=$triple --sysroot="$sysroot" -fuse-ld=lld -static -std=c11 -O2 -Wall -Wextra -Werror \
    -ISources/CSMMUBroker/include -o "$share/lab-vmm" Tests/Lab/*.c Sources/CSMMUBroker/*.c
cp Tests/Lab/in-vm.sh Tests/Lab/in-vm-systemd.sh "$share/"
make --no-print-directory install DESTDIR="$share/root" BUILD_DIR="$share" >"$keep/install"

# boot NAME END OPTIONS... COMMAND: boots, and sees to it that the checks come to their end.
boot() {
    local name=$1 end=$2 status=0
    shift 2
    "$prebuilt/run" -t "${LAB_SECONDS:-600}" -k "$keep/$name" -d "$share" "$@" | tee "$keep/$name.output" || status=$?
    cat "$keep/$name.output" >>"$keep/output"
    grep -q "^== $end$" "$keep/$name.output" && return
    echo "FAIL  $name: not at its end, status $status" | tee -a "$keep/output"
}
: >"$keep/output"
boot vm "The end" 'sh ./in-vm.sh'
boot service "The end of the service" -s 'bash ./in-vm-systemd.sh'
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
