#!/usr/bin/env bash
#
# systemd.sh start|stop DIR: a systemd of its own as process 1 of new namespaces, for tests with real units.
#
# It sees the machine's programs through an overlay, so nothing it writes reaches the machine, except in the directories
# shared at the same path: DIR's shared directory, the checkout and $CARGO_TARGET_DIR. `start` returns once the system is
# "running" and has run a unit, answered on D-Bus and written to its journal. It shares the network with the machine.
#
# It must not start any unit that the machine has enabled: systemd-root.sh lists the few that it allows.
set -euo pipefail
COMPONENT=systemd
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

main_verb "$@"
HERE=$(cd -- "${BASH_SOURCE[0]%/*}" && pwd -P)
OUTER_PID_FILE=$DIR/systemd.outer.pid
INNER_PID_FILE=$DIR/systemd.inner.pid
CGROUP_FILE=$DIR/systemd.cgroup
LOG=$DIR/log/systemd.log

# Killed at once: all it has lives in memory. The kernel ends the first process of a namespace after all others in it,
# and with the last of them go the mounts.
stop() {
  keep_journal
  stop_process "$INNER_PID_FILE" 0
  stop_process "$OUTER_PID_FILE" 5
  if [[ -f $CGROUP_FILE ]]; then
    remove_cgroups "$(<"$CGROUP_FILE")"
    rm -f -- "$CGROUP_FILE"
  fi
  drop_place systemd
  rm -f -- "$DIR/systemd.env"
}

# The journal dies with its tmpfs; what it said last belongs into the log.
keep_journal() {
  alive "$INNER_PID_FILE" || return 0
  local journal=/proc/$ALIVE_PID/root/run/log/journal
  [[ -d $journal ]] || return 0
  timeout 10 journalctl --quiet --no-pager --directory "$journal" --lines 1000 >>"$LOG" 2>&1 || true
}

fail_here() {
  keep_journal
  fail_with_log "$LOG" "$@"
}

# cgroup2 works next to the older hierarchies and is the one every systemd of today understands.
make_cgroup() {
  local mounted=/sys/fs/cgroup
  [[ -e $mounted/cgroup.controllers ]] || mounted=/sys/fs/cgroup/unified
  [[ -e $mounted/cgroup.procs ]] ||
    fail "no cgroup2 is mounted; run: mkdir -p $mounted && mount -t cgroup2 none $mounted"
  CGROUP=$mounted/pm-test-systemd-$$-$RANDOM
  mkdir -- "$CGROUP" || fail "cannot create the control group $CGROUP"
  printf '%s\n' "${CGROUP##*/}" >"$CGROUP_FILE"
}

launch() {
  local shared=("${HERE%/*/*}")
  if [[ -n ${CARGO_TARGET_DIR:-} ]]; then
    mkdir -p -- "$CARGO_TARGET_DIR"
    shared+=("$(cd -- "$CARGO_TARGET_DIR" && pwd -P)")
  fi
  # The last one lies on top: DIR may be below one of the others.
  shared+=("$PLACE/shared")
  mkdir -- "$PLACE/root" "$PLACE/shared"
  chmod 1777 "$PLACE/shared"
  daemon "$OUTER_PID_FILE" "$LOG" \
    unshare --pid --fork --kill-child --mount --uts --ipc --propagation private \
    bash "$HERE/systemd-root.sh" "$PLACE" "$CGROUP" "${shared[@]}"
  wait_until 30 booted_or_ended || fail_with_log "$LOG" "the new root is not ready within 30 s"
  alive "$INNER_PID_FILE" || fail_with_log "$LOG" "cannot build the new root"
}

# systemd-root.sh leaves the pid, as seen from here, just before it becomes systemd.
booted_or_ended() {
  local inner
  if [[ -s $PLACE/pid ]]; then
    inner=$(<"$PLACE/pid")
    remember "$inner" "$INNER_PID_FILE"
  else
    gone "$OUTER_PID_FILE"
  fi
}

# Joining init.scope before the namespaces: systemd then sees the command where it expects processes without a unit.
# The command dies with this script (SIGKILL), so a test that kills the script leaves nothing running.
make_enter() {
  local started
  alive "$INNER_PID_FILE" || fail_here "systemd ended while starting"
  started=$(start_time "$ALIVE_PID")
  cat >"$PLACE/enter" <<SCRIPT
#!/usr/bin/env bash
# enter COMMAND ARGUMENTS...: runs COMMAND in the namespaces of the systemd with the pid $ALIVE_PID, in /, as root.
# Its exit status is the command's; 125 means that systemd is not there. Made by systemd.sh.
set -euo pipefail
stat=\$(cat /proc/$ALIVE_PID/stat 2>/dev/null) || stat=
read -ra stat <<<"\${stat##*) }"
if [[ \${stat[19]-} != $started ]]; then
  echo 'enter: the systemd of the tests is not running: run systemd.sh start DIR' >&2
  exit 125
fi
echo 0 >/proc/$ALIVE_PID/root/sys/fs/cgroup/init.scope/cgroup.procs
unset XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS NOTIFY_SOCKET
exec nsenter --target $ALIVE_PID --mount --uts --ipc --pid --cgroup --root --wd \\
  setpriv --pdeathsig KILL -- "\$@"
SCRIPT
  chmod 0755 "$PLACE/enter"
}

enter() { timeout --kill-after 1 10 "$PLACE/enter" "$@" </dev/null; }

# Sets STATE to the word of systemctl, or to its complaint while it cannot reach systemd yet.
settled_or_ended() {
  gone "$INNER_PID_FILE" && return 0
  STATE=$(enter systemctl is-system-running 2>&1) || STATE+=" (status $?)"
  [[ $STATE == running || $STATE == degraded* ]]
}

await_running() {
  wait_until 60 settled_or_ended || fail_here "the system is not up within 60 s; systemctl: $STATE"
  alive "$INNER_PID_FILE" || fail_with_log "$LOG" "systemd ended while starting"
  local failed
  failed=$(enter systemctl --failed --plain --no-legend 2>&1) || fail_here "systemctl does not answer: $failed"
  [[ -z $failed ]] || fail_here "these units failed: $failed"
}

# Each of the three is something a later test relies on and would report as its own failure.
prove_unit_bus_journal() {
  local word=proof-$RANDOM$RANDOM answer
  answer=$(enter systemd-run --quiet --wait --unit "$word" echo "$word" 2>&1) ||
    fail_here "cannot run a transient unit: $answer"
  answer=$(enter busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 \
    org.freedesktop.systemd1.Manager Version 2>&1) || fail_here "systemd does not answer on D-Bus: $answer"
  answer=$(enter journalctl --quiet --no-pager --output cat --unit "$word" 2>&1) || true
  [[ $answer == *"$word"* ]] || fail_here "the journal does not hold the output of a unit: $answer"
}

start() {
  require_root
  require_programs unshare nsenter setpriv pivot_root systemctl busctl journalctl systemd-run timeout
  : >"$LOG"
  make_place systemd
  make_cgroup
  launch
  make_enter
  await_running
  prove_unit_bus_journal
  alive "$INNER_PID_FILE" || fail_with_log "$LOG" "systemd ended"
  write_env systemd \
    "PM_TEST_SYSTEMD_PID=$ALIVE_PID" \
    "PM_TEST_SYSTEMD_ENTER=$PLACE/enter" \
    "PM_TEST_SYSTEMD_SHARED=$PLACE/shared"
  say "systemd is process $ALIVE_PID; run a command there with $PLACE/enter"
}

run_verb
