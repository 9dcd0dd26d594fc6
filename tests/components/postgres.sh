#!/usr/bin/env bash
#
# postgres.sh start|stop DIR: one private PostgreSQL server for the tests.
# postgres-pair.sh start|stop DIR: the same, with a standby that has applied whatever the server says is committed.
#
# It promises a server with its own data, its own socket, a free port on 127.0.0.1 only and TLS from its own CA; the
# account pmtest has all rights. `start` returns once a query over the socket and one over verified TLS have been
# answered; it first removes whatever an earlier run left in DIR. `stop` removes server and data, the log stays.
#
# It must not touch a PostgreSQL of the machine: no default port, socket or directory is used.
set -euo pipefail
# The name under which it was called.
COMPONENT=${0##*/}
COMPONENT=${COMPONENT%.sh}
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

main_verb "$@"
PID_FILE=$DIR/$COMPONENT.pid
STANDBY_FILE=$DIR/$COMPONENT-standby.pid
LOG=$DIR/log/$COMPONENT.log

# Quitting at once (SIGQUIT): its data is removed anyway.
stop() {
  local file
  for file in "$STANDBY_FILE" "$PID_FILE"; do
    if alive "$file"; then
      kill -QUIT "$ALIVE_PID" 2>/dev/null || true
      wait_until 5 gone "$file" || true
    fi
    stop_process "$file" 5
  done
  drop_place "$COMPONENT"
  rm -f -- "$DIR/$COMPONENT.env"
}

# The server refuses to run as root. `postgres` exists where the server package is installed, `nobody` everywhere.
choose_account() {
  if [[ $EUID -ne 0 ]]; then
    ACCOUNT=$(id -un)
  elif id -u postgres >/dev/null 2>&1; then
    ACCOUNT=postgres
  else
    ACCOUNT=nobody
  fi
}

# as_account COMMAND...: in a session of its own, so that Ctrl-C leaves nothing half done.
as_account() {
  if [[ $EUID -eq 0 ]]; then
    setsid --wait setpriv --reuid "$ACCOUNT" --regid "$(id -g "$ACCOUNT")" --clear-groups env HOME=/nonexistent "$@"
  else
    setsid --wait "$@"
  fi
}

# Debian keeps the programs of each version below /usr/lib, Fedora in /usr/bin.
choose_programs() {
  local found
  found=$(postgres_programs) || fail "missing: postgres, initdb; run ${BASH_SOURCE[0]%/*}/install.sh"
  PATH=$found:$PATH
}

# A certificate authority and a server certificate with both names under which the tests reach the server.
make_certificates() {
  local tls=$PLACE/tls
  mkdir "$tls"
  {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 3650 \
      -subj '/CN=pm test authority' -keyout "$tls/ca.key" -out "$tls/ca.pem" \
      -addext 'keyUsage=critical,keyCertSign,cRLSign'
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 \
      -subj '/CN=localhost' -keyout "$tls/server.key" -out "$tls/server.csr"
    printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' \
      'extendedKeyUsage=serverAuth' 'subjectAltName=DNS:localhost,IP:127.0.0.1' >"$tls/server.ext"
    openssl x509 -req -sha256 -days 3650 -in "$tls/server.csr" -extfile "$tls/server.ext" \
      -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -out "$tls/server.pem"
  } >>"$LOG" 2>&1 || fail_with_log "$LOG" "cannot make the TLS certificates"
  chmod 0600 "$tls"/*.key
}

# Over the socket the account of the server is let in without a password, everybody else as over TCP. Members of the role
# `encrypted` are let in only with encryption.
make_data() {
  as_account initdb --pgdata="$PLACE/data" --username=owner --encoding=UTF8 --locale=C.UTF-8 --auth-local=peer \
    --auth-host=reject --no-sync >>"$LOG" 2>&1 ||
    fail_with_log "$LOG" "cannot create the data directory $PLACE/data"
  printf '%s\n' \
    'local all,replication owner peer map=owner' 'local all all scram-sha-256' \
    'hostnossl all +encrypted all reject' 'host all all 127.0.0.1/32 scram-sha-256' >"$PLACE/data/pg_hba.conf"
  printf 'owner %s owner\nowner %s owner\n' "$ACCOUNT" "$(id -un)" >"$PLACE/data/pg_ident.conf"
}

# Below the range from which the kernel hands out ports by itself. Two runs may still choose the same one: the one that
# comes second sees its server end and tries another.
choose_port() {
  local try
  for try in {1..50}; do
    PORT=$((20000 + RANDOM % 12000))
    [[ -n $(ss -Hltn "sport = :$PORT") ]] || return 0
  done
  fail "no free port between 20000 and 32000 after $try tries"
}

# launch PID_FILE DATA: a server on a new port. Flushing at every commit, as by default: what the tests prove about lost
# connections must hold on a real server.
launch() {
  choose_port
  local server=(postgres -D "$2" -k "$PLACE" -p "$PORT" -c listen_addresses=127.0.0.1 -c max_connections=200
    -c shared_buffers=32MB -c ssl=on -c ssl_cert_file="$PLACE/tls/server.pem" -c ssl_key_file="$PLACE/tls/server.key"
    -c log_min_messages=warning)
  if [[ $EUID -eq 0 ]]; then
    server=(setpriv --reuid "$ACCOUNT" --regid "$(id -g "$ACCOUNT")" --clear-groups "${server[@]}")
  fi
  daemon "$1" "$LOG" "${server[@]}"
}

as_owner() { PGCONNECT_TIMEOUT=5 psql -X -q -v ON_ERROR_STOP=1 -h "$PLACE" -p "$PORT" -U owner -d postgres "$@"; }

over_tls() {
  PGCONNECT_TIMEOUT=5 PGPASSWORD=pmtest PGSSLROOTCERT=$PLACE/tls/ca.pem PGSSLMODE=verify-full \
    psql -X -q -A -t -h 127.0.0.1 -p "$PORT" -U pmtest -d postgres "$@"
}

answers_or_ended() { gone "$1" || as_owner -c 'SELECT 1' >/dev/null 2>&1; }

# await_answer PID_FILE DATA
await_answer() {
  local try
  for try in 1 2 3 4 5; do
    : >"$LOG"
    launch "$1" "$2"
    wait_until 60 answers_or_ended "$1" || fail_with_log "$LOG" "no answer in $PLACE within 60 s"
    if alive "$1"; then return 0; fi
    grep -q 'Address already in use' "$LOG" || fail_with_log "$LOG" "postgres ended while starting"
  done
  fail_with_log "$LOG" "the chosen port was taken $try times in a row"
}

make_account() {
  as_owner -c "CREATE ROLE encrypted; CREATE ROLE pmtest SUPERUSER LOGIN PASSWORD 'pmtest'" >>"$LOG" 2>&1 ||
    fail_with_log "$LOG" "cannot create the account pmtest"
  local encrypted
  encrypted=$(over_tls -c 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()' 2>>"$LOG") ||
    fail_with_log "$LOG" "pmtest cannot log in over TLS at 127.0.0.1:$PORT"
  [[ $encrypted == t ]] || fail_with_log "$LOG" "the connection to 127.0.0.1:$PORT is not encrypted"
}

# A standby from a copy of the data; from then on a commit waits until it is applied there, too.
make_standby() {
  local primary=$PORT
  as_account pg_basebackup -h "$PLACE" -p "$PORT" -U owner -D "$PLACE/standby" -R -X stream -c fast >>"$LOG" 2>&1 ||
    fail_with_log "$LOG" "cannot copy the data for the standby"
  await_answer "$STANDBY_FILE" "$PLACE/standby"
  STANDBY=$PORT PORT=$primary
  as_owner -c "ALTER SYSTEM SET synchronous_standby_names = '*'" -c "ALTER SYSTEM SET synchronous_commit = remote_apply" \
    -c 'SELECT pg_reload_conf()' >>"$LOG" 2>&1 || fail_with_log "$LOG" "cannot make commits wait for the standby"
  wait_until 60 follows || fail_with_log "$LOG" "the standby does not follow within 60 s"
}

follows() { [[ $(as_owner -A -t -c 'SELECT sync_state FROM pg_stat_replication') == sync ]]; }

start() {
  choose_programs
  require_programs postgres initdb psql openssl ss setpriv
  choose_account
  : >"$LOG"
  make_place "$COMPONENT" "$ACCOUNT"
  mkdir "$PLACE/data"
  make_certificates
  if [[ $EUID -eq 0 ]]; then
    chown -R "$ACCOUNT:" "$PLACE"
    # The authority's key stays with the one who made it: the server has no use for it.
    chown root: "$PLACE/tls/ca.key"
  fi
  make_data
  await_answer "$PID_FILE" "$PLACE/data"
  make_account
  STANDBY=
  [[ $COMPONENT != postgres-pair ]] || make_standby
  write_env "$COMPONENT" \
    "PM_TEST_POSTGRES_SOCKET=$PLACE/.s.PGSQL.$PORT" \
    "PM_TEST_POSTGRES_PORT=$PORT" \
    "PM_TEST_POSTGRES_USER=pmtest" \
    "PM_TEST_POSTGRES_PASSWORD=pmtest" \
    "PM_TEST_POSTGRES_CA=$PLACE/tls/ca.pem" \
    ${STANDBY:+"PM_TEST_POSTGRES_STANDBY=$STANDBY" "PM_TEST_POSTGRES_PID=$(cut -d' ' -f1 "$PID_FILE")"}
  say "PostgreSQL answers on 127.0.0.1:$PORT and in $PLACE"
}

run_verb
