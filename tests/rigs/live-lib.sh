# shellcheck shell=bash
# shellcheck disable=SC2034  # names for those who source it
# What run and demo share: the person at the desk, the build, a bus, the two programs. Sourced, never run.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd); . "$here/lib.sh"
repo=$(cd "$here/../.." && pwd)
bin=${CARGO_TARGET_DIR:-$repo/target}/release
agent=$bin/firebell-notifier

# --- the person at the desk: whoever runs this, or with sudo the user behind it
person_uid=$(id -u)
if is_root && [ -n "${SUDO_UID:-}" ]; then person_uid=$SUDO_UID; fi
person=$(id -nu "$person_uid") || die "user id $person_uid has no name"
home=$(getent passwd "$person" | cut -d: -f6)
# Prefix of what is run as that person; cargo is seldom on root's PATH, and rustup puts it there.
as_person=(env "HOME=$home" "PATH=$PATH:$home/.cargo/bin")
[ "$person_uid" = "$(id -u)" ] || as_person=(setpriv "--reuid=$person_uid" "--regid=$(id -g "$person")" --init-groups -- "${as_person[@]}" "USER=$person" "LOGNAME=$person" "XDG_RUNTIME_DIR=/run/user/$person_uid")

# --- what is started here and nothing else is ended here, last first
pids=() W=''
# Each in a session of its own, so that Ctrl-C reaches this script alone, which then ends them in order. Descriptor 8 is
# where popups are printed, 7 where a recorded scan is written; only those that need them get them.
note() { pids+=("$1 $(pstart "$1")"); }
end_all() {
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        # shellcheck disable=SC2086  # pid and start time
        end ${pids[i]}
    done
    [ -z "$W" ] || rm -rf "$W"
}
make_workdir() { W=$(mktemp -d); chmod 755 "$W"; }
is_up() { [ "$(pstart "$1")" != '' ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
# wait_log PID FILE PATTERN WHAT: until the program has said it; shows what it said instead when it ends or ten seconds pass.
wait_log() {
    local i
    for ((i = 0; i < 200; i++)); do
        ! grep -qs -- "$3" "$2" || return 0
        is_up "$1" || break
        sleep 0.05
    done
    grep -q -- "$3" "$2" && return 0
    tail -n 20 "$2" >&2; die "$4"
}

# --- build
build() {
    "$here/packages" build "$@"
    local builder=("${as_person[@]}") want found
    "${builder[@]}" test -w "$repo" || builder=(env "PATH=$PATH:$home/.cargo/bin")
    want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$repo/Cargo.toml")
    found=$("${builder[@]}" cargo --version 2>/dev/null | awk '{print $2}') || true
    [ -n "$found" ] || die "no cargo here for $person. Rust $want or newer is needed and Debian 12 has 1.63; as $person, from https://rustup.rs:
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
    [ "$(printf '%s\n' "$want" "$found" | sort -V | head -1)" = "$want" ] || die "cargo is $found, but $want or newer is needed: rustup update"
    echo "building (the first time takes some minutes)"
    (cd "$repo" && "${builder[@]}" cargo build -q --release --locked -p firebell-collector -p firebell-notifier) || die "the build failed"
}

# --- the system bus: the real one where our policy is installed there and nobody serves on it, else a private one
name_has_owner() { dbus-send --bus="$1" --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner string:"$2" 2>/dev/null | grep -q 'boolean true'; }
private_bus() {
    sysaddr=unix:path=$W/system_bus_socket
    mkdir "$W/policy"; cp "$repo"/dbus-policy/*.conf "$W/policy/"
    # Without root the bus is this user's, and so is the collector.
    is_root || sed -i "s/user=\"firebell\"/user=\"$person\"/" "$W"/policy/*.conf
    system_bus_config "$W/system_bus_socket" "$W/policy" >"$W/system.conf"
    setsid dbus-daemon --nofork --nopidfile --nosyslog --config-file="$W/system.conf" >"$W/bus.log" 2>&1 </dev/null 7>&- 8>&- &
    note $!
    wait_for bus_answers "$sysaddr" || { cat "$W/bus.log" >&2; die "the private bus does not answer"; }
    bus_is="a private bus"
}
any_bus() {
    local real=unix:path=/run/dbus/system_bus_socket f installed=1
    is_root || { private_bus; return; }
    for f in "$repo"/dbus-policy/*.conf; do
        f=${f##*/}; [ -e "/usr/share/dbus-1/system.d/$f" ] || [ -e "/etc/dbus-1/system.d/$f" ] || installed=0
    done
    if [ $installed = 1 ] && bus_answers "$real" >/dev/null 2>&1 && ! name_has_owner "$real" org.firebell.Collector1; then
        sysaddr=$real bus_is="the system bus"
    else private_bus; fi
}

# --- the person's session: sets sesaddr and server (the name of its notification server), both empty where there is none
find_session() {
    sesaddr='' server=''
    if [ "$person_uid" = "$(id -u)" ]; then sesaddr=${DBUS_SESSION_BUS_ADDRESS:-}; fi
    if [ -z "$sesaddr" ] && [ -S "/run/user/$person_uid/bus" ]; then sesaddr=unix:path=/run/user/$person_uid/bus; fi
    [ -n "$sesaddr" ] || return 0
    server=$("${as_person[@]}" dbus-send --bus="$sesaddr" --print-reply --reply-timeout=5000 --dest=org.freedesktop.Notifications \
        /org/freedesktop/Notifications org.freedesktop.Notifications.GetServerInformation 2>/dev/null | sed -n 's/^ *string "\(.*\)"/\1/p' | head -1) || true
}

# --- the two programs
# collector ARGUMENT...: with the configuration $W/firebell.toml; reads descriptor 0. Waits until it listens.
# shellcheck disable=SC2120  # demo has no arguments for it
collector() {
    if [ "$(id -u)" != 0 ]; then mkdir -p "$W/state"; fi
    setsid env DBUS_SYSTEM_BUS_ADDRESS="$sysaddr" STATE_DIRECTORY="$W/state" LOGS_DIRECTORY="$W/log" "$bin/firebelld" --config "$W/firebell.toml" "$@" <&0 >"$W/collector.log" 2>&1 7>&- 8>&- &
    collector_pid=$!; note $!
    wait_log $collector_pid "$W/collector.log" ready "the collector did not start"
}
# printing_agent: prints to descriptor 8 what it would show. desktop_agent: shows it on the person's session bus.
printing_agent() {
    setsid "${as_person[@]}" "DBUS_SYSTEM_BUS_ADDRESS=$sysaddr" "$agent" --print >&8 2>"$W/print.log" </dev/null 7>&- 8>&- &
    note $!
    wait_log $! "$W/print.log" 'listening to the collector' "the printing agent hears nothing"
}
desktop_agent() {
    setsid "${as_person[@]}" "DBUS_SYSTEM_BUS_ADDRESS=$sysaddr" "DBUS_SESSION_BUS_ADDRESS=$sesaddr" "$agent" >"$W/agent.log" 2>&1 </dev/null 7>&- 8>&- &
    agent_pid=$!; note $!
    wait_log $agent_pid "$W/agent.log" 'listening to the collector' "the agent hears nothing"
}
agents() { printing_agent; [ -z "$server" ] || desktop_agent; }
# Waits until one of them ends by itself, and says what it said last.
wait_for_an_end() {
    local p
    while :; do
        for p in "${pids[@]}"; do is_up "${p% *}" || break 2; done
        wait -n || true
    done
    tail -n 5 "$W"/*.log >&2
    die "a part of it ended by itself; above is what each said last"
}
