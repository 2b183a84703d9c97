//! What an administrator can set about the judgement, with the defaults and their reasons.

use crate::parameters::Detect;
use std::{net::IpAddr, ops::RangeInclusive, time::Duration};

/// Parameters of the engine. Plain values: whoever reads a configuration file checks them there.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Sources that are remembered, half of them on probation. 65,536 take 8 MiB.
    pub max_sources: usize,
    /// Private and on-link sources that are remembered, in a table that outside traffic cannot touch.
    pub max_near_sources: usize,
    /// Incidents that are open or may be reopened. The least severe, oldest one makes room.
    pub max_incidents: usize,
    /// Contacts from which a scan is broad (severity 4). psad's danger level 3.
    pub broad_contacts: u32,
    /// Contacts from which a scan is critical (severity 5). psad's danger level 4.
    pub critical_contacts: u32,
    /// An incident is told again at most this often.
    pub update_every: Duration,
    /// An incident that moved since it was last told, and is quiet for this long, is told its last state.
    pub settle: Duration,
    /// An incident ends after this much quiet, or four of its median gaps if that is longer.
    pub idle_close: Duration,
    /// The same source within this time after the end is the same incident again. Also the time in which a contact is not new again.
    pub reopen_within: Duration,
    /// Highest severity of what nobody vouches for; `None`: no limit (there is no intake that vouches).
    pub unverified_max_severity: Option<u8>,
    /// Words in a log prefix that mean: this packet was let through. Compared without case, at the start of a word.
    pub accepted_words: Vec<String>,
    /// Networks that are ours beside the private ones: address and prefix length.
    pub home: Vec<Network>,
    /// New incidents of single sources in a minute; more of them fold into one. Cheap spoofed packets must not fill a screen.
    pub incidents_per_minute: u32,
    /// Parameters of each detector.
    pub detect: Detect,
    /// What people call ports, for the sentences: port and name. The engine knows none by itself.
    pub services: &'static [(u16, &'static str)],
    /// Whom to leave alone, and whose incidents weigh more or less.
    pub lists: Lists,
}

/// A network: an address in it and the length of the prefix. One address has 32 or 128.
pub type Network = (IpAddr, u8);

/// What the administrator knows of sources. All of it is empty by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Sources that never alert and of which nothing is remembered.
    pub trusted: Vec<Network>,
    /// Packets that are not looked at. Each is tried on every packet, so keep them few.
    pub ignored: Vec<Ignore>,
    /// Sources whose severity is at least, or always, a given one. Of fixed ones the first that fits counts.
    pub severities: Vec<SeverityRule>,
    /// Addresses reputed bad: their incidents from severity 2 are one step more severe.
    pub reputation: Vec<Network>,
    /// Who scans the whole Internet for research: one step less severe, never hidden.
    pub scanners: Vec<Scanner>,
}

/// Packets that are not looked at: those for which all that is given here fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    /// Where they come from.
    pub source: Option<Network>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// Destination ports; empty: any.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Interface they came in or went out by; a `+` at the end stands for anything, as in iptables(8).
    pub interface: Option<String>,
    /// Log prefix, without the space that ends it.
    pub prefix: Option<String>,
}

/// The severity of a source, whatever it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeverityRule {
    /// The source.
    pub source: Network,
    /// Only packets, or incidents, with this IP protocol.
    pub protocol: Option<u8>,
    /// Only packets to, or incidents that touch, one of these ports; empty: any.
    pub ports: Vec<RangeInclusive<u16>>,
    /// How severe.
    pub level: Level,
}

/// How severe a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// At least this, 1 to 5. From 2 on, its first packet is an incident.
    Minimum(u8),
    /// Always this, 1 to 5. From 2 on, its first packet is an incident. 0: it is ignored.
    Fixed(u8),
}

impl Level {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Minimum(severity) | Self::Fixed(severity) => severity,
        }
    }
}

/// Somebody who scans the whole Internet for research.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanner {
    /// Their name.
    pub name: String,
    /// Where they scan from.
    pub networks: Vec<Network>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_sources: 65_536,
            max_near_sources: 4_096,
            max_incidents: 1_024,
            broad_contacts: 150,
            critical_contacts: 1_500,
            update_every: Duration::from_secs(10),
            settle: Duration::from_secs(30),
            idle_close: Duration::from_secs(3_600),
            reopen_within: Duration::from_secs(86_400),
            unverified_max_severity: None,
            accepted_words: ["ACCEPT", "ALLOW", "AUDIT"].map(str::to_owned).to_vec(),
            home: Vec::new(),
            incidents_per_minute: 8,
            detect: Detect::default(),
            services: &[],
            lists: Lists::default(),
        }
    }
}
