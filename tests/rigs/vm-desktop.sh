# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034,SC2154  # quoted: expanded in the guest; names for vm-check, and names of vm-check
# The steps of vm-check that need people with desktops: desktop, recovery, broker; and those of a machine with a kernel of its own: power,
# suspend. Sourced by vm-check, never run.

# --- the package, two people at the machine, and one who is not
install_package() {
    local package
    package=$(cd "$repo" && BIN=$bin systemd/package/deb --to "$W" --quick)
    # A container has the setting elsewhere.
    [ "$engine" = qemu ] || file /etc/systemd/system/run-firebell-nf_log_all_netns.mount.d/vm.conf <<'Y'
[Unit]
ConditionPathExists=
[Mount]
What=/run/host/nf_log_all_netns
Y
    service_config
    "$vm" put --id "$ID" "$package" /var/tmp/
    same 'dpkg installs the package' 0 "$(guest "dpkg -i /var/tmp/${package##*/} >/var/tmp/dpkg.log 2>&1; echo \$?")"
    holds 'systemctl status: active, and what is read and how well' 'Active: active.*Status: "ok; reading /dev/kmsg' \
        "$(guest 'systemctl status --no-pager firebell-collector' | tr '\n' ' ')"
}
# What a login manager and a desktop do: a session on the seat, a screen, and systemd's target of a graphical session. The bus
# starts dunst when it is asked for; xfce4-notifyd has to be started.
install_desktops() {
    guest 'useradd -m -s /bin/bash bert; rm -f /usr/share/dbus-1/services/org.xfce.xfce4-notifyd.Notifications.service'
    file /etc/systemd/user/check-desktop.target <<'Y'
[Unit]
BindsTo=graphical-session.target
Before=graphical-session.target
Y
    file /usr/local/bin/desktop <<'Y'
#!/bin/sh -e
# usage: desktop NUMBER SERVER
export DISPLAY=:$1
mkdir -p "$XDG_RUNTIME_DIR/screen"
Xvfb $DISPLAY -screen 0 900x420x24 -fbdir "$XDG_RUNTIME_DIR/screen" -nolisten tcp -noreset &
for i in $(seq 300); do [ ! -S "/tmp/.X11-unix/X$1" ] || break; sleep 0.1; done
busctl --user call org.freedesktop.DBus / org.freedesktop.DBus UpdateActivationEnvironment 'a{ss}' 1 DISPLAY $DISPLAY
systemctl --user import-environment DISPLAY
systemctl --user start $2
# All that is asked of the server, to count it.
systemd-run --user -q --unit=watcher sh -c 'exec busctl --user --json=short monitor --match=type=method_call,member=Notify >>"$HOME/notify"'
for i in $(seq 100); do busctl --user list | grep -q busctl && break; sleep 0.1; done
systemctl --user start check-desktop.target
wait
Y
    guest 'chmod 755 /usr/local/bin/desktop
        for user in anna bert; do install -d -o $user -g $user /home/$user/.config /home/$user/.config/firebell
            echo "popups-per-hour = 1000" >/home/$user/.config/firebell/notifier.toml; done'
}
# seat USER NUMBER SERVER: logs in at the seat; whoever does so last is active there.
seat() {
    guest "systemd-run --quiet --collect --unit=seat-$1 --uid=$1 -p PAMName=login -p WorkingDirectory=/home/$1 \
        -E XDG_SEAT=seat0 -E XDG_SESSION_TYPE=x11 -E XDG_SESSION_CLASS=user -- /bin/sh /usr/local/bin/desktop $2 $3"
    if until_guest "journalctl -q _UID=\$(id -u $1) -o cat -b | grep -q 'listening to the collector'" 300; then row ok "the agent of $1 listens"
    else row FAILED "the agent of $1 listens" "$(guest "journalctl -q _UID=\$(id -u $1) -o cat -b" | tail -n 5)"; fi
}
# Anna sits at the machine, bert has a session in the background.
log_in() {
    seat bert 8 xfce4-notifyd; seat anna 7 dunst
    same 'sessions on the seat' 'anna yes seat0 bert no seat0' \
        "$(guest 'for s in $(loginctl list-sessions --no-legend | sed "s/^ *\([0-9]*\).*/\1/"); do loginctl show-session $s -p Name -p Active -p Seat --value | paste -sd " "; done' |
            awk '$2 == "seat0" { print $1, $3, $2 } $3 == "seat0" { print $1, $2, $3 }' | sort | paste -sd ' ')"
}
# The popups that were opened (not changed) at USER's desktop and name this address; and a wait for the first.
opened() { guest "cat /home/$1/notify" | py -c '
import json, sys
print(sum(1 for d in (json.loads(l)["payload"]["data"] for l in sys.stdin) if d[1] == 0 and sys.argv[1] in d[3] + d[4]))' "$2"; }
pops_up() { echo "grep -qF '$2' /home/$1/notify"; }
probe() { guest "ip netns exec out pkt.py --gap 0.002 p=tcp,f=S,s=$1,d=198.51.100.1,dp=2001-2040" >/dev/null; }
# picture USER NAME
picture() {
    local to=$repo/target/pictures
    have convert || { row 'NOT DONE' "a picture of $1's screen" 'no convert (Debian: imagemagick)'; return; }
    mkdir -p "$to"; sleep 1
    guest "cat /run/user/\$(id -u $1)/screen/Xvfb_screen0" | convert xwd:- "$to/vm-$2.png"
    if [ "$(identify -format %k "$to/vm-$2.png")" -gt 3 ]; then row ok "a picture of $1's screen" "target/pictures/vm-$2.png"; else row FAILED "something is on $1's screen"; fi
}

# What a bus with our policy lets nobody do. A listener that believes everybody, as root, hears all that reaches it.
install_listener() {
    file /usr/local/bin/believer <<'Y'
import os, re, socket, struct
def call(serial, member, body=b''):
    text = lambda s: struct.pack('<I', len(s)) + s + b'\0'
    field = lambda code, kind, value: struct.pack('<BB2s', code, 1, kind + b'\0') + value
    fields, names = b'', [(1, b'o', text(b'/org/freedesktop/DBus')), (6, b's', text(b'org.freedesktop.DBus')), (2, b's', text(b'org.freedesktop.DBus')), (3, b's', text(member))]
    for one in names + ([(8, b'g', b'\x01s\0')] if body else []): fields += b'\0' * (-len(fields) % 8) + field(*one)
    data = text(body) if body else b''
    return struct.pack('<BBBBIII', 108, 1, 0, 1, len(data), serial, len(fields)) + fields + b'\0' * (-len(fields) % 8) + data
bus = socket.socket(socket.AF_UNIX); bus.connect('/run/dbus/system_bus_socket')
bus.sendall(b'\0AUTH EXTERNAL ' + str(os.getuid()).encode().hex().encode() + b'\r\n'); bus.recv(200); bus.sendall(b'BEGIN\r\n')
bus.sendall(call(1, b'Hello') + call(2, b'AddMatch', b"type='signal'"))
heard = open('/run/believer', 'wb', 0)
while data := bus.recv(65536):
    heard.write(data)
    name = re.search(rb':1\.\d+', data)
    if name and not os.path.exists('/run/believer.name'): open('/run/believer.name', 'wb').write(name.group())
Y
    guest 'rm -f /run/believer*; systemctl stop believer 2>/dev/null; systemd-run --quiet --collect --unit=believer python3 /usr/local/bin/believer'
    until_guest 'test -s /run/believer.name' || row FAILED 'a listener that believes everybody listens'
}
# forge USER MARK: an alert to all, one to the believer, one to anna's agent, and one from another path.
forge() {
    local agent
    agent=$(guest 'busctl --no-legend list' | awk '$3 ~ /^firebell-notif/ { print $1 }' | paste -sd ' ')
    "$vm" run --id "$ID" --user "$1" -- "for to in '' \$(cat /run/believer.name) $agent; do for path in /org/firebell/Collector1 /elsewhere; do
        busctl --system \${to:+--destination=\$to} emit \$path org.firebell.Collector1 Alert 'ttysssa{sv}' 1 1 5 syn-scan 203.0.113.250 $2 0; done; done
        busctl --system --destination=\$(cat /run/believer.name) emit /somewhere org.example.Harmless Said s harmless-$2; true" </dev/null >/dev/null 2>&1
    until_guest "grep -aqF harmless-$2 /run/believer" || row FAILED 'a harmless signal arrives'
    guest "grep -aoF '203.0.113.250' /run/believer | wc -l"
}
# Who is served and who is not, and that nobody can speak for the collector.
step_of_rights() {
    local said
    said=$(as mallory 'busctl call org.firebell.Collector1 /org/firebell/Collector1 org.firebell.Collector1 Subscribe' 2>&1 || true)
    holds 'a user without a session at the machine is refused: Subscribe' 'may not see firewall alerts' "$said"
    said=$(as mallory 'timeout 20 firebell-notifier --print' 2>&1 || true)
    holds 'the agent of that user says what to do' 'add the user to .viewers. in the \[bus\] section' "$said"
    said=$(as mallory 'dbus-send --system --print-reply --dest=org.firebell.Collector1 /org/firebell/Collector1 org.firebell.Collector1.Subscribe' 2>&1 || true)
    holds 'by the name of the error' 'org.firebell.Error.NotAuthorized' "$said"
    said=$(as mallory 'dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.RequestName string:org.firebell.Collector1 uint32:4' 2>&1 || true)
    holds 'the name of the collector is not for that user' 'org.freedesktop.DBus.Error.AccessDenied' "$said"
    install_listener
    same 'signals of ours by that user reach nobody, to all or to one' 0 "$(forge mallory forged)"
    guest 'mv /usr/share/dbus-1/system.d/org.firebell.Collector1.conf /run/; busctl call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig'
    holds 'without our policy they would' '^[1-9]' "$(forge mallory again)"
    guest 'mv /run/org.firebell.Collector1.conf /usr/share/dbus-1/system.d/; busctl call org.freedesktop.DBus / org.freedesktop.DBus ReloadConfig; systemctl stop believer'
    same 'and popups there are none of them, either time' '0 0' "$(opened anna 203.0.113.250) $(opened bert 203.0.113.250)"
}
both_pop_up() {
    local user
    for user in anna bert; do
        if until_guest "$(pops_up "$user" "$1")" 200; then row ok "$user sees a popup of it"
        else row FAILED "$user sees a popup of it" "$(guest "journalctl -q _UID=\$(id -u $user) -o cat -b" | tail -n 3)"; fi
    done
}

step_desktop() {
    install_package; install_desktops; log_in
    guest 'nft -f /etc/vmcheck.nft; ip netns exec out nmap -sS -Pn -n --max-rate 150 -p 1-200 198.51.100.1' >/dev/null
    both_pop_up 198.51.100.66
    picture anna active; picture bert inactive
    step_of_rights
    # What docs/DEBUGGING.md shows.
    transcript
}
# The commands of docs/DEBUGGING.md and what they say, into target/pictures/busctl.txt.
transcript() {
    local to=$repo/target/pictures/busctl.txt ours='org.firebell.Collector1 /org/firebell/Collector1'
    mkdir -p "${to%/*}"
    guest "systemd-run --quiet --collect --unit=monitor sh -c 'busctl --match=type=signal,interface=org.firebell.Collector1 monitor >/run/monitor 2>&1'"
    until_guest 'grep -q Monitoring /run/monitor'
    probe 203.0.113.40; until_guest 'grep -q 203.0.113.40 /run/monitor'; sleep 1
    {
        guest "busctl --no-pager introspect $ours"
        guest "busctl --no-pager status org.firebell.Collector1"
        guest "busctl call $ours org.firebell.Collector1 Subscribe; busctl get-property $ours org.firebell.Collector1 Health
            busctl call $ours org.firebell.Collector1 ListAlerts 'tua{sv}' 0 10 2 min_severity y 3 kind s syn-scan; busctl call $ours org.firebell.Collector1 ListSources u 10"
        guest 'systemctl stop monitor; cat /run/monitor'
    } >"$to"
    row ok 'what busctl said is kept' target/pictures/busctl.txt
}

# recovers CLAIM LAST COMMAND [BEGIN]: what COMMAND kills comes back; a scan that begins in that moment is a popup at both, once.
recovers() {
    local address=203.0.113.$2 ms said=''
    # shellcheck disable=SC2089  # an awk of the guest's
    ms=$(guest "ms() { echo \$(( (\$(date +%s%N) - t) / 1000000 )); }; t=\$(date +%s%N); $3
        ip netns exec out pkt.py --gap 0.002 p=tcp,f=S,s=$address,d=198.51.100.1,dp=2001-2040 >/dev/null; ${4:-:}
        for i in \$(seq 1200); do
            for user in anna bert; do [ -n \"\$(eval echo \\\$\$user)\" ] || ! grep -qF $address /home/\$user/notify || eval \$user=\$(ms); done
            [ -z \"\$anna\" ] || [ -z \"\$bert\" ] || break; sleep 0.05; done; echo \"\${anna:-never} \${bert:-never}\"")
    case $ms in *never*) row FAILED "$1" "popups after (anna, bert, in ms): $ms";; *) row ok "$1" "popups after (anna, bert, in ms): $ms";; esac
    # Whatever is told twice is told by now.
    sleep 5; probed+=("$address")
    for address in "${probed[@]}"; do
        ms="$(opened anna "$address") $(opened bert "$address") $(guest 'firebell alerts -n 1000 -o json' | grep -cF "\"source\": \"$address\"" || true)"
        [ "$ms" = '1 1 1' ] || said="$said $address: $ms;"
    done
    same "$1: each attack so far has one popup at each, and is one incident" '' "$said"
}
probed=()
step_recovery() {
    install_package; install_desktops; log_in; guest 'nft -f /etc/vmcheck.nft'
    recovers 'nothing is killed' 101 :
    recovers 'kill -9 of the collector' 102 'systemctl kill -s KILL firebell-collector'
    recovers 'kill -9 of the system bus' 105 'systemctl kill -s KILL dbus.service'
    # From here on what was on the screen before may be shown anew: an agent that was killed has not kept the numbers of its popups,
    # and a server that was has none of them any more.
    probed=()
    recovers 'kill -9 of both agents' 103 'pkill -KILL -x firebell-notifi'
    probed=()
    recovers 'kill -9 of the notification servers' 104 'pkill -KILL -x dunst; pkill -KILL -x xfce4-notifyd' "sleep 2; systemctl --user -M bert@ start xfce4-notifyd"
    probed=()
    recovers 'and after all that' 106 :
    same 'the collector was started again once, for its own kill alone' 1 "$(guest 'systemctl show -P NRestarts firebell-collector')"
}

