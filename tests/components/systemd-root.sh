#!/usr/bin/env bash
#
# systemd-root.sh PLACE CGROUP SHARED...: builds a root directory and becomes systemd in it. Called by systemd.sh as
# process 1 of new process and mount namespaces; all mounts made here vanish with the last process in them.
#
# It promises that the machine's files stay as they are (writes go to a tmpfs), that the kernel's settings cannot be
# changed from inside, and that no unit starts but those of ALLOWED and what they need. PLACE/pid tells when it is done.
#
# It must not be run by hand: outside a mount namespace of its own it would rearrange the machine's mounts.
set -euo pipefail

fail() {
  printf 'systemd-root: error: %s\n' "$*" >&2
  exit 1
}

# What the vendor's targets pull in without being asked and the tests want; everything else is masked.
ALLOWED=(systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket dbus.socket)

[[ $$ -eq 1 && $# -ge 2 ]] || fail "started by systemd.sh only"
PLACE=$1
CGROUP=$2
shift 2
SHARED=("$@")
NEW=$PLACE/root/new

# The upper layer must not lie on the overlaid file system, which may be an overlay itself: a tmpfs always suits.
make_overlay() {
  mount -t tmpfs -o mode=0755 tmpfs "$PLACE/root"
  mkdir "$PLACE/root"/{upper,work,new}
  mount -t overlay -o "lowerdir=/,upperdir=$PLACE/root/upper,workdir=$PLACE/root/work" overlay "$NEW" ||
    fail "cannot put an overlay on /: the kernel needs overlayfs"
}

# The kernel's own file systems. /sys and /proc/sys are read-only: they belong to the machine.
mount_kernel() {
  mount -t proc proc "$NEW/proc"
  local path
  for path in sys sysrq-trigger; do
    [[ -e $NEW/proc/$path ]] || continue
    mount --bind "$NEW/proc/$path" "$NEW/proc/$path"
    mount -o remount,bind,ro "$NEW/proc/$path"
  done
  mount -t sysfs -o ro sysfs "$NEW/sys"
  mount -t cgroup2 cgroup2 "$NEW/sys/fs/cgroup"
}

# Only the devices that every program may use: no disk, no console, no kernel log.
mount_devices() {
  mount -t tmpfs -o nosuid,mode=0755 tmpfs "$NEW/dev"
  mkdir "$NEW/dev"/{pts,shm}
  local name
  for name in null zero full random urandom tty; do
    : >"$NEW/dev/$name"
    mount --bind "/dev/$name" "$NEW/dev/$name"
  done
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$NEW/dev/pts"
  mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$NEW/dev/shm"
  ln -s pts/ptmx "$NEW/dev/ptmx"
  ln -s /proc/self/fd "$NEW/dev/fd"
  ln -s /proc/self/fd/0 "$NEW/dev/stdin"
  ln -s /proc/self/fd/1 "$NEW/dev/stdout"
  ln -s /proc/self/fd/2 "$NEW/dev/stderr"
}

# An empty /etc/systemd forgets all that is enabled or configured on the machine; the old journal is hidden likewise.
mount_fresh() {
  mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs "$NEW/run"
  mkdir "$NEW/run/lock"
  mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$NEW/tmp"
  mkdir -p "$NEW/etc/systemd" "$NEW/var/log/journal"
  mount -t tmpfs -o mode=0755 tmpfs "$NEW/etc/systemd"
  mount -t tmpfs -o mode=0755 tmpfs "$NEW/var/log/journal"
}

# After mount_fresh, since a shared directory may lie below /tmp.
mount_shared() {
  local path
  for path in "${SHARED[@]}"; do
    mkdir -p -- "$NEW$path"
    mount --bind -- "$path" "$NEW$path"
  done
}

mask() { ln -sfn /dev/null "$1"; }

allowed() {
  local name
  for name in "${ALLOWED[@]}"; do
    [[ $1 != "$name" ]] || return 0
  done
  return 1
}

# Generators turn fstab, init.d and the like into units; the wants of the early targets are the vendor's.
mask_units() {
  local etc=$NEW/etc/systemd lib=$NEW/usr/lib/systemd path
  mkdir -p "$etc/system" "$etc/system-generators"
  for path in "$lib"/system-generators/* "$NEW"/etc/systemd/system-generators/*; do
    [[ ! -e $path ]] || mask "$etc/system-generators/${path##*/}"
  done
  for path in "$lib"/system/{sysinit,basic,sockets,timers,paths,local-fs,swap}.target.{wants,requires}/*; do
    [[ -L $path || -e $path ]] || continue
    allowed "${path##*/}" || mask "$etc/system/${path##*/}"
  done
}

write_settings() {
  local etc=$NEW/etc/systemd name
  # With an id it is not a first boot, which would enable units by preset.
  tr -d - </proc/sys/kernel/random/uuid >"$NEW/etc/machine-id"
  printf 'pm-test\n' >"$NEW/etc/hostname"
  printf '%s\n' '[Unit]' 'Description=System for the tests of pm' 'Requires=basic.target' 'After=basic.target' \
    'Wants=dbus.service systemd-journald.service' 'AllowIsolate=yes' >"$etc/system/pm-test.target"
  # Audit is left as the machine has it; a burst of test output must not be dropped.
  printf '%s\n' '[Journal]' 'Storage=volatile' 'RateLimitBurst=0' 'ReadKMsg=no' 'Audit=' >"$etc/journald.conf"
  # Where the name of the bus is an alias, it is made by enabling the unit, which mount_fresh has forgotten.
  [[ ! -e $NEW/usr/lib/systemd/system/dbus.service ]] || return 0
  for name in dbus-broker.service dbus-daemon.service; do
    [[ -e $NEW/usr/lib/systemd/system/$name ]] || continue
    ln -s "/usr/lib/systemd/system/$name" "$etc/system/dbus.service"
    return 0
  done
}

# The pid that the machine sees: /proc is still the machine's here.
tell_pid() {
  local pid
  read -r pid _ </proc/self/stat
  printf '%s\n' "$pid" >"$PLACE/pid.new"
  mv -- "$PLACE/pid.new" "$PLACE/pid"
}

# The control group must be entered before its namespace is made, which then has it as its root. This is the second
# call, with that namespace.
if [[ ${PM_TEST_CGROUP_ENTERED:-} != yes ]]; then
  echo 0 >"$CGROUP/cgroup.procs"
  PM_TEST_CGROUP_ENTERED=yes exec unshare --cgroup bash "$0" "$PLACE" "$CGROUP" "${SHARED[@]}"
fi

make_overlay
mount_kernel
mount_devices
mount_fresh
mount_shared
mask_units
write_settings
tell_pid
mkdir -p "$NEW/.machine"
cd "$NEW"
pivot_root . .machine
umount -l /.machine
rmdir /.machine
# As on a booted system: systemd makes the credentials of a unit (LoadCredential=) in a mount namespace beside its own.
mount --make-rshared /
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=docker LANG=C.UTF-8 \
  /usr/lib/systemd/systemd --system --unit=pm-test.target
