# shellcheck shell=bash
# Shared by the scripts beside it. Sourced, never run.
set -euo pipefail

me=${0##*/}
say() { echo "$me: $*" >&2; }
die() { say "$*"; exit 1; }
# 77: "cannot run here" (the exit status that automake and meson read as a skipped test).
skip() { say "cannot run here: $*"; exit 77; }
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; }
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }
need_root() { is_root || skip "must be root"; }
need_tools() { local t; for t in "$@"; do have "$t" || skip "no $t on PATH"; done; }

# Tools of the administrator are not on every user's PATH.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# Ids name what a rig makes (namespaces, folders), so that two of them do not meet.
need_id() {
    case $1 in ''|*[!a-z0-9]*) die "an id is lower-case letters and digits: '$1'";; esac
    [ ${#1} -le 12 ] || die "an id has at most 12 characters: $1"
}

# Where rigs keep what they must undo. Others may pass through (a bus of type system is for them too).
rig_state() {
    local dir=/run/firebell-rigs
    is_root || dir=${TMPDIR:-/tmp}/firebell-rigs-$(id -u)
    mkdir -p "$dir"; [ -O "$dir" ] || die "$dir belongs to somebody else"
    echo "$dir"
}

# A pid alone is no name for a process, it is used again: the start time goes with it.
pstart() { awk '{sub(/^.*\) /,""); print $20}' "/proc/$1/stat" 2>/dev/null || true; }
ours() { [ -n "$1" ] && [ -n "$2" ] && [ "$(pstart "$1")" = "$2" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
# end PID START: asks, waits three seconds, then kills.
end() {
    ours "$1" "$2" || return 0
    kill -TERM "$1" 2>/dev/null || true
    for _ in $(seq 30); do ours "$1" "$2" || return 0; sleep 0.1; done
    kill -KILL "$1" 2>/dev/null || true
}
# wait_for CMD...: until it succeeds, at most five seconds.
wait_for() { for _ in $(seq 100); do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; done; return 1; }

# system_bus_config SOCKET [POLICY FILE|DIR]...: a bus that works as the system bus does. It is the machine's own
# system.conf, moved to another socket, without activation and with these policy files only.
system_bus_config() {
    local base=/usr/share/dbus-1/system.conf policy
    [ -f $base ] || skip "no $base (Debian: dbus-system-bus-common)"
    # As root the daemon changes to the bus's own user, as the real one does.
    sed -e '/<fork\/>/d; /<pidfile>/d; /<standard_system_servicedirs\/>/d; /<servicehelper>/d; /<syslog\/>/d; /<includedir>/d; /<include /d; /<\/busconfig>/d' \
        -e "s|<listen>[^<]*</listen>|<listen>unix:path=$1</listen>|" $base |
        if is_root && id messagebus >/dev/null 2>&1; then cat; else sed '/<user>/d'; fi
    shift
    for policy in "$@"; do if [ -d "$policy" ]; then echo "  <includedir>$policy</includedir>"; else echo "  <include>$policy</include>"; fi; done
    echo '</busconfig>'
}
bus_answers() { dbus-send --bus="$1" --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetId; }

# The user that the collector becomes.
need_firebell_user() {
    id firebell >/dev/null 2>&1 && return 0
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin firebell || die "cannot create the system user firebell"
    echo "made the system user firebell, which the collector runs as (userdel firebell takes it away again)"
}
