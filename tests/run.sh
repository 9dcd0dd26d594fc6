#!/usr/bin/env bash
# Starts the real components with their data in a folder, runs a command with their addresses in the
# environment, and stops them again, whatever becomes of the command.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
shift
trap '"$here/components/down.sh" "$dir"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$dir"
"$here/components/up.sh" "$dir"
# shellcheck source=/dev/null
. "$dir/env"
"$@"