step_broker() {
    install_package; install_desktops
    guest 'systemctl -q enable dbus-broker; systemctl -q --global enable dbus-broker'
    "$vm" reboot --id "$ID"
    same 'the system bus is dbus-broker' dbus-broker.service "$(guest 'systemctl show -P Id dbus')"
    holds 'and serves it' 'dbus-broker' "$(guest 'ps -o comm= -C dbus-broker -C dbus-daemon')"
    same 'the collector is active' active "$(unit ActiveState)"
    log_in
    guest 'nft -f /etc/vmcheck.nft'; probe 203.0.113.50
    both_pop_up 203.0.113.50
    step_of_rights
    recovers 'kill -9 of the collector' 102 'systemctl kill -s KILL firebell-collector'
    recovers 'kill -9 of dbus-broker' 105 'systemctl kill -s KILL dbus.service'
    holds 'and collector and agents connected anew' '^[3-9]' "$(guest 'journalctl -b -q -o cat | grep -cE "on the system bus again|the bus closed the connection"')"
}

# --- power: on a machine with a kernel and a disk of its own (qemu), where what was not written is gone
# A program for each popup, on a machine without a desktop; what it was told is on the disk before the program ends.
install_pager() {
    file /usr/local/bin/pager <<<'#!/bin/sh
cat >>/home/adele/told; sync /home/adele/told'
    file /etc/systemd/system/pager.service <<'Y'
[Service]
User=adele
ExecStart=/usr/bin/firebell-notifier --exec /usr/local/bin/pager
Restart=always
[Install]
WantedBy=multi-user.target
Y
    guest 'chmod 755 /usr/local/bin/pager; install -d -o adele -g adele /home/adele/.config /home/adele/.config/firebell; echo "popups-per-hour = 1000" >/home/adele/.config/firebell/notifier.toml
        systemctl daemon-reload; systemctl -q enable --now pager'
}
# told SOURCE: how often something was told again that had been told (what is new about an incident is not), the numbers of its incidents, and what it was.
told() { guest 'cat /home/adele/told' | py -c '
import json, sys
d = [d for d in map(json.loads, sys.stdin) if d.get("source") == sys.argv[1]]
texts = [(x["incident"], x["body"]) for x in d]
again = [d[n] for n in range(len(d)) if texts[n] in texts[:n]]
print(len(again), *sorted({str(x["incident"]) for x in d}), *again)' "$1"; }
# What our services complain of since the boot. An alert is no complaint.
errors() { guest 'journalctl -b -q -u firebell-collector -u pager -p err -o json' | grep -v '"FIREBELL_ID"' || true; }
attack_of() { guest "ip netns exec out pkt.py --gap 0.02 p=tcp,f=S,s=$1,d=198.51.100.1,dp=${2:-2001-2040}" >/dev/null; until_guest "grep -qF $1 /home/adele/told" 600; }
step_power() {
    local n=0 how last history before
    install_package; install_pager
    history() { guest 'busctl get-property org.firebell.Collector1 /org/firebell/Collector1 org.firebell.Collector1 HistoryId'; }
    guest 'nft -f /etc/vmcheck.nft'; history=$(history)
    for how in --hard '' --hard; do
        n=$((n + 1)) last=203.0.113.$((10 + n))
        if attack_of "$last"; then row ok "attack $n is told"; else row FAILED "attack $n is told" "$(guest 'journalctl -u pager -u firebell-collector -o cat | tail -n 5')"; fi
        before=$(told "$last")
        # One that goes on while it happens.
        guest "systemd-run -q --unit=writer ip netns exec out pkt.py --gap 0.05 p=tcp,f=S,s=203.0.113.200,d=198.51.100.1,dp=${n}001-${n}400"
        until_guest 'firebell alerts -o json | grep -qF 203.0.113.200' 600 || row FAILED 'the attack in the middle is seen'
        # shellcheck disable=SC2086  # an option or nothing
        "$vm" reboot --id "$ID" $how
        how=${how:+the power was cut}; how=${how:-the machine was booted again}
        same "$how: the collector is active" active "$(unit ActiveState)"
        same 'it has no error to tell' '' "$(errors)"
        same 'the history is the same one' "$history" "$(history)"
        guest 'nft -f /etc/vmcheck.nft'
        holds "attack $n, told just before, is there" "$last" "$(guest 'firebell alerts -n 1000 -o json')"
        # A new one comes through, and by then everything that would be told twice has been.
        attack_of "203.0.113.$((20 + n))" || row FAILED 'a new attack is told'
        same "nothing of attack $n was told twice, and it has its number" "$before" "$(told "$last")"
    done
    guest 'ip netns exec out pkt.py p=tcp,f=S,s=203.0.113.200,d=198.51.100.1,dp=9001-9040' >/dev/null; sleep 5
    same 'the attack that went on over all of it is one incident' 1 "$(guest 'firebell alerts -n 1000 -o json' | grep -cE '"source": *"203.0.113.200"')"
    holds 'of which nothing was told twice' '^0 [0-9]+$' "$(told 203.0.113.200)"
}

# --- suspend: a sleep in memory, and a clock that is set, on a machine whose kernel is its own
step_suspend() {
    local pids before n=0 address
    install_package; install_pager
    guest 'nft -f /etc/vmcheck.nft'
    health() { guest 'busctl get-property org.firebell.Collector1 /org/firebell/Collector1 org.firebell.Collector1 Health' | awk '{ print $2 }'; }
    pids() { guest 'systemctl show -P MainPID firebell-collector pager | paste -sd " "'; }
    attack() { n=$((n + 1)) address=203.0.113.$((30 + n)); if attack_of "$address"; then row ok "$1 an attack is told"; else row FAILED "$1 an attack is told" "$(guest 'journalctl -u pager -u firebell-collector -o cat | tail -n 5')"; fi; }
    attack 'before the machine sleeps'; before=$(told "$address"); pids=$(pids)
    # One that goes on while it falls asleep and when it wakes.
    guest 'systemd-run -q --unit=writer ip netns exec out pkt.py --gap 0.2 p=tcp,f=S,s=203.0.113.200,d=198.51.100.1,dp=1001-1400
        systemd-run -q --unit=sleeper sh -c "rtcwake -m no -s 20 && systemctl suspend"'
    sleep 30
    until_guest 'journalctl -b -q -k -o cat | grep -q "PM: suspend exit"' 600 || true
    holds 'it slept in memory, and woke' 'PM: suspend exit' "$(guest 'journalctl -b -q -k -o cat')"
    holds 'logind said so to everybody' 'going to sleep|will suspend now' "$(guest 'journalctl -b -q -u systemd-logind -o cat')"
    attack 'after it'
    same 'collector and agent are those of before' "$pids" "$(pids)"
    same 'nothing of the first attack was told twice' "$before" "$(told 203.0.113.31)"
    same 'the attack that went on all the time is one incident' 1 "$(guest 'firebell alerts -n 1000 -o json' | grep -cE '"source": *"203.0.113.200"')"
    # Where it is set back, an hour of packets must not become one moment.
    guest "date -s '1 hour ago'" >/dev/null
    attack 'with the clock set back by an hour'
    holds 'its time goes on from before' "$(guest 'date -u -d "1 hour" "+%F %H:"')" "$(guest "firebell alerts --source $address")"
    same 'the collector has nothing to complain of' '"ok"' "$(health)"
    guest "date -s '3 days'" >/dev/null
    attack 'with the clock set three days forward'
    holds 'its time is that of the clock' "$(guest 'date -u "+%F %H:"')" "$(guest "firebell alerts --source $address")"
    same 'the collector has nothing to complain of' '"ok"' "$(health)"
    same 'collector and agent are still those of before' "$pids" "$(pids)"
    same 'and have no error to tell' '' "$(errors)"
}
