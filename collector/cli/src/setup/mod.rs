//! `firebell setup`: adds logging where the firewall refuses in silence, in the firewall's own terms, and takes it away again.
//!
//! What is missing is what `firebell doctor` finds. What was added is known by a mark (a comment, a table, a chain, two lines in
//! a file), not by nftables' numbers: those change whenever the rules are loaded again.

mod boot;
mod firewalld;
mod iptables;
mod nftables;
mod state;
mod ufw;

use crate::{
    Failure,
    firewall::{
        Backend, Firewall, Place,
        gather::{self, Gathered},
        manager::{self, Keeper},
        walk::{self, End, Kind, Sight},
    },
};
use anyhow::{Context as _, anyhow};
use clap::Args;
use firebell_shared::text::safe;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead as _, IsTerminal as _, Write as _},
};

/// Lets the firewall write what it refuses into the kernel log, which is what firebell reads. Asks before it changes anything.
///
/// Changes what is missing only, so a second time there is nothing to do. Each source has a limit of its own (a thousand lines at
/// once, then 20 a second), so that one flooder does not drown the rest. Loop back, broadcast and what the firewall lets in
/// are not logged. Needs root.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Shows what would be changed, and changes nothing.
    #[arg(long)]
    print: bool,
    /// Takes everything away that setup has added.
    #[arg(long)]
    undo: bool,
    /// Does not ask.
    #[arg(short, long)]
    yes: bool,
}

/// What marks what we have added.
pub(crate) const MARK: &str = "firebell setup";
/// Of one source: lines at once, and lines a second after that. nmap asks a thousand ports.
const SOURCE_BURST: u32 = 1_000;
const SOURCE_RATE: u32 = 20;
/// Of all sources together; firebelld reads a hundred times as many.
const ALL_BURST: u32 = 5_000;
const ALL_RATE: u32 = 1_000;
/// Of new sources while the table of sources is full.
const FULL_BURST: u32 = 100;
const FULL_RATE: u32 = 20;
/// Sources that are remembered, some 2 MiB of the kernel's memory, and for how many seconds.
const SOURCES: u32 = 16_384;
const REMEMBERED: u32 = 60;

/// One thing to do.
struct Change {
    /// What is done, for people: the first line says where, the others in the firewall's own words.
    text: String,
    act: Box<dyn FnOnce() -> anyhow::Result<()>>,
    /// Rules of others may be gone after it, so what comes next is looked for anew.
    moves_others: bool,
}

impl Change {
    fn new(text: impl Into<String>, act: impl FnOnce() -> anyhow::Result<()> + 'static) -> Self {
        Self { text: text.into(), act: Box::new(act), moves_others: false }
    }
}

/// A place where packets are refused that no rule has logged.
#[derive(Clone, Debug)]
struct Need {
    place: Place,
    rejects: bool,
    /// What is sent to this machine meets it, and what passes through to another.
    is_input: bool,
    is_forward: bool,
    kinds: BTreeSet<Kind>,
    v4: bool,
    v6: bool,
}

impl Need {
    /// The word by which the log tells what became of the packet.
    fn verdict(&self) -> &'static str {
        if self.rejects { "REJECT" } else { "DROP" }
    }
}

/// Looks, shows, asks, changes, and looks again.
///
/// # Errors
/// Not root, a firewall that cannot be read or changed, or a refusal.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if !firebell_collector::privilege::is_root() {
        return Err(Failure::NotPermitted("the firewall is root's: sudo firebell setup".to_owned()));
    }
    manager::wait_for_firewalld();
    let mut is_done = false;
    // One change of all may make others necessary, and only once: firewalld's.
    for _ in 0..2 {
        let Gathered { firewall, unseen } = gather::gather();
        if let Some(what) = unseen.first() {
            return Err(anyhow!("the firewall cannot be read, so nothing is changed: {}", safe(what.as_bytes(), 300)).into());
        }
        let mut changes = if arguments.undo { undo(&firewall)? } else { plan(&firewall)? };
        if arguments.print && !arguments.undo {
            notes(&firewall)?;
        }
        if changes.is_empty() {
            break;
        }
        let is_first = !arguments.print && changes.first().is_some_and(|change| change.moves_others);
        if is_first {
            changes.truncate(1);
        }
        for change in &changes {
            say(&change.text)?;
        }
        if arguments.print {
            return Ok(());
        }
        if !arguments.yes && !agreed()? {
            return Err(anyhow!("{}", if is_done { "nothing more was changed" } else { "nothing was changed" }).into());
        }
        is_done = true;
        for change in changes {
            let what = change.text.lines().next().unwrap_or_default().to_owned();
            (change.act)().with_context(|| safe(what.as_bytes(), 300))?;
        }
        if !is_first {
            break;
        }
    }
    let left = if arguments.undo { Vec::new() } else { needs(&gather::gather().firewall) };
    if let Some(need) = left.first() {
        let place = safe(need.place.to_string().as_bytes(), 300);
        return Err(anyhow!("{} places still refuse in silence, the first is {place}; firebell doctor tells what to do", left.len()).into());
    }
    say(match (is_done, arguments.undo) {
        (true, _) => "Done",
        (false, true) => "There is nothing of setup's to take away",
        (false, false) => "What the firewall refuses is logged; nothing to do",
    })?;
    Ok(())
}

