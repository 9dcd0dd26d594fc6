#!/usr/bin/env bash
#
# galera.sh start|stop DIR: a private Galera cluster of three MariaDB nodes, for the test that kills one of them.
#
# It promises three nodes with their own data, sockets and free ports on 127.0.0.1 only; the account pmtest has all rights on
# each. `start` returns once each node has answered as one of three. The nodes begin with the same data, so that none has
# to copy it from another. A node that died is left out by the others after about two seconds. `stop` removes all.
#
# It is not part of up.sh: three servers for one test. It must not touch a MariaDB of the machine.
set -euo pipefail
COMPONENT=galera
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

main_verb "$@"
LOG=$DIR/log/galera.log
NODES=(1 2 3)

stop() {
  local node
  for node in "${NODES[@]}"; do stop_process "$DIR/galera$node.pid" 0; done
  drop_place galera
  rm -f -- "$DIR/galera.env"
}

choose_account() {
  if [[ $EUID -ne 0 ]]; then
    ACCOUNT=$(id -un)
  elif id -u mysql >/dev/null 2>&1; then
    ACCOUNT=mysql
  else
    ACCOUNT=nobody
  fi
}

# Three for each node: for clients, for the cluster, for what a node has missed. Below the range from which the kernel hands
# out ports by itself.
choose_ports() {
  local port
  PORTS=()
  for _ in {1..200}; do
    port=$((20000 + RANDOM % 12000))
    [[ -z $(ss -Hltn "sport = :$port") && " ${PORTS[*]} " != *" $port "* ]] && PORTS+=("$port")
    [[ ${#PORTS[@]} -lt 9 ]] || return 0
  done
  fail "no nine free ports between 20000 and 32000"
}

# launch NODE OPTION...: the server of a node; without durable commits, because three of them share one disk.
launch() {
  local node=$1 home=$PLACE/$1
  shift
  daemon "$DIR/galera$node.pid" "$LOG" mariadbd --no-defaults --user="$ACCOUNT" --datadir="$home/data" \
    --tmpdir="$home/tmp" --socket="$home/sql.sock" --pid-file="$home/pid" --bind-address=127.0.0.1 \
    --port="${PORTS[node - 1]}" --skip-name-resolve --character-set-server=utf8mb4 --innodb-log-file-size=16M \
    --innodb-buffer-pool-size=16M --innodb-flush-log-at-trx-commit=0 --binlog-format=ROW \
    --innodb-autoinc-lock-mode=2 "$@"
}

as_owner() {
  local node=$1
  shift
  mariadb --no-defaults --socket="$PLACE/$node/sql.sock" --user="$(id -un)" --batch --skip-column-names "$@" 2>>"$LOG"
}

# One set of data with the account, of a cluster of one: the others begin with copies of it.
make_data() {
  local home=$PLACE/1
  setsid --wait mariadb-install-db --no-defaults --user="$ACCOUNT" --datadir="$home/data" --skip-test-db \
    --auth-root-authentication-method=socket --auth-root-socket-user="$(id -un)" \
    --innodb-log-file-size=16M --skip-log-bin >>"$LOG" 2>&1 ||
    fail_with_log "$LOG" "cannot create the data directory $home/data"
  join 1 ''
  await 1 1
  as_owner 1 >>"$LOG" <<'SQL' || fail_with_log "$LOG" "cannot create the account pmtest"
CREATE USER 'pmtest'@'localhost' IDENTIFIED BY 'pmtest', 'pmtest'@'127.0.0.1' IDENTIFIED BY 'pmtest';
GRANT ALL PRIVILEGES ON *.* TO 'pmtest'@'localhost' WITH GRANT OPTION;
GRANT ALL PRIVILEGES ON *.* TO 'pmtest'@'127.0.0.1' WITH GRANT OPTION;
SQL
  stop_process "$DIR/galera1.pid" 20
  rm -f -- "$home/data/galera.cache"
  local node
  for node in 2 3; do
    cp -a -- "$home/data" "$PLACE/$node/"
    sed -i 's/^safe_to_bootstrap: 1/safe_to_bootstrap: 0/' "$PLACE/$node/data/grastate.dat"
  done
  [[ $EUID -ne 0 ]] || chown -R "$ACCOUNT:" "$PLACE"
}

# What a node runs to get the data of another one. They are the same, so it only learns the position; what came after that it
# gets from the others anyway. The real scripts come with the whole server package, which brings a service along.
make_transfer() {
  mkdir "$PLACE/bin"
  cat >"$PLACE/bin/wsrep_sst_same" <<SCRIPT
#!/bin/sh
while [ \$# -gt 0 ]; do
  case \$1 in
    --role) role=\$2 ;;
    --address) address=\$2 ;;
    --gtid) position=\$2 ;;
  esac
  shift
done
told=$PLACE/tmp/position.\${address##*:}
case \$role in
  joiner)
    echo "ready \$address"
    tries=0
    while [ ! -e "\$told" ]; do
      tries=\$((tries + 1))
      [ \$tries -lt 600 ] || exit 32
      sleep 0.05
    done
    cat "\$told"
    ;;
  donor)
    echo "\$position" >"\$told.new" && mv "\$told.new" "\$told" && echo "done \$position"
    ;;
esac
SCRIPT
  chmod 0755 "$PLACE/bin/wsrep_sst_same"
  PATH=$PLACE/bin:$PATH
}

