//! The state of an engine, to go on with it after a restart.
//!
//! Everything that decides what later packets mean. Parameters, lists and rules are not in it: they are the configuration's, and
//! may be others by then.

use super::Engine;
use crate::{
    cache,
    class::Class,
    config::Config,
    detect::{
        background::Background,
        decoy, distributed, egress, flood,
        reply::{Answers, Late},
        tries, visibility,
    },
    incidents,
    signature::{self, RuleSet},
    table,
    tick::Tick,
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, net::IpAddr};

/// Changes with what is in a snapshot; a test notices when it must.
const FORMAT: u32 = 2;
/// The longest snapshot that is read, bytes. The largest tables give a fifth of it.
pub const MAX_SNAPSHOT: usize = 64 << 20;

/// Why a snapshot is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreError {
    /// Another version has written it.
    OtherFormat,
    /// It is not one, or was cut.
    NotASnapshot,
    /// It holds what no engine of this configuration holds.
    Broken(String),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherFormat => f.write_str("another version of firebelld has written it"),
            Self::NotASnapshot => f.write_str("it cannot be read"),
            Self::Broken(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for RestoreError {}

#[derive(Debug, Serialize, Deserialize)]
struct State<'e> {
    key: [u8; 16],
    now: Tick,
    classes: [u64; Class::ALL.len()],
    trusted: u64,
    ignored: u64,
    links: Cow<'e, [u64]>,
    targets: Cow<'e, [IpAddr]>,
    far: table::State<'e>,
    near: table::State<'e>,
    late: cache::State<'e, Late>,
    answers: cache::State<'e, Answers>,
    tries: cache::State<'e, tries::Count>,
    decoys: cache::State<'e, decoy::Pair>,
    distributed: cache::State<'e, distributed::Window>,
    floods: cache::State<'e, flood::Rate>,
    egress_ports: Cow<'e, [egress::Marks]>,
    egress_destinations: cache::State<'e, egress::Marks>,
    visibility: [visibility::Rate; visibility::PREFIXES],
    background: Background,
    signatures: signature::State<'e>,
    incidents: incidents::State<'e>,
}

