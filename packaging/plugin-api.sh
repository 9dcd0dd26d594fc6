#!/bin/sh
# Puts the crate pm-plugin-api (with pm_plugin.h and the C example) into DIR as something that stands alone: what a package
# installs as /usr/share/pm/plugin-api, where `pm plugins new` finds it.
#   packaging/plugin-api.sh DIR
set -eu
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# cargo writes out what the crate inherits from this workspace.
(cd "$(dirname "$0")/.." && cargo package -q -p pm-plugin-api --no-verify --allow-dirty --offline --target-dir "$work")
tar -xzf "$work"/package/pm-plugin-api-*.crate -C "$work"
rm -f "$work"/package/*.crate
mkdir -p "$1"
cp -R "$work"/pm-plugin-api-*/. "$1/"
rm -f "$1/.cargo_vcs_info.json" "$1/Cargo.toml.orig" "$1/Cargo.lock"
chmod -R go=u-w "$1"
