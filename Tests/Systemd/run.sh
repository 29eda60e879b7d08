#!/bin/bash
# smmu-brokerd under a systemd and a journald of its own: `make systemd-test` runs this.
#
#   run.sh can            whether this machine can; if not it says why, and the status is 1
#   run.sh run BUILD_DIR  installs what is built there into a Debian 12, boots that in a container, and has the checks
#                         of inside/checks.py made there
#
# With SYSTEMD_TEST_KEEP=DIRECTORY the journal of the machine, its console and the checks' output are left there.
# The Debian is made once, in $SYSTEMD_TEST_CACHE (~/.cache/smmu-broker), and never changed: the machine is an overlay.
set -euo pipefail
cd "$(dirname "$0")/../.."
checks=$PWD/Tests/Systemd/inside
cache=${SYSTEMD_TEST_CACHE:-${XDG_CACHE_HOME:-~/.cache}/smmu-broker}
suite=bookworm
packages=dbus,libsystemd0,python3,systemd,systemd-sysv
base=$cache/$suite-$(sha256sum <<<"$packages" | cut -c1-12)

# missing: why this machine cannot, or nothing. Everything is tried, not guessed.
missing() {
    if [[ $EUID -ne 0 ]]; then echo "it needs root"; return; fi
    for tool in systemd-nspawn mmdebstrap; do
        command -v "$tool" >/dev/null || { echo "there is no $tool (make install-deps)"; return; }
    done
    unshare --mount mount -t tmpfs tmpfs /mnt 2>/dev/null || { echo "mounting is not allowed here"; return; }
    [[ ! -d $base ]] || return 0
    local mirror
    mirror=$(Tests/Support/debian-mirror) || { echo "apt knows no mirror of Debian"; return; }
    python3 - "$mirror/dists/$suite/Release" <<'PYTHON' 2>/dev/null || echo "Debian's packages cannot be reached"
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=10).read(1)
PYTHON
}

# A Debian of a few packages, put into its place when it is whole.
make_base() {
    [[ ! -d $base ]] || return 0
    echo "Making a Debian of $packages in $base"
    mkdir -p "$cache"
    local unfinished
    unfinished=$(mktemp -d "$cache/unfinished.XXXXXX")
    if ! mmdebstrap --quiet --variant=minbase --include="$packages" --aptopt='Acquire::Languages "none"' \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        "$suite" "$unfinished/tree" "$(Tests/Support/debian-mirror)"; then
        rm -rf "$unfinished"
        return 1
    fi
    # Another run may have been faster.
    mv -T "$unfinished/tree" "$base" || [[ -d $base ]]
    rm -rf "$unfinished"
}

# install_into MACHINE BUILD_DIR: what a distribution installs, what an administrator configures, and the checks.
install_into() {
    local machine=$1 build=$2
    make --no-print-directory install DESTDIR="$machine" BUILD_DIR="$build"
    install -D -m 644 "$checks/grants.conf" "$machine/etc/smmu-broker/smmu-broker.conf.d/60-checks.conf"
    install -D -m 644 "$checks/users.conf" "$machine/etc/sysusers.d/smmu-broker-checks.conf"
    install -D -m 644 -t "$machine/etc/systemd/system" "$checks/smmu-broker-checks.service"
    install -D -m 644 -t "$machine/checks" "$checks"/*.py
    install -m 755 "$build/vmm-example" "$machine/checks"
    tar -C "$machine/checks" --no-same-owner -xJf Tests/Fixtures/captures/lin-4k-s1-faults.tar.xz
    # What Debian does when a package brings a catalog. It makes users and directories as well; here the boot does.
    journalctl --root="$machine" --update-catalog
    # The journal stays to be read when the machine is off.
    mkdir -p "$machine/var/log/journal"
    systemctl --quiet --root="$machine" enable smmu-brokerd smmu-broker-checks
}

# explain_failure MACHINE LOG: what there is to say of a machine in which something went wrong.
explain_failure() {
    echo "---- The journal of smmu-brokerd" >&2
    # With -n and several matches journalctl leaves some out.
    journalctl --no-pager -q -D "$1/var/log/journal" | grep -a smmu-broker | tail -n 120 >&2 || true
    echo "---- The machine's console" >&2
    tail -n 40 "$2" >&2
}

# run_machine BUILD_DIR: in a mount namespace of its own, so that all mounts end with it, however it ends.
run_machine() {
    local build=$1 work status=0
    work=/run/smmu-broker-machine
    # Nothing of this is seen outside; /run is where nspawn wants to write, and not on a disk.
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p "$work"/{upper,overlay,machine} /run/systemd/nspawn
    mount -t overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/overlay" overlay "$work/machine"
    install_into "$work/machine" "$build"

    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout -k 10 150 systemd-nspawn --quiet -D "$work/machine" --register=no \
        --keep-unit --private-network --link-journal=no --console=pipe --boot \
        </dev/null >"$work/console" 2>&1 || status=$?
    if [[ -n ${SYSTEMD_TEST_KEEP:-} ]]; then
        mkdir -p "$SYSTEMD_TEST_KEEP"
        cp -r "$work/machine/var/log/journal" "$work/machine/checks/output" "$work/console" "$SYSTEMD_TEST_KEEP" || true
    fi
    if [[ -f $work/machine/checks/output ]]; then cat "$work/machine/checks/output"; fi
    if [[ $status -ne 0 ]]; then echo "The machine ended with status $status." >&2; fi
    if ! tail -n 1 "$work/machine/checks/output" | grep -q '^[0-9]* checks, 0 failed$' || [[ $status -ne 0 ]]; then
        explain_failure "$work/machine" "$work/console"
        return 1
    fi
}

case ${1:-} in
can)
    reason=$(missing)
    [[ -n $reason ]] || exit 0
    echo "SKIPPED: smmu-brokerd under systemd: $reason."
    exit 1
    ;;
run)
    make_base
    exec unshare --mount --propagation private Tests/Systemd/run.sh inside "$(realpath "$2")"
    ;;
inside) run_machine "$2" ;;
*)
    echo "usage: $0 can | run BUILD_DIR" >&2
    exit 64
    ;;
esac
