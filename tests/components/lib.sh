# shellcheck shell=bash
#
# lib.sh: what the scripts of this directory share. It is sourced, never run.
#
# It promises that every wait has a bound, that a process is signalled only when pid and start time still match what was
# recorded, and that a directory is removed only when it was recorded as a component's own.
#
# It must not know any single component, but where its files are when two scripts ask: the differences live in their
# own files.

# The system directories hold the daemons; a login without root rights often lacks them.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export LC_ALL=C
umask 022

say() { printf '%s: %s\n' "$COMPONENT" "$*"; }

fail() {
  printf '%s: error: %s\n' "$COMPONENT" "$*" >&2
  exit 1
}

# fail_with_log LOG MESSAGE: the last lines of the component's own log are usually the reason.
fail_with_log() {
  local log=$1
  shift
  {
    printf '%s: error: %s\n' "$COMPONENT" "$*"
    if [[ -s $log ]]; then
      printf '%s: the last lines of %s:\n' "$COMPONENT" "$log"
      tail -n 25 "$log" | sed 's/^/    /'
    else
      printf '%s: %s is empty\n' "$COMPONENT" "$log"
    fi
  } >&2
  exit 1
}

require_root() {
  [[ $EUID -eq 0 ]] || fail "needs root (namespaces, mounts, cgroups): run it again as root"
}

