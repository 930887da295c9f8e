# Servers for tests and benchmarks: installs missing ones from Debian packages, starts private
# throw-away ones, and stops what it started, whatever happens. Sourced by bash scripts that did
# `set -euo pipefail` and set `me` to their name, for messages.
#
# Where a server keeps its data matters for benchmarks only: with `durable=yes` commits reach the disk.
# `rabbitmq=no` leaves out the one that takes a core for many seconds to start. `browser=yes` brings what the
# test in a browser needs.

# Every background job gets a process group of its own, so that it can be stopped whole and a
# Ctrl-C reaches this script first.
set -m

scratch=
drop_ins=()
durable=${durable:-no}
rabbitmq=${rabbitmq:-yes}
browser=${browser:-no}

say() { printf '==> %s\n' "$*" >&2; }

fail() {
    printf '%s: %s\n' "$me" "$*" >&2
    exit 1
}

# ---------------------------------------------------------------- stopping

alive() { kill -0 -- "-$1" 2>/dev/null; }

any_alive() {
    local group
    for group in "$@"; do
        if alive "$group"; then return 0; fi
    done
    return 1
}

stop_everything() {
    local status=$? group groups
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    # The shell's own list, because a signal can come before a job's number is noted anywhere.
    mapfile -t groups < <(jobs -p)
    # From here on only the shell's remarks about the jobs that end.
    exec 2>/dev/null
    # An orderly end for servers, apt-get and tests alike; ten seconds for all of them. PostgreSQL waits
    # for its clients unless INT comes first; MariaDB does not listen to INT.
    for group in "${groups[@]}"; do kill -INT -- "-$group"; done
    for group in "${groups[@]}"; do kill -TERM -- "-$group"; done
    for _ in {1..200}; do
        any_alive "${groups[@]}" || break
        sleep 0.05
    done
    for group in "${groups[@]}"; do kill -KILL -- "-$group"; done
    wait
    if [[ -n $scratch ]]; then rm -rf -- "$scratch"; fi
    if ((${#drop_ins[@]})); then rm -f -- "${drop_ins[@]}"; fi
    exit "$status"
}
trap stop_everything EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Runs a command that a signal to this script interrupts at once.
attended() {
    local status=0
    "$@" </dev/null &
    wait "$!" || status=$?
    return "$status"
}

# ---------------------------------------------------------------- installing

packages_missing=()

# needs PACKAGE FUNCTION: the package is to be installed unless the function finds what it brings.
needs() { "$2" >/dev/null || packages_missing+=("$1"); }

install_packages() {
    ((${#packages_missing[@]})) || return 0
    if ((EUID != 0)); then
        fail "missing: ${packages_missing[*]}. Install them (apt-get install ${packages_missing[*]}) or run this as root."
    fi
    command -v apt-get >/dev/null || fail "missing: ${packages_missing[*]}, and there is no apt-get to install them."
    say "installing ${packages_missing[*]}"
    # Debian would start servers of its own, and make a PostgreSQL cluster first.
    drop_in /etc/postgresql-common/createcluster.d/pullit-tests.conf 'create_main_cluster = false'
    [[ -e /usr/sbin/policy-rc.d ]] || drop_in /usr/sbin/policy-rc.d $'#!/bin/sh\nexit 101'
    attended install_from_debian "${packages_missing[@]}" || fail "the packages could not be installed."
}

# drop_in FILE TEXT: a file that is there until this script ends.
drop_in() {
    drop_ins+=("$1")
    mkdir -p -- "${1%/*}"
    printf '%s\n' "$2" >"$1"
    chmod 755 "$1"
}

install_from_debian() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2 && apt-get install -q -y --no-install-recommends "$@" >&2
}

# ---------------------------------------------------------------- servers
#
# A server is three functions: find_X prints where it is, start_X starts it without waiting,
# await_X waits until it answers and exports where the tests find it.

# as USER COMMAND…: runs it as that user when we are root, which most servers refuse to be.
as() {
    if ((EUID == 0)); then
        exec setpriv --reuid="$1" --regid="$1" --clear-groups -- "${@:2}"
    else
        exec "${@:2}"
    fi
}

# launch NAME FUNCTION: runs it in the background with its output in a log; sets $launched.
launch() {
    "$2" </dev/null >>"$scratch/$1.log" 2>&1 &
    launched=$!
}

# await NAME GROUP FUNCTION: waits until the function succeeds; shows the log when it never does.
await() {
    for _ in {1..1200}; do
        if "$3"; then return 0; fi
        alive "$2" || break
        sleep 0.05
    done
    cat "$scratch/$1.log" >&2
    fail "$1 did not start; its log is above."
}

# on_some_port NAME FUNCTION PATTERN: runs the function with one port after the other until it
# ends otherwise than by finding the port in use, which the pattern finds in its log. For use in launch.
on_some_port() {
    local port log=$scratch/$1.log
    for _ in {1..20}; do
        # Below the ports that the kernel gives to outgoing connections.
        port=$(shuf -i 15000-31999 -n 1)
        : >"$log"
        "$2" "$port" && return 0
        grep -q "$3" "$log" || return 1
    done
    return 1
}

# own_folder NAME USER: makes the folder of a server, the server's own.
own_folder() {
    mkdir -m 700 "$scratch/$1"
    if ((EUID == 0)); then
        chown "$2:$2" "$scratch/$1"
        # Only the way through: what else lies here is ours.
        chmod 711 "$scratch"
    fi
}

# ---------------------------------------------------------------- PostgreSQL

find_postgres() {
    local initdb
    initdb=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1) ||
        initdb=$(command -v initdb) || return 1
    dirname -- "$initdb"
}

start_postgres() {
    postgres_bin=$(find_postgres)
    postgres_folder=$scratch/postgres
    own_folder postgres postgres
    say "starting PostgreSQL from $postgres_bin"
    launch postgres run_postgres
    postgres_group=$launched
}

run_postgres() {
    # The postgres user may not be allowed to read the folder this script stands in.
    cd "$postgres_folder"
    (as postgres "$postgres_bin/initdb" --pgdata="$postgres_folder" --username=postgres \
        --auth=trust --encoding=UTF8 --locale=C --no-sync)
    on_some_port postgres serve_postgres 'could not bind'
}

serve_postgres() {
    local commits=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
    [[ $durable == no ]] || commits=()
    # No socket file: its path may not be long, and nobody needs it. A zone that is not UTC
    # catches what leans on the server's zone.
    (as postgres "$postgres_bin/postgres" -D "$postgres_folder" -p "$1" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 \
        -c timezone=America/New_York "${commits[@]}")
}

# The server keeps its port in the fourth line of this file and its state in the eighth. Asking the
# port instead could be answered by somebody else's server.
postgres_is_ready() {
    local file=$postgres_folder/postmaster.pid
    [[ -r $file && $(sed -n 8p "$file" 2>/dev/null) == ready* ]] || return 1
    postgres_port=$(sed -n 4p "$file")
}

await_postgres() {
    await postgres "$postgres_group" postgres_is_ready
    export PULLIT_TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$postgres_port/postgres"
}

# For the certificates of a test's own server.
find_openssl() { command -v openssl; }

# Before a server of a test's own, which starts it itself.
find_pgbouncer() { PATH=$PATH:/usr/sbin command -v pgbouncer; }

# ---------------------------------------------------------------- MariaDB

find_mariadb() { PATH=$PATH:/usr/sbin:/usr/local/sbin command -v mariadbd; }

start_mariadb() {
    mariadb_bin=$(find_mariadb)
    mariadb_folder=$scratch/mariadb
    own_folder mariadb mysql
    say "starting MariaDB from $mariadb_bin"
    launch mariadb run_mariadb
    mariadb_group=$launched
}

run_mariadb() {
    cd "$mariadb_folder"
    # `normal` lets root in by TCP without a password.
    (as mysql mariadb-install-db --no-defaults --datadir="$mariadb_folder/data" --skip-test-db \
        --auth-root-authentication-method=normal)
    on_some_port mariadb serve_mariadb 'Address already in use'
}

serve_mariadb() {
    local commits=(--innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync)
    [[ $durable == no ]] || commits=()
    # A relative socket path, because it may not be long.
    (as mysql "$mariadb_bin" --no-defaults --datadir="$mariadb_folder/data" --port="$1" \
        --bind-address=127.0.0.1 --socket=socket --pid-file="$mariadb_folder/pid" \
        --max-connections=300 --default-time-zone=-05:00 "${commits[@]}")
}

# Its own log says where it listens, once it does.
mariadb_is_ready() {
    mariadb_port=$(sed -n '/ready for connections/,$ s/.*  port: \([0-9]\+\) .*/\1/p' "$scratch/mariadb.log")
    [[ -n $mariadb_port ]]
}

await_mariadb() {
    await mariadb "$mariadb_group" mariadb_is_ready
    export PULLIT_TEST_MYSQL_URL="mysql://root@127.0.0.1:$mariadb_port/mysql"
}

# ---------------------------------------------------------------- Redis

find_redis() { command -v redis-server; }

start_redis() {
    redis_bin=$(find_redis)
    own_folder redis redis
    say "starting Redis from $redis_bin"
    launch redis run_redis
    redis_group=$launched
}

run_redis() {
    cd "$scratch/redis"
    on_some_port redis serve_redis 'Address already in use'
}

serve_redis() {
    (as redis "$redis_bin" --port "$1" --bind 127.0.0.1 --dir "$scratch/redis" --save '' --appendonly no)
}

redis_is_ready() {
    local log=$scratch/redis.log
    grep -q 'Ready to accept connections' "$log" || return 1
    redis_port=$(sed -n 's/.*Running mode=standalone, port=\([0-9]*\).*/\1/p' "$log")
    [[ -n $redis_port ]]
}

await_redis() {
    await redis "$redis_group" redis_is_ready
    export PULLIT_TEST_REDIS_URL="redis://127.0.0.1:$redis_port/"
}

# ---------------------------------------------------------------- RabbitMQ

# Debian's rabbitmq-server in the path insists on the folders of the system.
find_rabbitmq() {
    local own=/usr/lib/rabbitmq/bin/rabbitmq-server
    if [[ -x $own ]]; then printf '%s\n' "$own"; else command -v rabbitmq-server; fi
}

start_rabbitmq() {
    rabbitmq_bin=$(find_rabbitmq)
    rabbitmq_folder=$scratch/rabbitmq
    own_folder rabbitmq rabbitmq
    say "starting RabbitMQ from $rabbitmq_bin"
    launch rabbitmq run_rabbitmq
    rabbitmq_group=$launched
}

run_rabbitmq() {
    # A signal to the group ends the node, in order; the name server must outlive it.
    trap : INT TERM
    cd "$rabbitmq_folder"
    # A memory limit of its own, because the share of a machine that it takes by default is too much
    # here; what the write-ahead log may hold counts towards it.
    (as rabbitmq tee rabbitmq.conf >/dev/null <<<'
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 33554432
log.file = false
log.console = true
log.console.level = info')
    (as rabbitmq tee enabled_plugins >/dev/null <<<'[].')
    on_some_port rabbitmq serve_rabbitmq 'eaddrinuse\|already a epmd running'
}

# Erlang finds nodes by a name server, epmd, and leaves one behind in the background when none runs.
# Ours runs in the group, on a port of its own, and ends when the node has.
serve_rabbitmq() {
    local home=$rabbitmq_folder status=0 epmd
    (as rabbitmq epmd -port "$(($1 + 1))" -address 127.0.0.1) &
    epmd=$!
    rm -rf -- "$home/data"
    (as rabbitmq env HOME="$home" ERL_EPMD_PORT="$(($1 + 1))" ERL_EPMD_ADDRESS=127.0.0.1 \
        RABBITMQ_NODENAME="pullit-$1@localhost" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$1" \
        RABBITMQ_DIST_PORT="$(($1 + 2))" RABBITMQ_CONF_ENV_FILE=/dev/null \
        RABBITMQ_CONFIG_FILE="$home/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$home/none" \
        RABBITMQ_ENABLED_PLUGINS_FILE="$home/enabled_plugins" RABBITMQ_MNESIA_BASE="$home/data" \
        RABBITMQ_LOG_BASE="$home" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+S 1:1 +SDio 1 -kernel inet_dist_use_interface {127,0,0,1}' \
        "$rabbitmq_bin") || status=$?
    kill "$epmd" 2>/dev/null
    wait "$epmd" 2>/dev/null
    return "$status"
}

rabbitmq_is_ready() {
    local log=$scratch/rabbitmq.log
    grep -q 'Server startup complete' "$log" || return 1
    rabbitmq_port=$(sed -n 's/.*started TCP listener on 127.0.0.1:\([0-9]*\).*/\1/p' "$log")
    [[ -n $rabbitmq_port ]]
}

await_rabbitmq() {
    await rabbitmq "$rabbitmq_group" rabbitmq_is_ready
    export PULLIT_TEST_AMQP_URL="amqp://guest:guest@127.0.0.1:$rabbitmq_port/%2f"
}

# ---------------------------------------------------------------- a browser, and the front end's event source

find_chromium() { command -v chromium; }

find_npm() { command -v npm; }

event_source=event-source-polyfill-1.0.31
event_source_sha512=e0825222d812ff8d48c4de5454056e032733c1917b64812c3355c0a14cc81c0e80fb1ceeb04654bad757cf636bf8c40f2f17d3882bea13bf7f0bc1d3f1f285bc
event_source_folder=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/pullit-tests
event_source_package=$event_source_folder/$event_source.tgz

# It is the front end's package and not ours: fetched once, kept in the cache, and looked at each time.
find_event_source() {
    printf '%s  %s\n' "$event_source_sha512" "$event_source_package" | sha512sum --check --status 2>/dev/null
}

fetch_event_source() {
    find_event_source && return 0
    say "fetching $event_source"
    mkdir -p -- "$event_source_folder"
    attended npm pack --silent --pack-destination "$scratch" "${event_source%-*}@${event_source##*-}" >&2 ||
        fail "npm could not fetch $event_source; the test in a browser needs it once."
    mv -f -- "$scratch/$event_source.tgz" "$event_source_package"
    find_event_source || fail "$event_source_package is not what it should be."
}

prepare_browser() {
    fetch_event_source
    tar -xzf "$event_source_package" -C "$scratch" package/src/eventsource.min.js
    export PULLIT_TEST_EVENT_SOURCE=$scratch/package/src/eventsource.min.js
    PULLIT_TEST_CHROMIUM=$(find_chromium)
    export PULLIT_TEST_CHROMIUM
}

# ---------------------------------------------------------------- all of them

start_servers() {
    scratch=$(mktemp -d --tmpdir pullit-servers.XXXXXX)
    needs postgresql find_postgres
    needs pgbouncer find_pgbouncer
    needs openssl find_openssl
    needs mariadb-server find_mariadb
    needs redis-server find_redis
    [[ $rabbitmq == no ]] || needs rabbitmq-server find_rabbitmq
    if [[ $browser == yes ]]; then
        needs chromium find_chromium
        find_event_source || needs npm find_npm
    fi
    install_packages
    # First, because it takes the longest by far.
    [[ $rabbitmq == no ]] || start_rabbitmq
    start_postgres
    start_mariadb
    start_redis
    [[ $browser == no ]] || prepare_browser
}

await_servers() {
    await_postgres
    await_mariadb
    await_redis
    [[ $rabbitmq == no ]] || await_rabbitmq
}
