#!/usr/bin/env bash
#
# down.sh DIR: stops everything that up.sh, or a component alone, has started for DIR.
#
# It may be called at any time and again: after a start that failed half-way, after a crash, or when nothing runs. The
# data is removed, the logs in DIR/log stay. It returns 1, and says why, only when something could not be stopped.
#
# It must not touch what was started for another directory.
set -euo pipefail
COMPONENT=down
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

[[ $# -eq 1 && -n $1 ]] || {
  printf 'usage: %s DIR\n' "$0" >&2
  exit 2
}
[[ -d $1 ]] || exit 0
HERE=$(cd -- "${BASH_SOURCE[0]%/*}" && pwd -P)

STOPS=()
for name in mariadb postgres docker systemd; do
  "$HERE/$name.sh" stop "$1" &
  STOPS+=($!)
done
status=0
for pid in "${STOPS[@]}"; do
  wait "$pid" || status=1
done
rm -f -- "$1/env" "$1/env.new"
exit "$status"