# join NODE OTHERS: makes a node part of the cluster.
join() {
  local node=$1 others=$2 cluster=${PORTS[$1 + 2]} missed=${PORTS[$1 + 5]}
  launch "$node" --wsrep-on=ON --wsrep-provider="$PROVIDER" --wsrep-cluster-address="gcomm://$others" \
    --wsrep-cluster-name=pm --wsrep-node-name="node$node" --wsrep-node-address="127.0.0.1:$cluster" \
    --wsrep-sst-method=same --wsrep-sst-receive-address="127.0.0.1:$cluster" --wsrep-slave-threads=2 \
    --wsrep-provider-options="gmcast.listen_addr=tcp://127.0.0.1:$cluster;ist.recv_addr=127.0.0.1:$missed;gcache.size=16M;evs.keepalive_period=PT0.3S;evs.suspect_timeout=PT1.5S;evs.inactive_timeout=PT3S;evs.inactive_check_period=PT0.3S;pc.announce_timeout=PT1S"
}

# The number of members that a node sees when it is ready for work.
sees() {
  gone "$DIR/galera$1.pid" || [[ $(as_owner "$1" --execute="SELECT GROUP_CONCAT(variable_value ORDER BY variable_name)
    FROM information_schema.global_status WHERE variable_name IN ('wsrep_cluster_size', 'wsrep_ready')") == "$2,ON" ]]
}

await() {
  wait_until 60 sees "$1" "$2" || fail_with_log "$LOG" "node $1 is not one of $2 within 60 s"
  alive "$DIR/galera$1.pid" || fail_with_log "$LOG" "node $1 ended while starting"
}

start() {
  require_programs mariadbd mariadb-install-db mariadb ss setpriv
  PROVIDER=$(galera_provider) || fail "missing: Galera's library; run ${BASH_SOURCE[0]%/*}/install.sh"
  choose_account
  choose_ports
  : >"$LOG"
  make_place galera "$ACCOUNT"
  mkdir -p "$PLACE"/{1,2,3}/tmp "$PLACE/1/data" "$PLACE/tmp"
  make_transfer
  [[ $EUID -ne 0 ]] || chown -R "$ACCOUNT:" "$PLACE"
  make_data
  join 1 ''
  await 1 1
  local all="127.0.0.1:${PORTS[3]},127.0.0.1:${PORTS[4]},127.0.0.1:${PORTS[5]}"
  join 2 "$all"
  await 2 2
  join 3 "$all"
  await 3 3
  write_env galera \
    "PM_TEST_GALERA_PORTS=${PORTS[*]:0:3}" \
    "PM_TEST_GALERA_SOCKETS=$PLACE/1/sql.sock $PLACE/2/sql.sock $PLACE/3/sql.sock" \
    "PM_TEST_GALERA_PIDS=$(for node in "${NODES[@]}"; do cut -d' ' -f1 "$DIR/galera$node.pid"; done | xargs)"
  say "three nodes answer on 127.0.0.1, ports ${PORTS[*]:0:3}"
}

run_verb
