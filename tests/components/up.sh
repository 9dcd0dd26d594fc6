#!/usr/bin/env bash
#
# up.sh DIR: starts all real components at the same time, with everything they own below DIR.
#
# When it returns 0, each component has answered and DIR/env holds `export PM_TEST_...` lines for the test run. When one
# fails, it prints that one's reason, stops the others and returns 1. What an earlier run left in DIR is stopped first.
#
# It must not outlive itself with anything but the components: no pipe, terminal or job of the caller is kept open.
set -euo pipefail
COMPONENT=up
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

[[ $# -eq 1 && -n $1 ]] || {
  printf 'usage: %s DIR\n' "$0" >&2
  exit 2
}
HERE=$(cd -- "${BASH_SOURCE[0]%/*}" && pwd -P)
require_root
mkdir -p -- "$1/log"
DIR=$(cd -- "$1" && pwd -P)
rm -f -- "$DIR/env"

# A signal is answered when the starts have ended, each of which has a bound: only then is it known what to stop.
SIGNALLED=
trap 'SIGNALLED=yes' INT TERM HUP

declare -A STARTS=()
for name in mariadb postgres docker systemd; do
  background "$DIR/log/$name.start" "$HERE/$name.sh" start "$DIR"
  STARTS[$name]=$BACKGROUND_PID
done

# await PID: its exit status, also when a signal interrupts the waiting.
await() {
  local status
  while :; do
    status=0
    wait "$1" || status=$?
    kill -0 "$1" 2>/dev/null || return "$status"
  done
}

FAILED=()
for name in "${!STARTS[@]}"; do
  await "${STARTS[$name]}" || FAILED+=("$name")
done

if [[ ${#FAILED[@]} -gt 0 || -n $SIGNALLED ]]; then
  for name in ${FAILED[@]+"${FAILED[@]}"}; do
    cat -- "$DIR/log/$name.start" >&2
  done
  "$HERE/down.sh" "$DIR" || true
  [[ -z $SIGNALLED ]] || fail "interrupted: everything is stopped again"
  fail "could not start: ${FAILED[*]} (reason above); the others are stopped again, the logs are in $DIR/log"
fi

cat -- "$DIR/mariadb.env" "$DIR/postgres.env" "$DIR/docker.env" "$DIR/systemd.env" >"$DIR/env.new"
mv -- "$DIR/env.new" "$DIR/env"
say "all components answer after $SECONDS s; before the tests: . $DIR/env"
