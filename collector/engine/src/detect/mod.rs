//! The detectors that judge one source, each in a file of its own.
//!
//! Each looks at what is remembered of a source and says how bad it is, or nothing. The worst verdict counts.

use crate::{class::Class, config::Config, contacts::ONE, finding::Kind, parameters, score::Weight, table::Kept};
use serde::{Deserialize, Serialize};

pub(crate) mod background;
pub(crate) mod decoy;
pub(crate) mod distributed;
pub(crate) mod egress;
pub(crate) mod fast_scan;
pub(crate) mod flood;
pub(crate) mod illegal_flags;
pub(crate) mod packet_count;
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
    /// Of the packet at hand.
    pub(crate) class: Class,
    /// Logged packets.
    pub(crate) packets: u32,
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

/// What a detector has counted of one thing, beside the number at which it speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Its number in the documentation: `D2`.
    pub id: &'static str,
    /// Its table in the configuration, without `detect.`: `fast-scan`.
    pub detector: &'static str,
    /// What is counted.
    pub what: &'static str,
    /// How many, or how much.
    pub value: f64,
    /// At which it speaks.
    pub threshold: f64,
    /// The key of the threshold in its table.
    pub parameter: &'static str,
    /// It speaks. Some ask for more than the number.
    pub spoke: bool,
}

impl Reading {
    pub(crate) fn new(
        id: &'static str,
        detector: &'static str,
        what: &'static str,
        value: f64,
        threshold: f64,
        parameter: &'static str,
    ) -> Self {
        Self { id, detector, what, value, threshold, parameter, spoke: value >= threshold }
    }

    /// It is silent, and at half of its threshold or more.
    #[must_use]
    pub fn is_near(&self) -> bool {
        !self.spoke && self.value * 2.0 >= self.threshold
    }
}

/// Who spoke. Ordered: among equal severities the later one names the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Detector {
    /// None of ours: the administrator waits for this source.
    Listed,
    /// A rule on one packet (D14).
    Signature,
    PacketCount,
    Backscatter,
    InsistentTries,
    Discovery,
    Sweep,
    SlowScan,
    /// Behind the slow scan: that a scan is a FIN scan says more than that it is slow.
    IllegalFlags,
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
            Self::Signature => "D14",
            Self::PacketCount => "as psad",
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
            Self::Signature => Some(Kind::Signature),
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
            Self::Listed | Self::PacketCount | Self::FastScan | Self::IllegalFlags | Self::Sweep => None,
        }
    }

    /// Who says that of a source, or of several.
    pub(crate) fn of(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Signature => Self::Signature,
            Kind::PingSweep => Self::Discovery,
            Kind::SlowScan => Self::SlowScan,
            Kind::Backscatter => Self::Backscatter,
            Kind::InsistentTries => Self::InsistentTries,
            Kind::OsDetection => Self::OsDetection,
            Kind::Flood => Self::Flood,
            Kind::DistributedScan => Self::Distributed,
            Kind::DecoyScan => Self::Decoys,
            Kind::EgressScan => Self::Egress,
            Kind::Visibility => Self::Visibility,
            Kind::PortSweep => Self::Sweep,
            Kind::FinScan | Kind::NullScan | Kind::XmasScan | Kind::MaimonScan => Self::IllegalFlags,
            Kind::SynScan | Kind::ConnectScan | Kind::AckScan | Kind::UdpScan | Kind::ProtocolScan => Self::FastScan,
            Kind::Test => return None,
        })
    }

    /// It is the reason only as long as there is no other.
    pub(crate) const fn is_last_resort(self) -> bool {
        matches!(self, Self::Listed | Self::Signature)
    }

    /// Contacts say nothing about the size of what it finds.
    pub(crate) const fn counts_packets(self) -> bool {
        matches!(self, Self::Signature | Self::PacketCount | Self::Flood | Self::Backscatter | Self::InsistentTries)
    }
}

/// The worst that any detector says.
pub(crate) fn judge(evidence: &Evidence<'_>, limits: &Limits) -> Option<Verdict> {
    let mut worst = packet_count::judge(evidence, limits);
    for verdict in [
        illegal_flags::judge(evidence, limits),
        sweep::judge(evidence, limits),
        slow_scan::judge(evidence, limits),
        fast_scan::judge(evidence, limits),
    ] {
        worst = worse(worst, verdict);
    }
    worst
}

/// The worse of two verdicts.
pub(crate) fn worse(one: Option<Verdict>, other: Option<Verdict>) -> Option<Verdict> {
    // As numbers, so that none of the many cases needs a branch.
    let rank = |verdict: Option<Verdict>| verdict.map_or(0, |verdict| (u16::from(verdict.severity) << 8 | verdict.detector as u16) + 1);
    if rank(other) > rank(one) { other } else { one }
}

/// Parameters, made ready for the packet path: plain numbers. Of a detector that is off there is nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) fast: fast_scan::Weights,
    pub(crate) slow: Option<Slow>,
    pub(crate) illegal: Option<Illegal>,
    pub(crate) sweep: Sweep,
    pub(crate) tools: Option<Tools>,
    pub(crate) count: Option<Count>,
    pub(crate) broad_contacts: u32,
    pub(crate) critical_contacts: u32,
}

/// Of [`slow_scan`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slow {
    pub(crate) ports: usize,
    pub(crate) minutes: u16,
    severity: BySide,
}

/// Of [`illegal_flags`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Illegal {
    pub(crate) packets: u32,
    pub(crate) severity: u8,
    pub(crate) single_severity: u8,
}

/// Of [`sweep`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sweep {
    pub(crate) is_enabled: bool,
    pub(crate) targets: u32,
    pub(crate) max_services: u32,
    severity: BySide,
}

/// Of [`tool`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tools {
    pub(crate) os_severity: u8,
    pub(crate) discovery_severity: BySide,
}

/// Of [`packet_count`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Count {
    pub(crate) levels: [u32; 5],
    pub(crate) ports: u32,
}

/// A severity for sources on the Internet, and one for neighbours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BySide {
    far: u8,
    near: u8,
}

impl BySide {
    pub(crate) const fn of(self, is_near: bool) -> u8 {
        if is_near { self.near } else { self.far }
    }
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Self {
        let parameters::Detect { fast_scan, slow_scan, illegal_flags, sweep, tools, packet_count, .. } = &config.detect;
        let minutes = u16::try_from(slow_scan.within.as_secs() / 60).unwrap_or(u16::MAX);
        Self {
            fast: fast_scan::Weights::new(fast_scan),
            slow: slow_scan.enabled.then_some(Slow {
                ports: slow_scan.ports as usize,
                minutes,
                severity: BySide { far: slow_scan.severity, near: slow_scan.near_severity },
            }),
            illegal: illegal_flags.enabled.then_some(Illegal {
                packets: illegal_flags.packets,
                severity: illegal_flags.severity,
                single_severity: illegal_flags.single_severity,
            }),
            sweep: Sweep {
                is_enabled: sweep.enabled,
                targets: sweep.targets.saturating_mul(ONE),
                max_services: sweep.max_services.saturating_mul(ONE),
                severity: BySide { far: sweep.severity, near: sweep.near_severity },
            },
            tools: tools.enabled.then_some(Tools {
                os_severity: tools.os_severity,
                discovery_severity: BySide { far: tools.discovery_severity, near: tools.near_discovery_severity },
            }),
            count: packet_count.enabled.then_some(Count { levels: packet_count.levels, ports: packet_count.ports }),
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
