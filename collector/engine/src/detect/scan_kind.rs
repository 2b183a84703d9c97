//! Names a scan by the way it asks (D7 and the exact scan types).
//!
//! What most of its packets are gives the name. nmap's -sA and -sW send the same probes, so both are `ack-scan`.

use crate::{class::Probe, finding::Kind};

const KINDS: [(Probe, Kind); Probe::COUNT] = [
    (Probe::Syn, Kind::SynScan),
    (Probe::Connect, Kind::ConnectScan),
    (Probe::Fin, Kind::FinScan),
    (Probe::Null, Kind::NullScan),
    (Probe::Xmas, Kind::XmasScan),
    (Probe::Ack, Kind::AckScan),
    (Probe::Maimon, Kind::MaimonScan),
    (Probe::Udp, Kind::UdpScan),
    (Probe::Protocol, Kind::ProtocolScan),
    (Probe::Icmp, Kind::PingSweep),
];

/// The kind of scan that `probes` (packets by way of asking) are.
pub(crate) fn name(probes: &[u32; Probe::COUNT], is_sweep: bool) -> Kind {
    let count = |probe: Probe| probes.get(probe as usize).copied().unwrap_or(0);
    let kind = KINDS.iter().max_by_key(|(probe, _)| (count(*probe), std::cmp::Reverse(*probe))).map_or(Kind::SynScan, |(_, kind)| *kind);
    if is_sweep && kind != Kind::PingSweep { Kind::PortSweep } else { kind }
}

/// The way of asking that gives a scan this name.
pub(crate) fn probe(kind: Kind) -> Option<Probe> {
    KINDS.iter().find(|(_, known)| *known == kind).map(|(probe, _)| *probe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_way_of_asking_names_the_scan() {
        let mut probes = [0; Probe::COUNT];
        probes[Probe::Xmas as usize] = 5;
        probes[Probe::Syn as usize] = 2;
        assert_eq!(name(&probes, false), Kind::XmasScan);
        probes[Probe::Udp as usize] = 6;
        assert_eq!(name(&probes, false), Kind::UdpScan);
        assert_eq!(name(&probes, true), Kind::PortSweep);
    }
}
