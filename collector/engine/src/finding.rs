//! What the engine says.

pub use crate::detect::tool::Tool;
use crate::{address::Key, origin::Origin, signature::Confidence, tick::Tick};
use std::net::IpAddr;

/// One revision of one incident.
///
/// Plain data: `firebell-collector` turns it into the `Alert` of the bus in one function. All text in it
/// that came from a log line is bytes; all text that is meant for people is written by us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The incident; from 1, never reused while the engine lives.
    pub id: u64,
    /// Rises with every revision of any incident.
    pub seq: u64,
    /// Counts the revisions of this incident, from 1.
    pub revision: u32,
    /// What this revision says.
    pub phase: Phase,
    /// The incident that this one became part of.
    pub merged_into: Option<u64>,
    /// When the engine said so.
    pub at: Tick,
    /// 1 (background) to 5 (act now).
    pub severity: u8,
    /// What it is.
    pub kind: Kind,
    /// Who it is.
    pub source: Source,
    /// Logged packets.
    pub packets: u64,
    /// Distinct (destination, protocol, port).
    pub contacts: u32,
    /// Destination ports as ranges, `22-25,80`, at most 512 bytes.
    pub ports: String,
    /// Destination addresses, at most 16.
    pub targets: Vec<IpAddr>,
    /// Source addresses where there are several, at most 16.
    pub sources: Vec<IpAddr>,
    /// IP protocol number of most of the packets.
    pub protocol: u8,
    /// First packet.
    pub first: Tick,
    /// Last packet.
    pub last: Tick,
    /// What the firewall did, as far as its prefix says.
    pub action: Action,
    /// Who vouches for the lines behind it.
    pub origin: Origin,
    /// How sure the source is.
    pub attribution: Attribution,
    /// The scanner that was recognised, and how sure that is.
    pub tool: Option<Tool>,
    /// The rules that fitted some of its packets, the best first, at most 8.
    pub signatures: Vec<Signature>,
    /// Interface the packets came in by.
    pub interface: Vec<u8>,
    /// Log prefix of the last packet.
    pub prefix: Vec<u8>,
    /// MAC field of the last packet, as printed: destination, source, EtherType.
    pub mac: Vec<u8>,
    /// User behind our own packets.
    pub uid: Option<u32>,
    /// How to tell it.
    pub delivery: Delivery,
    /// One plain sentence.
    pub summary: String,
    /// Why we say so: detectors, scores, thresholds.
    pub why: String,
    /// What to do.
    pub advice: String,
    /// MITRE ATT&CK technique ids.
    pub attack: Vec<&'static str>,
    /// Logged packets of this source up to the revision that opened the incident.
    pub packet_at_open: u64,
    /// Distinct contacts of this source up to then.
    pub contacts_at_open: u32,
}

impl Finding {
    /// The source, or the first of several.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self.source {
            Source::Address(address) | Source::Network(address, _) => Some(address),
            Source::Set | Source::Own => self.sources.first().copied(),
        }
    }

    /// Is it about the same as `other`, whatever their numbers: are both revisions of one incident, if they lie close in time?
    #[must_use]
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        let is_one_of = |kinds: &[Kind]| kinds.contains(&self.kind) || kinds.contains(&other.kind);
        let has_shared = |one: &[IpAddr], other: &[IpAddr]| one.iter().any(|address| other.contains(address));
        if self.origin != other.origin {
            return false;
        }
        // Of these there may be several about one source, or they are about no source; the others are what one source does, by whatever name.
        if is_one_of(&[Kind::Flood, Kind::Backscatter, Kind::DecoyScan, Kind::DistributedScan, Kind::EgressScan, Kind::Visibility]) {
            let is_shared = match self.kind {
                Kind::Flood => has_shared(&self.targets, &other.targets) && self.ports == other.ports,
                Kind::DistributedScan => has_shared(&self.targets, &other.targets),
                Kind::DecoyScan => has_shared(&self.sources, &other.sources),
                _ => self.source == other.source,
            };
            return self.kind == other.kind && is_shared;
        }
        match (self.source, other.source) {
            (Source::Address(one), Source::Address(other)) => Key::new(one, self.origin) == Key::new(other, self.origin),
            (one, other) => one == other,
        }
    }

    /// Gives the incident `id` the number `new`, if it is about it.
    pub fn renumber(&mut self, id: u64, new: u64) {
        for number in [&mut self.id].into_iter().chain(&mut self.merged_into).filter(|number| **number == id) {
            *number = new;
        }
    }
}

