#!/usr/bin/env bash
#
# install.sh: makes sure that the programs the real components need are on this machine.
#
# It looks for programs, not for packages, so a MariaDB or a Docker from elsewhere counts. What is missing it installs
# with apt-get or dnf when run as root; otherwise it prints the one command to run and exits with 1.
#
# It must not ask anything, start any system service, or touch the package lists when nothing is missing.
set -euo pipefail
COMPONENT=install
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

# What must be there : its Debian package : its RPM package. A path is tested as a file, a bare word as a program.
# The "core" packages of MariaDB bring the server program without a system service, an account or Perl.
NEEDED=(
  mariadbd:mariadb-server-core:mariadb-server
  mariadb-install-db:mariadb-server-core:mariadb-server
  mariadb:mariadb-client-core:mariadb
  galera:galera-4:galera
  postgres-server:postgresql:postgresql-server
  psql:postgresql-client:postgresql
  dockerd:docker.io:moby-engine
  containerd:containerd:containerd
  runc:runc:runc
  static-busybox:busybox-static:busybox
  /usr/lib/systemd/systemd:systemd:systemd
  systemctl:systemd:systemd
  busctl:systemd:systemd
  /usr/lib/systemd/system/dbus.socket:dbus:dbus
  system-bus:dbus-daemon:dbus-daemon
  /usr/lib/systemd/user/dbus.socket:dbus-user-session:dbus
  pam-systemd:libpam-systemd:systemd-pam
  curl:curl:curl
  tar:tar:tar
  ps:procps:procps-ng
  nsenter:util-linux:util-linux
  setpriv:util-linux:util-linux
  ip:iproute2:iproute
  cc:gcc:gcc
  /usr/include/stdio.h:libc6-dev:glibc-devel
  openssl:openssl:openssl
)

present() {
  case $1 in
    static-busybox) busybox_is_static ;;
    galera) galera_provider ;;
    postgres-server) postgres_programs ;;
    system-bus) command -v dbus-daemon >/dev/null || command -v dbus-broker-launch >/dev/null ;;
    # The manager of a user's units learns its directory from this module.
    pam-systemd) compgen -G '/usr/lib*/security/pam_systemd.so' || compgen -G '/lib/*/security/pam_systemd.so' ;;
    # Systems without a merged /usr keep these below /lib.
    /usr/lib/systemd/*) [[ -e $1 || -e ${1#/usr} ]] ;;
    /*) [[ -e $1 ]] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# The image of the tests holds nothing but busybox, so one that needs shared libraries would not run in it.
busybox_is_static() {
  local path
  path=$(command -v busybox) || return 1
  [[ $(ldd "$path" 2>&1) == *"not a dynamic executable"* || $(ldd "$path" 2>&1) == *"statically linked"* ]]
}

# find_missing FIELD: sets MISSING to the packages (field 1: Debian, 2: RPM) of what is not present, each once.
find_missing() {
  local line fields
  MISSING=()
  for line in "${NEEDED[@]}"; do
    IFS=: read -ra fields <<<"$line"
    present "${fields[0]}" >/dev/null && continue
    [[ " ${MISSING[*]} " == *" ${fields[$1]} "* ]] || MISSING+=("${fields[$1]}")
  done
}

# Debian makes and starts a cluster as soon as the server is unpacked; the tests have their own.
forbid_a_cluster() {
  [[ ! -e /etc/postgresql-common ]] || return 0
  mkdir -p /etc/postgresql-common
  printf 'create_main_cluster = false\n' >/etc/postgresql-common/createcluster.conf
}

# Debian starts a service as soon as its package is unpacked, unless this file says no. One that is there already is left
# alone: it is the administrator's word.
forbid_service_starts() {
  local file=/usr/sbin/policy-rc.d
  [[ ! -e $file ]] || return 0
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' >"$file"
  chmod 0755 "$file"
}

install_deb() {
  local options=(-q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  export DEBIAN_FRONTEND=noninteractive
  forbid_service_starts
  forbid_a_cluster
  apt-get "${options[@]}" update
  apt-get "${options[@]}" -o Dpkg::Options::=--force-confold install --no-install-recommends "${MISSING[@]}"
}

# RPM packages do not start services on installation.
install_rpm() {
  dnf -q -y --setopt=install_weak_deps=False install "${MISSING[@]}"
}

if command -v apt-get >/dev/null; then
  field=1 installer=install_deb
  by_hand='apt-get update && apt-get install -y --no-install-recommends'
elif command -v dnf >/dev/null; then
  field=2 installer=install_rpm
  by_hand='dnf install -y --setopt=install_weak_deps=False'
else
  field=1 installer=
  by_hand='your package manager to install what Debian calls:'
fi

find_missing "$field"
[[ ${#MISSING[@]} -gt 0 ]] || exit 0
if [[ -z $installer || $EUID -ne 0 ]]; then
  say "the tests need packages that are not installed. As root, run:" >&2
  printf '    %s %s\n' "$by_hand" "${MISSING[*]}" >&2
  exit 1
fi

say "installing ${MISSING[*]}"
log=$(mktemp "${TMPDIR:-/tmp}/pm-install.XXXXXX")
wanted=${MISSING[*]}
# The installer's traps must end with it: hence the subshell.
if ! ("$installer") </dev/null >"$log" 2>&1; then
  fail_with_log "$log" "the installation of $wanted failed; by hand: $by_hand $wanted"
fi
find_missing "$field"
[[ ${#MISSING[@]} -eq 0 ]] || fail_with_log "$log" "still missing after the installation: ${MISSING[*]}"
rm -f -- "$log"
