# shellcheck shell=bash
# Shared by netns-up, netns-down and scan. Sourced, never run.
# shellcheck disable=SC2034  # names for those who source it
# Everything they create is named after RIG_NET, and is listed under $RIG_NET_STATE/$RIG_NET, so that netns-down removes
# that and nothing else.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd); . "$here/lib.sh"

RIG_NET=${RIG_NET:-n0}
RIG_NET_STATE=${RIG_NET_STATE:-/run/firebell-rigs/net}

set_names() {
    need_id "$RIG_NET"
    DIR=$RIG_NET_STATE/$RIG_NET
    VIC=fbrig-$RIG_NET-vic
    ATK=fbrig-$RIG_NET-atk
    LAN=fbrig-$RIG_NET-lan
}

# One lock for all test networks: up and down are short.
lock() { mkdir -p "$RIG_NET_STATE"; exec 9>"$RIG_NET_STATE/.lock"; flock -w 30 9 || die "another netns-up or netns-down holds the lock"; }

invic() { ip netns exec "$VIC" "$@"; }

# A python without site packages is enough; prefer the system's.
PY=/usr/bin/python3; [ -x $PY ] || PY=$(command -v python3 || true)
py() { [ -n "$PY" ] || skip "no python3"; "$PY" -I "$@"; }

# Removes what the state folder $DIR lists; never anything else.
teardown() {
    [ -d "$DIR" ] || return 1
    local n pid was
    # Processes still inside our namespaces (a scan cut off half way).
    while read -r n; do
        [ -e "/run/netns/$n" ] || continue
        for pid in $(ip netns pids "$n" 2>/dev/null); do
            echo "  ending pid $pid left in $n ($(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-60))"
            kill "$pid" 2>/dev/null || true
        done
        ip netns del "$n" && echo "  deleted namespace $n"
    done < <(cat "$DIR/netns" 2>/dev/null)
    rm -rf "$DIR"
    # The last test network to go puts the sysctl back as the first one found it.
    if [ -f "$RIG_NET_STATE/nf_log_all_netns.was" ] && [ -z "$(find "$RIG_NET_STATE" -mindepth 1 -maxdepth 1 -type d)" ]; then
        was=$(cat "$RIG_NET_STATE/nf_log_all_netns.was")
        sysctl -qw net.netfilter.nf_log_all_netns="$was" && echo "  net.netfilter.nf_log_all_netns back to $was"
        rm -f "$RIG_NET_STATE/nf_log_all_netns.was"
    fi
    return 0
}
