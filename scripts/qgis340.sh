#!/bin/sh
# Runs the plugin's tests in QGIS 3.40, in a Debian trixie made for it. Needs root and debootstrap.
#
#   scripts/qgis340.sh [pytest arguments]      default: tests/plugin
#
# The first run makes the chroot (about 1.7 GB, a few minutes); later runs take seconds. Variables:
#   RSGROUND_TRIXIE   where the chroot lives          default: /var/tmp/rsground-trixie
#   RSGROUND_MIRROR   the Debian mirror               default: the one apt is configured with here
set -eu

chroot_dir=${RSGROUND_TRIXIE:-/var/tmp/rsground-trixie}
repository=$(cd "$(dirname "$0")/.." && pwd)
packages="python3-qgis qgis-providers qgis-common python3-gdal python3-numpy python3-pytest python3-hypothesis python3-venv xvfb xauth"

configured_mirror() {
    sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
        grep '/debian/\{0,1\}$' | head -n 1
}

say() { printf 'qgis340: %s\n' "$*" >&2; }

[ "$(id -u)" = 0 ] || { say "needs root, for chroot and bind mounts"; exit 1; }
command -v debootstrap >/dev/null || { say "needs debootstrap: apt-get install debootstrap"; exit 1; }

if [ ! -e "$chroot_dir/.debootstrapped" ]; then
    mirror=${RSGROUND_MIRROR:-$(configured_mirror)}
    mirror=${mirror:-http://deb.debian.org/debian}
    say "making a Debian trixie in $chroot_dir from $mirror"
    # An interrupted earlier attempt is of no use; --one-file-system keeps anything still mounted there.
    rm -rf --one-file-system "$chroot_dir"
    mkdir -p "$chroot_dir"
    debootstrap --variant=minbase trixie "$chroot_dir" "$mirror" >"$chroot_dir.log" 2>&1 ||
        { tail -n 20 "$chroot_dir.log" >&2; exit 1; }
    printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\nDpkg::Options:: "--force-unsafe-io";\n' \
        >"$chroot_dir/etc/apt/apt.conf.d/90rsground"
    touch "$chroot_dir/.debootstrapped"
fi
if [ "$(cat "$chroot_dir/.packages" 2>/dev/null)" != "$packages" ]; then
    say "installing QGIS and what its tests need"
    cp /etc/resolv.conf "$chroot_dir/etc/resolv.conf" 2>/dev/null || true
    # shellcheck disable=SC2016,SC2086 # expanded by the inner shell; the packages are words
    unshare --mount sh -eu -c '
        mount -t proc proc "$0/proc"
        export DEBIAN_FRONTEND=noninteractive
        chroot "$0" apt-get update
        chroot "$0" apt-get install -y "$@"
        chroot "$0" apt-get clean' "$chroot_dir" $packages >>"$chroot_dir.log" 2>&1 ||
        { tail -n 20 "$chroot_dir.log" >&2; exit 1; }
    printf '%s\n' "$packages" >"$chroot_dir/.packages"
fi

# A copy, so that caches and compiled files of another Python never come into the working tree.
rm -rf "$chroot_dir/work/repository"
mkdir -p "$chroot_dir/work/repository" "$chroot_dir/work/shared/data"
# Files deleted but not yet committed are listed too: they are left out.
(cd "$repository" && git ls-files -co --exclude-standard |
    while IFS= read -r file; do if [ -e "$file" ]; then printf '%s\n' "$file"; fi; done |
    tar -cf - -T -) | tar -xf - -C "$chroot_dir/work/repository"

[ $# -gt 0 ] || set -- tests/plugin
unshare --mount sh -eu -c '
    chroot_dir=$0 data=$1; shift
    mount -t proc proc "$chroot_dir/proc"
    mount --bind /dev "$chroot_dir/dev"
    mount -t tmpfs tmpfs "$chroot_dir/tmp"
    if [ -d "$data" ]; then mount --bind -o ro "$data" "$chroot_dir/work/shared/data"; fi
    exec chroot "$chroot_dir" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 QT_QPA_PLATFORM=offscreen \
        PYTHONDONTWRITEBYTECODE=1 sh -eu -c "
            cd /work/repository
            /usr/bin/python3 -c \"from qgis.core import Qgis; print(\\\"QGIS\\\", Qgis.QGIS_VERSION)\"
            exec /usr/bin/python3 -m pytest -p no:cacheprovider \"\$@\"" pytest "$@"
' "$chroot_dir" "$repository/../shared/data" "$@"
