#!/usr/bin/env bash
#
# mariadb.sh start|stop DIR: one private MariaDB server for the tests.
#
# It promises a server with its own data, its own socket, a free port on 127.0.0.1 only and TLS from its own CA; the
# account pmtest has all rights. `start` returns once a query over the socket and one over verified TLS have been
# answered; it first removes whatever an earlier run left in DIR. `stop` removes server and data, the log stays.
#
# It must not touch a MariaDB of the machine: no option file is read, no default port, socket or directory is used.
set -euo pipefail
COMPONENT=mariadb
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

main_verb "$@"
PID_FILE=$DIR/mariadb.pid
LOG=$DIR/log/mariadb.log

stop() {
  stop_process "$PID_FILE" 5
  drop_place mariadb
  rm -f -- "$DIR/mariadb.env"
}

# The server refuses to run as root. `mysql` exists where the full server package is installed, `nobody` everywhere.
choose_account() {
  if [[ $EUID -ne 0 ]]; then
    ACCOUNT=$(id -un)
  elif id -u mysql >/dev/null 2>&1; then
    ACCOUNT=mysql
  else
    ACCOUNT=nobody
  fi
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

# The tables of accounts; root enters over the socket as the Unix user that started the server.
make_data() {
  # In a session of its own: Ctrl-C must not leave half of it behind, still writing.
  setsid --wait mariadb-install-db --no-defaults --user="$ACCOUNT" --datadir="$PLACE/data" --skip-test-db \
    --auth-root-authentication-method=socket --auth-root-socket-user="$(id -un)" \
    --innodb-log-file-size=16M --skip-log-bin >>"$LOG" 2>&1 ||
    fail_with_log "$LOG" "cannot create the data directory $PLACE/data"
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

# Flushing at every commit, as by default: what the tests prove about lost connections must hold on a real server.
launch() {
  choose_port
  daemon "$PID_FILE" "$LOG" mariadbd --no-defaults --user="$ACCOUNT" --datadir="$PLACE/data" --tmpdir="$PLACE/tmp" \
    --socket="$PLACE/sql.sock" --pid-file="$PLACE/data/pid" --bind-address=127.0.0.1 --port="$PORT" \
    --skip-name-resolve --log-bin="$PLACE/data/binlog" --server-id=1 --max-connections=1200 --character-set-server=utf8mb4 \
    --innodb-log-file-size=16M --innodb-buffer-pool-size=64M \
    --ssl-ca="$PLACE/tls/ca.pem" --ssl-cert="$PLACE/tls/server.pem" --ssl-key="$PLACE/tls/server.key"
}

as_owner() { mariadb --no-defaults --socket="$PLACE/sql.sock" --user="$(id -un)" --batch --skip-column-names "$@"; }

over_tls() {
  MYSQL_PWD=pmtest mariadb --no-defaults --host=127.0.0.1 --port="$PORT" --user=pmtest --connect-timeout=5 \
    --ssl-ca="$PLACE/tls/ca.pem" --ssl-verify-server-cert --batch --skip-column-names "$@"
}

answers_or_ended() { gone "$PID_FILE" || as_owner --execute='SELECT 1' >/dev/null 2>&1; }

await_answer() {
  local try
  for try in 1 2 3 4 5; do
    : >"$LOG"
    launch
    wait_until 60 answers_or_ended || fail_with_log "$LOG" "no answer on $PLACE/sql.sock within 60 s"
    if alive "$PID_FILE"; then return 0; fi
    grep -q 'Address already in use' "$LOG" || fail_with_log "$LOG" "mariadbd ended while starting"
  done
  fail_with_log "$LOG" "the chosen port was taken $try times in a row"
}

make_account() {
  as_owner <<'SQL' >>"$LOG" 2>&1 || fail_with_log "$LOG" "cannot create the account pmtest"
CREATE USER 'pmtest'@'localhost' IDENTIFIED BY 'pmtest', 'pmtest'@'127.0.0.1' IDENTIFIED BY 'pmtest';
GRANT ALL PRIVILEGES ON *.* TO 'pmtest'@'localhost' WITH GRANT OPTION;
GRANT ALL PRIVILEGES ON *.* TO 'pmtest'@'127.0.0.1' WITH GRANT OPTION;
SQL
  local cipher
  cipher=$(over_tls --execute="SELECT variable_value FROM information_schema.session_status
    WHERE variable_name = 'Ssl_cipher'" 2>>"$LOG") ||
    fail_with_log "$LOG" "pmtest cannot log in over TLS at 127.0.0.1:$PORT"
  [[ -n $cipher ]] || fail_with_log "$LOG" "the connection to 127.0.0.1:$PORT is not encrypted"
}

start() {
  require_programs mariadbd mariadb-install-db mariadb openssl ss setpriv
  choose_account
  : >"$LOG"
  make_place mariadb "$ACCOUNT"
  mkdir "$PLACE/data" "$PLACE/tmp"
  make_certificates
  if [[ $EUID -eq 0 ]]; then
    chown -R "$ACCOUNT:" "$PLACE"
    # The authority's key stays with the one who made it: the server has no use for it.
    chown root: "$PLACE/tls/ca.key"
  fi
  make_data
  await_answer
  make_account
  write_env mariadb \
    "PM_TEST_MYSQL_SOCKET=$PLACE/sql.sock" \
    "PM_TEST_MYSQL_PORT=$PORT" \
    "PM_TEST_MYSQL_USER=pmtest" \
    "PM_TEST_MYSQL_PASSWORD=pmtest" \
    "PM_TEST_MYSQL_CA=$PLACE/tls/ca.pem"
  say "MariaDB answers on 127.0.0.1:$PORT and $PLACE/sql.sock"
}

run_verb
