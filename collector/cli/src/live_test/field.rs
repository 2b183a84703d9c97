//! What is made for the test: a network namespace, a pair of interfaces, a table of nftables.
//!
//! All of it belongs to two programs, and the kernel takes it away when they end. The namespace has no name: it is our sender's,
//! and with it go its interface and that one's other end here. The table is nft's (`flags owner`, nft(8)). Both programs end when their standard
//! input is closed, which the kernel does when we end, however that comes about.

use super::{PREFIX, packets::Scan, sender, watch::Event};
use crate::programs;
use anyhow::{Context as _, anyhow, ensure};
use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedSender;

/// What is needed, and the package that has it.
const PROGRAMS: [(&str, &str); 3] = [("ip", "iproute2"), ("nft", "nftables"), ("unshare", "util-linux")];
/// The longest wait for a table that nft makes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Everything; dropping it takes it away.
pub(super) struct Field {
    /// The interface at this end.
    pub(super) interface: String,
    sender: Helper,
    _table: Helper,
}

/// A program that ends when we let go of its standard input.
struct Helper {
    input: Option<ChildStdin>,
    child: Child,
}

impl Helper {
    fn tell(&mut self, text: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("no input")?;
        input.write_all(text.as_bytes())?;
        Ok(input.flush()?)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

impl Field {
    /// Makes everything, the table before the interface is up. What the sender has sent is told as an event.
    ///
    /// # Errors
    /// A program that is missing, or what it complains of. Nothing is made before it is known that nft would do its part.
    pub(super) fn build(events: &UnboundedSender<Event>) -> anyhow::Result<Self> {
        need_programs()?;
        let id = std::process::id();
        let (interface, table) = (format!("fbtest{}", id % 100_000_000), format!("firebell_test_{id}"));
        let rules = format!(
            "add table inet {table} {{ flags owner; }}\nadd chain inet {table} first {{ type filter hook prerouting priority -450; policy accept; }}\n\
             add rule inet {table} first iifname \"{interface}\" log prefix \"{PREFIX}\" flags tcp sequence,options flags ip options\n\
             add rule inet {table} first iifname \"{interface}\" drop\n"
        );
        let said = programs::run("nft", &["-c", "-f", "-"], rules.as_bytes())?;
        ensure!(
            said.is_success,
            "nft would not make the table of the test, which goes beside rules of iptables too; it takes nft 0.9.9 and Linux 5.12 with nf_tables \
             (modprobe nf_tables) or newer: {}",
            said.complaint()
        );
        let this = env::current_exe().context("the path of this program")?;
        let (mut sender, said) = start("unshare", &["--net", "--", &this.to_string_lossy(), "test", "--live", "--send"])?;
        let mut said = BufReader::new(said.context("no output")?);
        expect(&mut said, "here")?;
        let peer = sender.child.id().to_string();
        sender::ip(&["link", "add", &interface, "type", "veth", "peer", "name", sender::INTERFACE, "netns", &peer])?;
        // No address of ours on it: what comes for it is dropped before anybody asks whose it is.
        sender::ip(&["link", "set", &interface, "addrgenmode", "none"])?;
        let (mut owner, _) = start("nft", &["-i"])?;
        owner.tell(&rules)?;
        wait_for_rules(&table, &interface)?;
        sender::ip(&["link", "set", &interface, "up"])?;
        sender.tell(&format!("{}\n", mac(&interface)?))?;
        expect(&mut said, "ready")?;
        let events = events.clone();
        thread::spawn(move || {
            while let Ok(Ok(count)) = line(&mut said).map(|line| line.parse()) {
                let _ = events.send(Event::Sent(count));
            }
        });
        Ok(Self { interface, sender, _table: owner })
    }

    /// Begins to send a scan.
    ///
    /// # Errors
    /// The sender has ended.
    pub(super) fn send(&mut self, scan: &Scan) -> anyhow::Result<()> {
        self.sender.tell(&scan.to_line())
    }
}

impl Drop for Field {
    /// The kernel takes the interface away with the namespace, but some time later; whoever looks at once should find nothing.
    fn drop(&mut self) {
        let _ = sender::ip(&["link", "delete", &self.interface]);
    }
}

fn need_programs() -> anyhow::Result<()> {
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, _)| programs::find(program).is_none()).collect();
    let programs: Vec<&str> = missing.iter().map(|(program, _)| *program).collect();
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    ensure!(
        missing.is_empty(),
        "the test needs {}, which is not installed: apt-get install {} (or your distribution's packages). It makes a table of nftables and a private \
         network for a moment; rules of your own, of iptables too, stay as they are",
        programs.join(" and "),
        packages.join(" ")
    );
    Ok(())
}

fn start(program: &str, arguments: &[&str]) -> anyhow::Result<(Helper, Option<ChildStdout>)> {
    let mut command = programs::command(program)?;
    // What nft prints besides is for nobody.
    let output = if program == "nft" { Stdio::null() } else { Stdio::piped() };
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(output).spawn().with_context(|| program.to_owned())?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    Ok((Helper { input, child }, output))
}

fn line(said: &mut BufReader<ChildStdout>) -> anyhow::Result<String> {
    let mut line = String::new();
    said.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn expect(said: &mut BufReader<ChildStdout>, word: &str) -> anyhow::Result<()> {
    let heard = line(said)?;
    ensure!(heard == word, "the sender in the private network did not start");
    Ok(())
}

fn wait_for_rules(table: &str, interface: &str) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    let last = format!("iifname \"{interface}\" drop");
    while Instant::now() < end {
        let said = programs::run("nft", &["list", "table", "inet", table], b"")?;
        if said.is_success && String::from_utf8_lossy(&said.out).contains(&last) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err(anyhow!("nft does not make a table that belongs to it (`flags owner`: nft 0.9.9 and Linux 5.12 or newer)"))
}

/// The hardware address of an interface.
fn mac(interface: &str) -> anyhow::Result<String> {
    let said = programs::run("ip", &["-j", "link", "show", "dev", interface], b"")?;
    let links: serde_json::Value = serde_json::from_slice(&said.out).context("what ip says")?;
    links.pointer("/0/address").and_then(serde_json::Value::as_str).map(str::to_owned).context("an interface without a hardware address")
}
