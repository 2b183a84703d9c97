//! The detectors that judge one source, each in a file of its own.
//!
//! Each looks at what is remembered of a source and says how bad it is, or nothing. The worst verdict counts.

use crate::{config::Config, finding::Kind, score::Weight, table::Kept};

pub(crate) mod background;
pub(crate) mod decoy;
pub(crate) mod distributed;
pub(crate) mod egress;
pub(crate) mod fast_scan;
pub(crate) mod flood;
pub(crate) mod illegal_flags;
pub(crate) mod reply;
pub(crate) mod scan_kind;
pub(crate) mod slow_scan;
pub(crate) mod sweep;
pub(crate) mod system;
pub(crate) mod tool;
pub(crate) mod tries;
pub(crate) mod visibility;

/// What a detector has to go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    /// Suspicion, decayed to now.
    pub(crate) score: Weight,
    /// Contacts made with illegal flags.
    pub(crate) illegal: u32,
    /// Private or on-link.
    pub(crate) is_near: bool,
    /// So near, and so unlike what a client does on the Internet, that a sweep of it may be a worm.
    pub(crate) is_worm_like: bool,
    /// Minute of now, modulo 45 days.
    pub(crate) minute: u16,
    /// More than one contact.
    pub(crate) kept: Option<&'a Kept>,
}

/// What a detector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// 1 to 5.
    pub(crate) severity: u8,
    pub(crate) detector: Detector,
}

/// Who spoke. Ordered: among equal severities the later one names the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detector {
    /// None of ours: the administrator waits for this source.
    Listed,
    Backscatter,
    IllegalFlags,
    InsistentTries,
    Discovery,
    Sweep,
    SlowScan,
    FastScan,
    OsDetection,
    Flood,
    Distributed,
    Decoys,
    Egress,
    Visibility,
}

impl Detector {
    /// Its number in the documentation.
    pub(crate) const fn id(self) -> &'static str {
        match self {
            Self::Listed => "list",
            Self::FastScan => "D2",
            Self::SlowScan => "D3",
            Self::IllegalFlags => "D4",
            Self::Discovery => "D9",
            Self::Sweep => "D8, D9",
            Self::Decoys | Self::Distributed => "D10",
            Self::Flood => "D11",
            Self::Backscatter => "D12",
            Self::InsistentTries => "D13",
            Self::OsDetection => "D15",
            Self::Egress => "D17",
            Self::Visibility => "D18",
        }
    }

    /// What it says of a source beyond the way of asking.
    pub(crate) const fn names(self) -> Option<Kind> {
        match self {
            Self::Discovery => Some(Kind::PingSweep),
            Self::SlowScan => Some(Kind::SlowScan),
            Self::Backscatter => Some(Kind::Backscatter),
            Self::InsistentTries => Some(Kind::InsistentTries),
            Self::OsDetection => Some(Kind::OsDetection),
            Self::Flood => Some(Kind::Flood),
            Self::Distributed => Some(Kind::DistributedScan),
            Self::Decoys => Some(Kind::DecoyScan),
            Self::Egress => Some(Kind::EgressScan),
            Self::Visibility => Some(Kind::Visibility),
            Self::Listed | Self::FastScan | Self::IllegalFlags | Self::Sweep => None,
        }
    }

    /// Contacts say nothing about the size of what it finds.
    pub(crate) const fn counts_packets(self) -> bool {
        matches!(self, Self::Flood | Self::Backscatter | Self::InsistentTries)
    }
}

/// The worst that any detector says.
pub(crate) fn judge(evidence: &Evidence<'_>, config: &Limits) -> Option<Verdict> {
    [illegal_flags::judge(evidence, config), sweep::judge(evidence), slow_scan::judge(evidence), fast_scan::judge(evidence, config)]
        .into_iter()
        .flatten()
        .max_by_key(|verdict| (verdict.severity, verdict.detector))
}

/// Parameters, made ready for the packet path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) contact_weight: Weight,
    pub(crate) scan_threshold: Weight,
    pub(crate) illegal_packets: u32,
    pub(crate) broad_contacts: u32,
    pub(crate) critical_contacts: u32,
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            contact_weight: Weight::from_f64(config.contact_weight),
            scan_threshold: Weight::from_f64(config.scan_threshold),
            illegal_packets: config.illegal_packets,
            broad_contacts: config.broad_contacts,
            critical_contacts: config.critical_contacts,
        }
    }

    /// How bad something aimed at us is by its breadth: 3, 4 or 5. What is not aimed at us stays what it is.
    pub(crate) const fn broaden(&self, severity: u8, contacts: u32) -> u8 {
        if severity < 3 {
            severity
        } else if contacts >= self.critical_contacts {
            5
        } else if contacts >= self.broad_contacts && severity < 4 {
            4
        } else {
            severity
        }
    }
}
