//! `firebell doctor` and `firebell setup` against real firewalls, each in a network namespace of its own.

use anyhow::{Context, Result, ensure};
use firebell_tests::{
    bus::need_root,
    program::{built, run},
    rig::{CannotRun, with_rigs},
};
use serde_json::Value;
use std::{
    path::Path,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// A network namespace with one interface, `eth0`; dropping it removes it.
struct Namespace {
    name: String,
}

impl Namespace {
    fn new() -> Result<Self> {
        need_root()?;
        for program in ["ip", "nft", "iptables-nft-save", "iptables-legacy-save"] {
            let is_there = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].iter().any(|folder| Path::new(folder).join(program).exists());
            ensure!(is_there, CannotRun(format!("no {program}")));
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("fbfw-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        namespace.sh("ip link set lo up; ip link add eth0 type veth peer name peer0; ip link set eth0 up")?;
        Ok(namespace)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    fn sh(&self, script: &str) -> Result<String> {
        run(self.command("sh").args(["-e", "-c", script]))
    }

    /// Runs `firebell setup`; gives what it says.
    fn setup(&self, arguments: &[&str]) -> Result<String> {
        let firebell = built()?.join("firebell");
        run(self.command(firebell.to_str().context("a path in UTF-8")?).arg("setup").args(arguments))
    }

    /// Every rule that is loaded, in the words of all programs, without counters and times.
    fn rules(&self) -> Result<String> {
        self.sh("nft list ruleset; for save in iptables-nft-save ip6tables-nft-save iptables-legacy-save ip6tables-legacy-save; do
             $save | sed -e '/^#/d' -e 's/\\[[0-9]*:[0-9]*\\]//'; done")
    }

    /// What doctor finds with this id.
    fn doctor(&self, id: &str) -> Result<Vec<Value>> {
        // Its status tells of the bus too, which is not there.
        let firebell = built()?.join("firebell");
        let output = self.command(firebell.to_str().context("a path in UTF-8")?).args(["doctor", "-o", "json"]).output()?;
        let document: Value =
            serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let findings = document.get("findings").and_then(Value::as_array).context("no findings")?;
        Ok(findings.iter().filter(|finding| finding["id"] == id).cloned().collect())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run(Command::new("ip").args(["netns", "del", &self.name]));
    }
}

const NFT_POLICY: &str = "nft -f - <<'E'
table inet filter {
  chain input {
    type filter hook input priority filter; policy drop;
    iif lo accept
    ct state vmap { established : accept, related : accept, invalid : drop }
    tcp dport { 22, 80-90 } accept
    meta l4proto { icmp, ipv6-icmp } accept
  }
}
E";
const NFT_LAST_RULE: &str = "nft -f - <<'E'
table ip strict {
  chain refuse { counter reject with icmp admin-prohibited; }
  chain in { type filter hook input priority 0; ct state established,related accept; iifname \"lo\" accept; tcp dport 22 accept; jump refuse; }
}
table ip6 strict {
  chain in { type filter hook input priority 0; policy drop; ct state established,related accept; icmpv6 type { echo-request, nd-neighbor-solicit } accept; }
}
E";

/// The usual rules, for IPv4 and IPv6, in the words of these two programs.
fn iptables(kind: &str) -> String {
    ["iptables", "ip6tables"]
        .map(|program| {
            format!(
                "{program}-{kind} -A INPUT -i lo -j ACCEPT
                 {program}-{kind} -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
                 {program}-{kind} -A INPUT -m conntrack --ctstate INVALID -j DROP
                 {program}-{kind} -N refuse
                 {program}-{kind} -A INPUT -p tcp -m multiport --dports 22,80:90 -j ACCEPT
                 {program}-{kind} -A INPUT -j refuse
                 {program}-{kind} -A refuse -j REJECT\n"
            )
        })
        .concat()
}

fn all() -> [(&'static str, String); 4] {
    [
        ("nftables with a policy", NFT_POLICY.to_owned()),
        ("nftables with a last rule", NFT_LAST_RULE.to_owned()),
        ("iptables over nftables", iptables("nft")),
        ("iptables with the old tables", iptables("legacy")),
    ]
}

#[test]
fn doctor_tells_which_rules_refuse_in_silence_and_its_remedies_work() -> Result<()> {
    with_rigs("firewalls of doctor", || {
        for (name, rules) in all() {
            let namespace = Namespace::new()?;
            namespace.sh(&rules).context(name)?;
            let before = namespace.doctor("firewall-silent")?;
            ensure!(before.iter().any(|finding| finding["severity"] == "problem"), "{name}: {before:#?}");
            // Each remedy changes where the next one belongs, so ask again after each.
            for _ in 0..8 {
                let findings = namespace.doctor("firewall-silent")?;
                let Some(finding) = findings.first() else { break };
                let remedy = finding["remedy"].as_str().and_then(|remedy| remedy.strip_prefix("firebell setup, or: "));
                namespace.sh(remedy.with_context(|| format!("{name}: {finding:#?}"))?)?;
            }
            let after = namespace.doctor("firewall-silent")?;
            ensure!(after.is_empty(), "{name}: {after:#?}");
            let seen = namespace.doctor("firewall-logs")?;
            ensure!(!seen.is_empty(), "{name}");
        }
        Ok(())
    })
}

#[test]
fn doctor_tells_of_a_machine_without_rules_and_of_lines_that_nobody_will_see() -> Result<()> {
    with_rigs("odd firewalls of doctor", || {
        let namespace = Namespace::new()?;
        ensure!(namespace.doctor("firewall-open")?.len() == 1);
        // The kernel shows the setting in the first network namespace alone.
        let hidden = namespace.doctor("other-namespaces")?;
        ensure!(hidden.len() == 1 && hidden[0]["severity"] == "warning", "{hidden:#?}");
        ensure!(hidden[0]["what"].as_str().is_some_and(|what| what.contains("cannot be seen")), "{hidden:#?}");
        namespace.sh(NFT_POLICY)?;
        namespace.sh("nft add rule inet filter input limit rate 3/minute burst 10 packets log prefix '\"sshd[1]: \"'")?;
        ensure!(namespace.doctor("firewall-limited")?.len() == 1);
        ensure!(namespace.doctor("log-prefix")?.len() == 1);
        ensure!(namespace.doctor("log-flags")?.len() == 1);
        namespace.sh("nft flush ruleset")?;
        namespace.sh(NFT_POLICY)?;
        namespace.sh("nft add rule inet filter input log group 3")?;
        ensure!(namespace.doctor("firewall-elsewhere")?.len() == 1 && namespace.doctor("log-group")?.len() == 1);
        // Names and prefixes of a rule set are somebody's bytes.
        namespace.sh("printf 'table inet t { chain c { log prefix \"a\\033[2Jb\"; }; }' | nft -f -")?;
        let said = namespace.doctor("log-flags")?;
        ensure!(said.len() == 1 && !said[0]["what"].as_str().unwrap_or_default().contains('\u{1b}'), "{said:#?}");
        Ok(())
    })
}

#[test]
fn comments_and_names_of_anybody_are_neither_believed_nor_printed_as_they_are() -> Result<()> {
    with_rigs("hostile rule sets", || {
        for kind in ["nft", "legacy"] {
            let namespace = Namespace::new()?;
            // An end of line, then what would be a rule; a terminal's commands; markup. In the places where others choose the words.
            namespace.sh(&format!(
                "say=$(printf 'x\\033[2J<b>\\n-A INPUT -j ACCEPT\\n# Table `filter'\\''  is incompatible\\n')
                 iptables-{kind} -A INPUT -i lo -m comment --comment \"$say\" -j ACCEPT
                 iptables-{kind} -A INPUT -m string --algo bm --string \"$say\" -j ACCEPT
                 iptables-{kind} -A INPUT -m comment --comment \"$say\" -j DROP
                 ip6tables-{kind} -P INPUT DROP
                 printf 'table inet t {{ chain c {{ type filter hook input priority 5; log prefix \"a\\033[2J<b>\" drop comment \"b\\033[2J\"; }}; }}' | nft -f -"
            ))?;
            let before = namespace.rules()?;
            let found = namespace.doctor("firewall-silent")?;
            ensure!(found.iter().any(|finding| finding["severity"] == "problem"), "{kind}: {found:#?}");
            let firebell = built()?.join("firebell");
            for arguments in [&["setup", "--print"][..], &["setup", "--yes"], &["doctor", "--all"], &["setup", "--undo", "--yes"]] {
                let output = namespace.command(firebell.to_str().context("a path in UTF-8")?).args(arguments).output()?;
                let said = [output.stdout, output.stderr].concat();
                ensure!(
                    said.iter().all(|byte| *byte == b'\n' || !byte.is_ascii_control()),
                    "{kind} {arguments:?}: {}",
                    String::from_utf8_lossy(&said)
                );
                ensure!(arguments[0] == "doctor" || output.status.success(), "{kind} {arguments:?}: {}", String::from_utf8_lossy(&said));
            }
            ensure!(namespace.rules()? == before, "{kind}: {}", namespace.rules()?);
        }
        Ok(())
    })
}

#[test]
fn setup_makes_every_firewall_log_does_nothing_twice_and_undo_gives_the_former_rules_to_the_byte() -> Result<()> {
    with_rigs("firewalls of setup", || {
        for (name, rules) in all().into_iter().chain([("no rules at all", "true".to_owned())]) {
            let namespace = Namespace::new()?;
            // Legacy programs show their tables once somebody has asked for them.
            namespace.sh(&rules).context(name)?;
            let before = namespace.rules()?;

            let shown = namespace.setup(&["--print"]).context(name)?;
            ensure!(shown.contains("firebell") && namespace.rules()? == before, "{name}: --print changes the rules: {shown}");
            ensure!(namespace.setup(&[]).is_err() && namespace.rules()? == before, "{name}: nobody was asked");

            namespace.setup(&["--yes"]).context(name)?;
            let after = namespace.rules()?;
            ensure!(after.contains("firebell ") && after != before, "{name}: {after}");
            for id in ["firewall-silent", "firewall-open", "firewall-limited"] {
                let left = namespace.doctor(id)?;
                ensure!(
                    left.iter().all(|finding| finding["severity"] == "note" || finding["severity"] == "ok"),
                    "{name}: {left:#?}\n{after}"
                );
            }
            let again = namespace.setup(&["--yes"]).context(name)?;
            ensure!(again.contains("nothing to do") && namespace.rules()? == after, "{name}: {again}");

            namespace.setup(&["--undo", "--yes"]).context(name)?;
            let undone = namespace.rules()?;
            ensure!(undone == before, "{name}:\n{undone}\nbefore:\n{before}");
            ensure!(namespace.setup(&["--undo", "--yes"])?.contains("nothing of setup's"), "{name}");
        }
        Ok(())
    })
}

#[test]
fn doctor_notes_what_is_refused_on_its_way_to_another_machine_and_its_remedy_works() -> Result<()> {
    with_rigs("forwarding of doctor", || {
        let namespace = Namespace::new()?;
        namespace.sh("echo 1 >/proc/sys/net/ipv4/ip_forward; nft add table ip f")?;
        namespace.sh("nft 'add chain ip f through { type filter hook forward priority 0; policy drop; }'")?;
        let through = |findings: Vec<Value>| -> Vec<Value> {
            findings.into_iter().filter(|finding| finding["what"].as_str().is_some_and(|what| what.starts_with("through"))).collect()
        };
        let found = through(namespace.doctor("firewall-silent")?);
        ensure!(found.len() == 1 && found[0]["severity"] == "note", "{found:#?}");
        let remedy = found[0]["remedy"].as_str().unwrap_or_default();
        namespace.sh(remedy.strip_prefix("firebell setup, or: ").with_context(|| remedy.to_owned())?)?;
        ensure!(through(namespace.doctor("firewall-silent")?).is_empty());
        Ok(())
    })
}

#[test]
fn setup_makes_the_forward_chain_log_where_packets_pass_and_nowhere_else() -> Result<()> {
    with_rigs("forwarding of setup", || {
        let through_iptables = |kind: &str| {
            let mut rules = iptables(kind);
            for program in ["iptables", "ip6tables"] {
                rules += &format!(
                    "{program}-{kind} -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
                     {program}-{kind} -A FORWARD -i inner0 -j ACCEPT
                     {program}-{kind} -P FORWARD DROP\n"
                );
            }
            rules
        };
        const NFT: &str = "nft 'add chain inet filter through { type filter hook forward priority 0; policy drop; }
            add rule inet filter through ct state vmap { established : accept, related : accept, invalid : drop }
            add rule inet filter through iifname inner0 accept'";
        for (name, rules) in [
            ("nftables", format!("{NFT_POLICY}\n{NFT}")),
            ("iptables over nftables", through_iptables("nft")),
            ("iptables with the old tables", through_iptables("legacy")),
        ] {
            let namespace = Namespace::new()?;
            namespace.sh(&rules).context(name)?;
            let before = namespace.rules()?;
            let through = |findings: Vec<Value>| -> Vec<Value> {
                findings.into_iter().filter(|finding| finding["what"].as_str().is_some_and(|what| what.starts_with("through"))).collect()
            };
            let has_forward = |rules: &str| {
                rules.lines().any(|line| line.starts_with("-A FORWARD") && line.contains("FIREBELL_DROP"))
                    || rules
                        .split("chain through")
                        .nth(1)
                        .is_some_and(|chain| chain.split("\t}").next().unwrap_or_default().contains("firebell DROP"))
            };
            namespace.sh("echo 0 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv6/conf/all/forwarding")?;
            let shown = namespace.setup(&["--print"])?;
            ensure!(shown.contains("forward chains are left alone"), "{name}: {shown}");
            namespace.setup(&["--yes"]).context(name)?;
            ensure!(!has_forward(&namespace.rules()?), "{name}: {}", namespace.rules()?);
            // It begins to forward when setup has been there already.
            namespace.sh("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")?;
            ensure!(!through(namespace.doctor("firewall-silent")?).is_empty(), "{name}");
            let shown = namespace.setup(&["--print"])?;
            ensure!(!shown.contains("left alone"), "{name}: {shown}");
            namespace.setup(&["--yes"]).context(name)?;
            let after = namespace.rules()?;
            ensure!(has_forward(&after), "{name}: {after}");
            let left = through(namespace.doctor("firewall-silent")?);
            ensure!(left.is_empty(), "{name}: {left:#?}");
            ensure!(namespace.setup(&["--yes"])?.contains("nothing to do") && namespace.rules()? == after, "{name}");
            namespace.setup(&["--undo", "--yes"]).context(name)?;
            let undone = namespace.rules()?;
            ensure!(undone == before, "{name}:\n{undone}\nbefore:\n{before}");
        }
        Ok(())
    })
}

#[test]
fn doctor_tells_of_rules_that_were_added_behind_those_of_setup_and_its_remedy_puts_them_right() -> Result<()> {
    with_rigs("rules added after setup", || {
        let policy = "for t in iptables-nft ip6tables-nft; do $t -A INPUT -i lo -j ACCEPT; $t -P INPUT DROP; done";
        for (rules, more) in [
            (NFT_POLICY, "nft add rule inet filter input tcp dport 8443 accept"),
            (policy, "iptables-nft -A INPUT -p tcp --dport 8443 -j ACCEPT"),
        ] {
            let namespace = Namespace::new()?;
            namespace.sh(rules)?;
            namespace.setup(&["--yes"])?;
            ensure!(namespace.doctor("log-order")?.is_empty(), "{}", namespace.rules()?);
            namespace.sh(more)?;
            let found = namespace.doctor("log-order")?;
            ensure!(found.len() == 1 && found[0]["severity"] == "warning", "{found:#?}");
            ensure!(found[0]["remedy"] == "firebell setup --undo --yes && firebell setup --yes", "{found:#?}");
            namespace.setup(&["--undo", "--yes"])?;
            namespace.setup(&["--yes"])?;
            ensure!(namespace.doctor("log-order")?.is_empty() && namespace.rules()?.contains("firebell DROP"), "{}", namespace.rules()?);
        }
        Ok(())
    })
}

/// In the words of a rule set: the conditions of what refuses are the conditions of what logs.
#[test]
fn setup_logs_what_a_rule_refuses_and_nothing_else() -> Result<()> {
    with_rigs("conditions of setup", || {
        let namespace = Namespace::new()?;
        namespace.sh("nft -f - <<'E'
table inet t {
  chain in {
    type filter hook input priority 0; policy accept;
    iifname != \"lo\" ip saddr != 10.0.0.0/8 tcp dport < 1024 counter drop comment \"mine\"
    meta l4proto udp reject
  }
}
E")?;
        namespace.setup(&["--yes"])?;
        let rules = namespace.rules()?;
        let line = |text: &str| rules.lines().find(|line| line.contains(text)).map(str::trim).unwrap_or_default().to_owned();
        let logged = line("firebell DROP \"");
        ensure!(logged.starts_with("iifname != \"lo\" ip saddr != 10.0.0.0/8 tcp dport < 1024 ") && !logged.contains("ip6"), "{rules}");
        let rejected = line("firebell REJECT full");
        ensure!(rejected.starts_with("meta l4proto udp ") || rejected.starts_with("meta l4proto 17 "), "{rules}");
        // Somebody flushes the chain, which leaves our sets, and begins anew.
        namespace.sh("nft flush chain inet t in; nft add rule inet t in drop")?;
        namespace.setup(&["--yes"])?;
        ensure!(namespace.rules()?.contains("firebell DROP full "), "{}", namespace.rules()?);
        namespace.sh("nft flush chain inet t in")?;
        namespace.setup(&["--undo", "--yes"])?;
        ensure!(!namespace.rules()?.contains("firebell"), "{}", namespace.rules()?);
        Ok(())
    })
}