# require_programs NAME...: all that are missing at once, with the way out.
require_programs() {
  local missing=() name
  for name in "$@"; do
    command -v "$name" >/dev/null || missing+=("$name")
  done
  [[ ${#missing[@]} -eq 0 ]] || fail "missing: ${missing[*]}; run ${BASH_SOURCE[0]%/*}/install.sh"
}

# main_verb USAGE ARGS...: `start DIR` or `stop DIR`. Sets VERB and DIR (absolute, without symbolic links).
main_verb() {
  [[ $# -eq 2 && ($1 == start || $1 == stop) && -n $2 ]] || {
    printf 'usage: %s start|stop DIR\n' "$0" >&2
    exit 2
  }
  VERB=$1
  DIR=$2
  if [[ $VERB == start ]]; then
    mkdir -p -- "$DIR/log" || fail "cannot create $DIR/log"
  elif [[ ! -d $DIR ]]; then
    exit 0
  fi
  DIR=$(cd -- "$DIR" && pwd -P)
  [[ $DIR != / && $DIR != *$'\n'* ]] || fail "unusable directory '$DIR': choose another"
}

# run_verb: the component's own `start` or `stop`. A start that fails, or is interrupted, leaves nothing behind.
run_verb() {
  [[ $VERB == start ]] || {
    stop
    return
  }
  stop
  # Only a finished start knows all that is to be stopped, and each of its steps has a bound: signals wait for it.
  SIGNALLED=
  trap 'SIGNALLED=yes' INT TERM HUP
  trap stop EXIT
  start
  [[ -z $SIGNALLED ]] || fail "interrupted: stopped again"
  trap - EXIT
}

# postgres_programs: where the programs of a PostgreSQL server are; of several versions the newest.
postgres_programs() {
  local found
  found=$(command -v initdb) || found=$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
  [[ -x $found ]] && dirname -- "$found"
}

# galera_provider: the library that makes a MariaDB server a node of a cluster.
galera_provider() {
  local path
  for path in /usr/lib/galera/libgalera_smm.so /usr/lib64/galera-4/libgalera_smm.so /usr/lib64/galera/libgalera_smm.so; do
    [[ ! -e $path ]] || {
      printf '%s\n' "$path"
      return
    }
  done
  return 1
}

# --- processes -----------------------------------------------------------------------------------------------------

# start_time PID: the kernel's start time (field 22 of stat), which tells a process from a later one with the same pid.
start_time() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  # The name of the program may hold spaces and brackets: cut after the last one.
  read -ra stat <<<"${stat##*) }"
  # A zombie has ended, whoever has not collected it yet; with threads left, only its first thread has.
  [[ ${stat[0]} != Z || ${stat[17]} -gt 1 ]] || return 1
  printf '%s\n' "${stat[19]}"
}

# remember PID FILE
remember() {
  local started
  started=$(start_time "$1") || return 1
  printf '%s %s\n' "$1" "$started" >"$2"
}

# alive FILE: is the process recorded in FILE still the same and running? Sets ALIVE_PID.
alive() {
  local started
  ALIVE_PID=
  [[ -f $1 ]] || return 1
  read -r ALIVE_PID started <"$1" || return 1
  [[ $(start_time "$ALIVE_PID") == "$started" ]]
}

# wait_until SECONDS COMMAND...: true as soon as COMMAND is, false after SECONDS. Measured by the uptime: the wall clock
# of a virtual machine may jump.
wait_until() {
  local now deadline
  read -r now _ </proc/uptime
  deadline=$((${now%.*} + $1))
  shift
  until "$@"; do
    read -r now _ </proc/uptime
    ((${now%.*} < deadline)) || return 1
    sleep 0.05
  done
}

gone() { ! alive "$1"; }

# stop_process FILE SECONDS: SIGTERM, at most SECONDS of patience (0: none), then SIGKILL.
stop_process() {
  if alive "$1"; then
    if (($2 > 0)); then
      kill -TERM "$ALIVE_PID" 2>/dev/null || true
      wait_until "$2" gone "$1" || true
    fi
    if alive "$1"; then
      kill -KILL "$ALIVE_PID" 2>/dev/null || true
      wait_until 15 gone "$1" || fail "process $ALIVE_PID does not end after SIGKILL"
    fi
  fi
  rm -f -- "$1"
}

# background LOG COMMAND...: runs COMMAND in its own session, detached from terminal, pipes and make's job server, so that
# nothing waits for it and Ctrl-C does not reach it. Sets BACKGROUND_PID.
# shellcheck disable=SC2034 # the components use it
background() {
  local log=$1
  shift
  (
    for fd in /proc/self/fd/*; do
      fd=${fd##*/}
      # 255 is the shell's own view of the script and closes by itself at exec.
      if ((fd > 2 && fd != 255)); then eval "exec $fd>&-"; fi
    done
    exec setsid "$@"
  ) </dev/null >>"$log" 2>&1 &
  BACKGROUND_PID=$!
}

# daemon FILE LOG COMMAND...: the same for a process that is recorded in FILE and stays when this script ends.
daemon() {
  local file=$1 log=$2
  shift
  background "$@"
  remember "$BACKGROUND_PID" "$file" || fail_with_log "$log" "$2 ended at once"
  # Whoever stops it later need not be told by this shell that it was killed.
  disown "$BACKGROUND_PID"
}

# --- places --------------------------------------------------------------------------------------------------------

# usable_place PATH USER: short enough for a socket in it (108 bytes in all), free of what mount options give a meaning
# to, not hidden by the private /run of a component, and reachable by USER.
usable_place() {
  [[ ${#1} -le 70 && $1 =~ ^[A-Za-z0-9._/-]+$ && $1 != /run/* && $1 != /var/run/* ]] || return 1
  [[ $2 == "$(id -un)" ]] || setpriv --reuid "$2" --regid "$(id -g "$2")" --clear-groups test -x "${1%/*}"
}

# make_place NAME [USER]: sets PLACE to a new private directory: DIR/NAME, or one in /tmp when DIR/NAME is not usable.
make_place() {
  local name=$1 user=${2:-$(id -un)}
  if usable_place "$DIR/$name" "$user"; then
    PLACE=$DIR/$name
    printf '%s\n' "$PLACE" >"$DIR/$name.place"
    mkdir -- "$PLACE"
  else
    PLACE=$(mktemp -d "/tmp/pm-$name.XXXXXX")
    printf '%s\n' "$PLACE" >"$DIR/$name.place"
    chmod 0755 "$PLACE"
  fi
}

# find_place NAME: sets PLACE to what make_place recorded; false when there is none.
find_place() {
  PLACE=
  [[ -f $DIR/$1.place ]] && read -r PLACE <"$DIR/$1.place"
}

drop_place() {
  if find_place "$1"; then
    case $PLACE in
      "$DIR/$1" | "/tmp/pm-$1."*) rm -rf --one-file-system -- "$PLACE" ;;
      *) fail "$DIR/$1.place names '$PLACE', which is not a directory of this component: remove the file by hand" ;;
    esac
    rm -f -- "$DIR/$1.place"
  fi
}

# --- cgroups -------------------------------------------------------------------------------------------------------

# remove_cgroups NAME: the (by now empty) groups called NAME in every mounted hierarchy, with all below them.
remove_cgroups() {
  local top
  for top in "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1"; do
    [[ -d $top ]] || continue
    # The kernel frees a group a moment after its last process has ended.
    wait_until 5 remove_tree "$top" || fail "cannot remove the control group $top: a process is still in it"
  done
}

remove_tree() {
  find "$1" -depth -type d -exec rmdir -- {} + 2>/dev/null
  [[ ! -d $1 ]]
}

# --- exports -------------------------------------------------------------------------------------------------------

# write_env NAME KEY=VALUE...: DIR/NAME.env, complete or not at all.
write_env() {
  local file=$DIR/$1.env pair value
  shift
  for pair in "$@"; do
    value=${pair#*=}
    printf "export %s='%s'\n" "${pair%%=*}" "${value//\'/\'\\\'\'}"
  done >"$file.new"
  mv -- "$file.new" "$file"
}
