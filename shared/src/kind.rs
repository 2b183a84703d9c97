//! The kinds of incident, as they are named on the bus, in JSON and in configuration files.

/// Every kind that `Alert` may name. `ack-scan` covers nmap's -sA and -sW: their probes are the same.
pub const KINDS: [&str; 22] = [
    "syn-scan",
    "connect-scan",
    "fin-scan",
    "null-scan",
    "xmas-scan",
    "ack-scan",
    "maimon-scan",
    "udp-scan",
    "protocol-scan",
    "ping-sweep",
    "port-sweep",
    "slow-scan",
    "decoy-scan",
    "distributed-scan",
    "os-detection",
    "flood",
    "backscatter",
    "insistent-tries",
    "egress-scan",
    "signature",
    "visibility",
    "test",
];

/// Is this one of [`KINDS`]?
#[must_use]
pub fn is_known(kind: &str) -> bool {
    KINDS.contains(&kind)
}