/// A rule that fitted, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Of the rule; `sid-1234` for a rule of the firewall that its log prefix names.
    pub id: String,
    /// What the packet is.
    pub title: String,
    /// Why that counts.
    pub why: String,
    /// 1 to 5, before the rest of the incident is weighed in.
    pub severity: u8,
    /// How sure it is.
    pub confidence: Confidence,
    /// Packets.
    pub count: u64,
}

/// Who an incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// One address. An IPv6 source is judged by its /64, and named by the address seen first.
    Address(IpAddr),
    /// A network that was rolled up.
    Network(IpAddr, u8),
    /// Several, listed in [`Finding::sources`].
    Set,
    /// Our own host.
    Own,
}

/// An enumeration whose variants have a word each.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word for it on the bus, in JSON and in rule files.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What an incident is.
    Kind {
        /// TCP SYN to many ports.
        SynScan = "syn-scan",
        /// As nmap -sT: a whole connection is tried.
        ConnectScan = "connect-scan",
        /// FIN alone.
        FinScan = "fin-scan",
        /// No flag at all.
        NullScan = "null-scan",
        /// FIN, PSH, URG.
        XmasScan = "xmas-scan",
        /// ACK alone (nmap -sA and -sW).
        AckScan = "ack-scan",
        /// FIN and ACK.
        MaimonScan = "maimon-scan",
        /// UDP to many ports.
        UdpScan = "udp-scan",
        /// Many IP protocols.
        ProtocolScan = "protocol-scan",
        /// ICMP requests to many of our addresses.
        PingSweep = "ping-sweep",
        /// One port on many of our addresses.
        PortSweep = "port-sweep",
        /// Many ports over hours.
        SlowScan = "slow-scan",
        /// The same probes from several addresses, of which one is real.
        DecoyScan = "decoy-scan",
        /// One scan shared between several sources.
        DistributedScan = "distributed-scan",
        /// Probes that identify the operating system.
        OsDetection = "os-detection",
        /// Too many packets to one port.
        Flood = "flood",
        /// Answers to packets that we did not send.
        Backscatter = "backscatter",
        /// One service, again and again.
        InsistentTries = "insistent-tries",
        /// This machine scans others.
        EgressScan = "egress-scan",
        /// A known packet.
        Signature = "signature",
        /// The log does not show everything.
        Visibility = "visibility",
        /// Asked for by a person.
        Test = "test",
    }
}

words! {
    /// What happened to the incident with this revision.
    Phase {
        /// It is new.
        Opened = "opened",
        /// It grew.
        Updated = "updated",
        /// Its severity rose.
        Escalated = "escalated",
        /// It has been quiet for long enough.
        Closed = "closed",
        /// The same source began again.
        Reopened = "reopened",
        /// It became part of another one.
        Merged = "merged",
    }
}

words! {
    /// What the firewall did.
    Action {
        /// Thrown away without an answer.
        Dropped = "dropped",
        /// Refused with an answer.
        Rejected = "rejected",
        /// Let through.
        Accepted = "accepted",
        /// The log does not say.
        Unknown = "unknown",
    }
}

words! {
    /// How sure it is that the source named is the one who sent.
    Attribution {
        /// Many packets that fit together.
        Plausible = "plausible",
        /// Packets that anybody can send with a forged address.
        Spoofable = "spoofable",
        /// One of several sources, at most one of them real.
        DecoySet = "decoy-set",
        /// The log line itself may be forged.
        ForgedLinePossible = "forged-line-possible",
    }
}

words! {
    /// Advice on how to tell it.
    Delivery {
        /// Only kept in the history.
        Log = "log",
        /// A line in the next digest.
        Digest = "digest",
        /// A notification of its own.
        Popup = "popup",
    }
}