impl Engine {
    /// The state for [`Engine::restore`], in bytes that say nothing to anybody else. Findings must have been taken before, or
    /// they are not told twice but never.
    ///
    /// Takes some 10 ms for each of the about 10 MB that full tables give.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        // A vector takes everything, so the error is never met; nothing is no snapshot.
        postcard::to_extend(&self.state(), FORMAT.to_le_bytes().to_vec()).unwrap_or_default()
    }

    /// An engine that goes on where the one of `snapshot` was, with these parameters and rules. The bytes may be anybody's.
    ///
    /// # Errors
    /// [`RestoreError`]; what is decoded is checked as [`Engine::check_invariants`] does.
    pub fn restore(config: Config, rules: RuleSet, snapshot: &[u8]) -> Result<Self, RestoreError> {
        if snapshot.len() > MAX_SNAPSHOT {
            return Err(RestoreError::NotASnapshot);
        }
        let (format, bytes) = snapshot.split_first_chunk::<4>().ok_or(RestoreError::NotASnapshot)?;
        if u32::from_le_bytes(*format) != FORMAT {
            return Err(RestoreError::OtherFormat);
        }
        // Lengths are trusted no further than the bytes reach: serde takes room for what has come (`size_hint::cautious`).
        let (state, rest): (State<'_>, _) = postcard::take_from_bytes(bytes).map_err(|_| RestoreError::NotASnapshot)?;
        if !rest.is_empty() {
            return Err(RestoreError::NotASnapshot);
        }
        let mut engine = Self::new(config, state.key);
        engine.replace_rules(rules);
        engine.take_over(state).map_err(RestoreError::Broken)?;
        engine.check_invariants().map_err(RestoreError::Broken)?;
        Ok(engine)
    }

    fn state(&self) -> State<'_> {
        State {
            key: self.key,
            now: self.now,
            classes: self.classes,
            trusted: self.trusted,
            ignored: self.ignored,
            links: Cow::Borrowed(&self.home.links),
            targets: Cow::Borrowed(self.targets.known()),
            far: self.far.state(),
            near: self.near.state(),
            late: self.replies.late.state(),
            answers: self.replies.answers.state(),
            tries: self.tries.tries.state(),
            decoys: self.decoys.pairs.state(),
            distributed: self.distributed.targets.state(),
            floods: self.floods.rates.state(),
            egress_ports: Cow::Borrowed(&self.egress.ports),
            egress_destinations: self.egress.destinations.state(),
            visibility: self.visibility.rates,
            background: self.background,
            signatures: self.incidents.signatures.state(),
            incidents: self.incidents.state(),
        }
    }

    fn take_over(&mut self, state: State<'_>) -> Result<(), String> {
        let hasher = self.hasher;
        (self.now, self.classes, self.trusted, self.ignored) = (state.now, state.classes, state.trusted, state.ignored);
        if !self.home.restore(&state.links) || !self.targets.restore(&state.targets) {
            return Err("our addresses: more than there can be".into());
        }
        self.far.restore(state.far, hasher)?;
        self.near.restore(state.near, hasher)?;
        self.replies.late.restore(state.late, Late::is_sound)?;
        self.replies.answers.restore(state.answers, |_| true)?;
        self.tries.tries.restore(state.tries, |_| true)?;
        self.decoys.pairs.restore(state.decoys, decoy::Pair::is_sound)?;
        self.distributed.targets.restore(state.distributed, distributed::Window::is_sound)?;
        self.floods.rates.restore(state.floods, |_| true)?;
        self.egress.destinations.restore(state.egress_destinations, |_| true)?;
        // With other ports configured these begin anew.
        if self.egress.ports.len() == state.egress_ports.len() {
            self.egress.ports = state.egress_ports.into_owned();
        }
        self.visibility.rates = state.visibility;
        self.background = state.background;
        let numbers = self.incidents.signatures.restore(state.signatures, hasher)?;
        self.incidents.restore(state.incidents, hasher, &numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{origin::Origin, parse};

    /// Something of everything that a state holds.
    fn busy() -> Engine {
        let mut engine = Engine::new(Config::default(), [7; 16]);
        let tail = |port: usize, flags: &str| format!("PROTO=TCP SPT=443 DPT={port} SEQ={port} ACK=0 WINDOW=1024 RES=0x00 {flags} URGP=0 ");
        let head =
            |from: usize, to: &str| format!("DROP IN=eth0 OUT= SRC=203.0.{from}.9 DST={to} LEN=44 TOS=0x00 PREC=0x00 TTL=41 ID=54321 ");
        let mut lines = vec!["DROP IN= OUT=eth0 SRC=198.51.100.10 DST=203.0.113.1 LEN=44 TTL=64 ID=1 PROTO=TCP SPT=40000 DPT=445 WINDOW=65535 RES=0x00 SYN URGP=0 ".into()];
        for port in 1..40 {
            lines.push(head(1, "198.51.100.10") + &tail(port, "SYN"));
            lines.push(head(2, "198.51.100.10") + &tail(port, "ACK FIN"));
            lines.push(head(3, "198.51.100.10") + &tail(port, "ACK SYN"));
            lines.push(head(100 + port, "2001:db8::1").replace("203.0.", "2001:db8:1:").replace(".9 ", "::9 ") + &tail(22, "SYN"));
        }
        for line in &lines {
            if let Ok(packet) = parse::parse(line.as_bytes()) {
                engine.observe(&packet, Origin::Kernel, Tick::from_secs(1_763_800_000));
            }
        }
        engine
    }

    #[test]
    fn another_form_has_another_number() {
        let json = serde_json::to_string(&busy().state()).unwrap();
        let mut names: Vec<&str> = Vec::new();
        for (at, _) in json.match_indices("\":") {
            let name = json[..at].rsplit('"').next().unwrap();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let form = format!("{FORMAT}: {}\n", names.join(" "));
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshot-form.txt");
        if std::env::var_os("FIREBELL_BLESS").is_some() {
            std::fs::write(file, &form).unwrap();
        }
        let known = std::fs::read_to_string(file).unwrap();
        assert_eq!(known, form, "fields have changed: raise FORMAT, and run this with FIREBELL_BLESS=1");
    }
}
