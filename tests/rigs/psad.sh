# Sourced by the commands that run psad itself: the one that is installed, or Debian's package and its Perl modules in a
# folder of the caller's. It runs in analysis mode on a configuration of its own: it changes nothing, mails nobody and asks no name server.
# shellcheck shell=bash

# prepare_psad FOLDER: psad's root, configuration and, where it is not installed, the program in FOLDER. Sets `base`, below which psad's own files are.
prepare_psad() {
    local folder=$1 key program
    base=
    if ! have psad || [ ! -f /etc/psad/signatures ]; then
        need_tools apt-get dpkg
        mkdir "$folder/debs"; base=$folder/debian
        (cd "$folder/debs" && apt-get -qq -o APT::Sandbox::User=root download psad libunix-syslog-perl libdate-calc-perl libcarp-clan-perl \
            libbit-vector-perl libnetaddr-ip-perl libiptables-parse-perl libiptables-chainmgr-perl) >"$folder/said" 2>&1 ||
            skip "no psad, and its package cannot be fetched: $(tail -n 1 "$folder/said")"
        for deb in "$folder"/debs/*.deb; do dpkg -x "$deb" "$base"; done
        PERL5LIB=$(printf '%s:' "$base"/usr/share/perl5 "$base"/usr/lib/*/perl5/*); export PERL5LIB
    fi
    # Its folders are here. Packets with ACK or RST are looked at as well, which the shipped configuration passes over.
    psad_root=$folder/root; mkdir -p "$psad_root"/var/{log,run,lib}/psad "$psad_root/etc"; cp -r "$base/etc/psad" "$psad_root/etc/psad"
    psad_conf=$psad_root/etc/psad/psad.conf
    set_key INSTALL_ROOT "$psad_root"; set_key HOSTNAME rig; set_key ALERTING_METHODS NOEMAIL; set_key IGNORE_CONNTRACK_BUG_PKTS N
    set_key STATUS_SIGS_THRESHOLD 10000
    for key in ENABLE_DNS_LOOKUPS ENABLE_WHOIS_LOOKUPS ENABLE_FW_LOGGING_CHECK ENABLE_INTF_LOCAL_NETS; do set_key $key N; done
    # Programs that analysis mode asks for and has no use for. The firewall is not asked either.
    # It looks at the name and at the exit status.
    local nothing=$folder/iptables; printf '#!/bin/sh\n' >"$nothing"; chmod +x "$nothing"
    set_key ENABLE_OVERRIDE_FW_CMD Y; set_key FW_CMD "$nothing"
    while read -r key program; do [ -x "${program%;}" ] || set_key "$key" "$nothing"; done < <(grep -E '^[a-z0-9_]+Cmd[[:space:]]' "$psad_conf")
}
set_key() { sed -i "s|^$1[[:space:]].*|$1 $2;|" "$psad_conf"; }

# psad_analyze LOG SECONDS: judges it, within so many seconds, and prints what it found.
psad_analyze() {
    rm -rf "$psad_root"/var/log/psad/*
    timeout "$2" perl "$base/usr/sbin/psad" -A -m "$1" -c "$psad_conf" </dev/null
}
