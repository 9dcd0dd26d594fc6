#!/usr/bin/env bash
#
# docker.sh start|stop DIR: one private Docker daemon for the tests, with the image pm-test:latest.
#
# dockerd and the containerd that it starts run in namespaces of their own (processes, mounts, network), so that killing
# the first process there ends every container and takes mounts and interfaces along. `start` returns once a container
# has really run; `stop` removes processes, data and control groups, the log stays.
#
# It must not touch a Docker of the machine, its network or its firewall: containers run with the network mode "none".
set -euo pipefail
COMPONENT=docker
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

main_verb "$@"
# Two files: the outer process waits for the inner one, the inner one is the first of the process namespace.
OUTER_PID_FILE=$DIR/docker.outer.pid
INNER_PID_FILE=$DIR/docker.inner.pid
CGROUP_FILE=$DIR/docker.cgroup
LOG=$DIR/log/docker.log
IMAGE=pm-test

stop() {
  # The kernel lets the first process of a namespace end only after all others in it.
  stop_process "$INNER_PID_FILE" 0
  stop_process "$OUTER_PID_FILE" 5
  if [[ -f $CGROUP_FILE ]]; then
    remove_cgroups "$(<"$CGROUP_FILE")"
    rm -f -- "$CGROUP_FILE"
  fi
  drop_place docker
  rm -f -- "$DIR/docker.env"
}

# Runs inside the namespaces. dockerd is not the first process there because it would not collect the orphans that
# containerd leaves. A tmpfs hides the sockets of a system-wide containerd, which dockerd would otherwise use.
# shellcheck disable=SC2016 # expanded by the inner shell
INSIDE='
  mount -t tmpfs tmpfs /run || exit 1
  "$@" &
  wait $!
  echo "dockerd ended with status $?"
'

# vfs copies the image for each container: two megabytes, and no demand on the file system below.
launch() {
  local place=$1 cgroup=$2
  mkdir "$place/data" "$place/exec" "$place/tmp"
  printf '%s\n' '{}' >"$place/daemon.json"
  TMPDIR=$place/tmp daemon "$OUTER_PID_FILE" "$LOG" \
    unshare --pid --fork --kill-child --mount --mount-proc --net --ipc --uts --propagation private \
    bash -c "$INSIDE" docker-first \
    dockerd --config-file "$place/daemon.json" --log-level warn --host "unix://$place/docker.sock" --group "$(id -gn)" \
    --data-root "$place/data" --exec-root "$place/exec" --pidfile "$place/dockerd.pid" \
    --storage-driver vfs --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$cgroup"
  wait_until 30 remember_inner || fail_with_log "$LOG" "cannot enter new namespaces"
}

remember_inner() {
  local inner=
  # Empty until unshare has forked; the file goes away with unshare, and the list does not end with a line feed.
  { read -r inner _ <"/proc/$BACKGROUND_PID/task/$BACKGROUND_PID/children"; } 2>/dev/null || true
  { [[ -n $inner ]] && remember "$inner" "$INNER_PID_FILE"; } || gone "$OUTER_PID_FILE"
}

# api METHOD PATH [CURL ARGUMENTS...]: sets ANSWER; false on any answer other than 2xx and 3xx.
api() {
  local method=$1 path=$2
  shift 2
  ANSWER=$(curl --silent --show-error --fail-with-body --noproxy '*' --max-time 30 \
    --unix-socket "$PLACE/docker.sock" --request "$method" "http://docker$path" "$@" 2>&1)
}

pings_or_ended() { gone "$OUTER_PID_FILE" || api GET /_ping; }

# busybox under every name that it answers to, and what programs expect of a root directory.
make_image() {
  local root=$PLACE/image
  mkdir -p "$root"/{bin,etc,dev,proc,sys,tmp,root}
  cp -- "$(command -v busybox)" "$root/bin/busybox"
  "$root/bin/busybox" --list | while read -r name; do
    [[ $name == busybox ]] || ln -s busybox "$root/bin/$name"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
  chmod 1777 "$root/tmp"
  tar --create --file "$PLACE/image.tar" --directory "$root" --numeric-owner --owner=0 --group=0 .
  api POST "/images/create?fromSrc=-&repo=$IMAGE&tag=latest&changes=CMD%20%5B%22/bin/sh%22%5D" \
    --header 'Content-Type: application/x-tar' --upload-file "$PLACE/image.tar" ||
    fail_with_log "$LOG" "cannot import the image $IMAGE: $ANSWER"
  rm -rf -- "$root" "$PLACE/image.tar"
}

# The daemon answers long before containers can run: runtime, control groups and namespaces show only here.
prove_container() {
  local id
  api POST /containers/create --header 'Content-Type: application/json' --data \
    "{\"Image\": \"$IMAGE\", \"Cmd\": [\"/bin/sh\", \"-c\", \"exit 7\"], \"HostConfig\": {\"NetworkMode\": \"none\"}}" ||
    fail_with_log "$LOG" "cannot create a container: $ANSWER"
  id=${ANSWER#*\"Id\":\"} id=${id%%\"*}
  api POST "/containers/$id/start" || fail_with_log "$LOG" "cannot start a container: $ANSWER"
  api POST "/containers/$id/wait" || fail_with_log "$LOG" "the container does not end: $ANSWER"
  [[ $ANSWER == *'"StatusCode":7'* ]] || fail_with_log "$LOG" "the container ended with $ANSWER instead of 7"
  api DELETE "/containers/$id" || fail_with_log "$LOG" "cannot remove the container: $ANSWER"
}

start() {
  require_root
  require_programs dockerd containerd runc busybox curl tar unshare
  : >"$LOG"
  make_place docker
  local cgroup=pm-test-docker-$$-$RANDOM
  printf '%s\n' "$cgroup" >"$CGROUP_FILE"
  launch "$PLACE" "$cgroup"
  wait_until 60 pings_or_ended || fail_with_log "$LOG" "no answer on $PLACE/docker.sock within 60 s"
  alive "$OUTER_PID_FILE" || fail_with_log "$LOG" "dockerd ended while starting"
  make_image
  prove_container
  write_env docker "PM_TEST_DOCKER_SOCKET=$PLACE/docker.sock" "PM_TEST_DOCKER_IMAGE=$IMAGE:latest"
  say "Docker answers on $PLACE/docker.sock"
}

run_verb
