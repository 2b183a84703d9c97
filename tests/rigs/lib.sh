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
