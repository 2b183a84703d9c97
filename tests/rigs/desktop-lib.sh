# shellcheck shell=bash
# Shared by desktop-up, desktop-shot and desktop-down. Sourced, never run.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd); . "$here/lib.sh"

RIG_DESK=${RIG_DESK:-d0}
RIG_DESK_STATE=${RIG_DESK_STATE:-$(rig_state)/desk}
set_id() { need_id "$RIG_DESK"; DIR=$RIG_DESK_STATE/$RIG_DESK; }
lock() { mkdir -p "$RIG_DESK_STATE"; exec 9>"$RIG_DESK_STATE/.lock"; flock -w 60 9 || die "another desktop-* command holds the lock"; }
# Ends what is listed in $DIR/pids (last started first), then removes $DIR.
teardown() {
    [ -d "$DIR" ] || return 1
    local pid start
    while read -r _ pid start; do end "$pid" "$start"; done < <(tac "$DIR/pids" 2>/dev/null || true)
    rm -rf "$DIR"
}