/// What one should know besides the changes.
fn notes(firewall: &Firewall) -> anyhow::Result<()> {
    if manager::are_both_on(firewall) {
        say(&format!("{}; better keep {}", manager::BOTH_ON.0, manager::BOTH_ON.1))?;
    }
    if !gather::forwards(false) && !gather::forwards(true) {
        say("No packet passes through this machine to another (forwarding is off), so forward chains are left alone")?;
    }
    Ok(())
}

/// Prints text that is safe line by line.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for line in text.lines() {
        writeln!(out, "{}", safe(line.as_bytes(), 2_000))?;
    }
    Ok(())
}

fn agreed() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(anyhow!("nobody to ask; --yes does it without asking, --print only shows it"));
    }
    let mut out = io::stdout().lock();
    write!(out, "Do this? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// What has to be added, each place once.
fn needs(firewall: &Firewall) -> Vec<Need> {
    let ifaces = gather::outer_interfaces();
    let mut needs: BTreeMap<Place, Need> = BTreeMap::new();
    for (probe, fate) in walk::strangers(firewall, &ifaces).into_iter().chain(walk::passers(firewall, &ifaces)) {
        let (place, rejects) = match &fate.end {
            End::Dropped(place) => (place, false),
            End::Rejected(place) => (place, true),
            _ => continue,
        };
        if fate.sight() == Sight::Clear {
            continue;
        }
        let need = needs.entry(place.clone()).or_insert_with(|| Need {
            place: place.clone(),
            rejects,
            is_input: false,
            is_forward: false,
            kinds: BTreeSet::new(),
            v4: false,
            v6: false,
        });
        need.kinds.insert(probe.kind);
        *(if probe.out_iface.is_some() { &mut need.is_forward } else { &mut need.is_input }) = true;
        *(if probe.is_v6 { &mut need.v6 } else { &mut need.v4 }) = true;
    }
    needs.into_values().collect()
}

fn plan(firewall: &Firewall) -> anyhow::Result<Vec<Change>> {
    let mut changes = Vec::new();
    let (mut ufws, mut firewallds, mut nft, mut old) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for need in needs(firewall) {
        let list = match manager::keeper(firewall, &need.place) {
            Keeper::Ufw => &mut ufws,
            Keeper::Firewalld => &mut firewallds,
            Keeper::Nobody if need.place.backend == Backend::Nft => &mut nft,
            Keeper::Nobody => &mut old,
        };
        list.push(need);
    }
    if !firewallds.is_empty() {
        changes.extend(firewalld::add(manager::ufw(firewall).is_some())?);
    }
    changes.extend(ufw::add(&ufws)?);
    let mut is_ours = !nft.is_empty() || !old.is_empty();
    changes.extend(nftables::add(firewall, &nft)?);
    changes.extend(iptables::add(firewall, old)?);
    let ifaces = gather::outer_interfaces();
    let fates = walk::strangers(firewall, &ifaces);
    let new: Vec<_> = fates.iter().filter(|(probe, _)| matches!(probe.kind, Kind::TcpSyn | Kind::Udp)).collect();
    if new.iter().all(|(_, fate)| fate.end == End::Accepted && fate.sight() != Sight::Clear) {
        changes.push(nftables::own_table()?);
        is_ours = true;
    }
    // ufw and firewalld keep their own; the rest is gone after a boot, so the unit does it again. Where both are on, what is left of
    // ufw's rules after a boot is the rest too.
    if is_ours || manager::are_both_on(firewall) || nftables::has_ours(firewall) || iptables::has_ours(firewall) {
        changes.extend(boot::add(is_ours));
    }
    Ok(changes)
}

fn undo(firewall: &Firewall) -> anyhow::Result<Vec<Change>> {
    let firewalld = firewalld::undo(manager::ufw(firewall).is_some())?;
    // Where it does not run, its change fails, and shall keep no other from being done.
    let (first, last) = if manager::has_firewalld(firewall) { (firewalld, None) } else { (None, firewalld) };
    let mut changes: Vec<Change> = first.into_iter().collect();
    changes.extend(nftables::undo(firewall));
    changes.extend(iptables::undo(firewall));
    changes.extend(ufw::undo()?);
    changes.extend(boot::undo());
    changes.extend(last);
    Ok(changes)
}

/// Runs a program that changes something; what it complains of is the error.
fn change(program: &str, arguments: &[&str], input: &[u8]) -> anyhow::Result<()> {
    let said = crate::programs::run(program, arguments, input)?;
    if said.is_success { Ok(()) } else { Err(anyhow!("{program}: {}", said.complaint())) }
}
