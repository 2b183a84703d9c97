//! One recording, as it would have been logged otherwise: slower, by another rule, from elsewhere.
//!
//! Each change is exact: it gives the lines that the kernel would have written. Lines are `/dev/kmsg` records.

use std::{collections::HashMap, time::Duration};

/// A log, a line an entry.
pub type Lines = Vec<String>;

/// Microseconds of a record: the third field of its envelope.
fn micros(line: &str) -> Option<u64> {
    line.split(';').next()?.split(',').nth(2)?.parse().ok()
}

/// The record, at another moment.
fn at(line: &str, micros: u64) -> String {
    let mut fields: Vec<&str> = line.splitn(4, ',').collect();
    let micros = micros.to_string();
    if let Some(field) = fields.get_mut(2) {
        *field = &micros;
    }
    fields.join(",")
}

/// What stands behind `NAME=` in a line, the first time.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// The scan as nmap sends it with `pause` between two probes instead of the recorded one.
///
/// nmap waits between probes, and its own second try at a port is a probe like any other. What it does not wait for keeps its
/// distance from its probe: the kernel's repetitions of a SYN that connect(2) sent, and the second payload for a UDP port. Both
/// are known by equal ports on both sides. (Seen in recordings of -T1 and -T0, which `tests/rigs/record-timings` makes.)
#[must_use]
pub fn paced(lines: &[String], pause: Duration) -> Lines {
    let pause = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
    let first = lines.first().and_then(|line| micros(line)).unwrap_or_default();
    // When each probe was sent, and when it would have been.
    let mut probes: HashMap<(&str, &str, &str), (u64, u64)> = HashMap::new();
    let mut slowed: Vec<(u64, String)> = Vec::new();
    let mut count = 0;
    for line in lines {
        let now = micros(line).unwrap_or_default();
        let key =
            (field(line, "PROTO").unwrap_or_default(), field(line, "SPT").unwrap_or_default(), field(line, "DPT").unwrap_or_default());
        let known = if key.1.is_empty() { None } else { probes.get(&key).copied() };
        let (was, is) = known.unwrap_or_else(|| {
            count += 1;
            (now, first + (count - 1) * pause)
        });
        probes.insert(key, (was, is));
        let moment = is + (now - was);
        slowed.push((moment, at(line, moment)));
    }
    slowed.sort_by_key(|(moment, _)| *moment);
    slowed.into_iter().map(|(_, line)| line).collect()
}

/// As logged without `--log-tcp-sequence`, `--log-tcp-options` and `--log-ip-options`.
#[must_use]
pub fn without_options(lines: &[String]) -> Lines {
    let plain = |line: &String| {
        let mut out = String::with_capacity(line.len());
        let mut rest = line.as_str();
        // OPT (…) of the IP header and of TCP.
        while let Some((before, after)) = rest.split_once("OPT (") {
            out.push_str(before);
            rest = after.split_once(") ").map_or("", |(_, rest)| rest);
        }
        out.push_str(rest);
        // ICMP has a SEQ of its own; that of TCP comes with an ACK that has a value.
        match (out.find(" SEQ="), out.find(" ACK=")) {
            (Some(seq), Some(ack)) if seq < ack => {
                let end = out.get(ack + 1..).and_then(|rest| rest.find(' ')).map_or(out.len(), |end| ack + 1 + end);
                out.replace_range(seq..end, "");
            }
            _ => {}
        }
        out
    };
    lines.iter().map(plain).collect()
}

/// What a rule with `-m limit --limit 3/min --limit-burst 10` lets into the log, as ufw's have it; one for each chain.
///
/// Source: Linux `net/netfilter/xt_limit.c`: a bucket that is full at first.
#[must_use]
pub fn limited(lines: &[String]) -> Lines {
    const COST: u64 = 20_000_000;
    const FULL: u64 = 10 * COST;
    // Credit, and when it was counted; of the input chain and of the forward chain.
    let mut buckets = [(FULL, None::<u64>); 2];
    let mut kept = Lines::new();
    for line in lines {
        let is_forwarded = field(line, "OUT").is_some_and(|out| !out.is_empty());
        let now = micros(line).unwrap_or_default();
        let Some((credit, counted)) = buckets.get_mut(usize::from(is_forwarded)) else { continue };
        *credit = (*credit + now.saturating_sub(counted.unwrap_or(now))).min(FULL);
        *counted = Some(now);
        if *credit >= COST {
            *credit -= COST;
            kept.push(line.clone());
        }
    }
    kept
}

/// The same packets from another address, written as the kernel does.
#[must_use]
pub fn sent_by(lines: &[String], address: &str) -> Lines {
    let other = |line: &String| match line.split_once(" SRC=") {
        Some((before, rest)) => format!("{before} SRC={address} {}", rest.split_once(' ').map_or("", |(_, rest)| rest)),
        None => line.clone(),
    };
    lines.iter().map(other).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::corpus;

    fn recorded(name: &str) -> Lines {
        let lines = corpus::lines(name, "kmsg").unwrap().unwrap();
        lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    fn moments(lines: &[String]) -> Vec<u64> {
        let first = micros(&lines[0]).unwrap();
        lines.iter().map(|line| (micros(line).unwrap() - first + 50_000) / 100_000).collect()
    }

    /// Pauses and repetitions in tenths of a second.
    #[test]
    fn a_recording_of_t2_slowed_down_to_t1_is_a_recording_of_t1() {
        let pause = Duration::from_millis(15_015);
        for kind in ["sS", "sU", "v6-sA", "sO"] {
            let (slowed, real) = (paced(&recorded(&format!("nmap/{kind}.t2")), pause), recorded(&format!("nmap/{kind}.t1")));
            let (slowed, real) = (moments(&slowed), moments(&real));
            assert_eq!(slowed.len(), real.len(), "{kind}");
            // nmap's first pause is longer: it has measured no round trip yet.
            let gaps = |moments: &[u64]| moments.windows(2).skip(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            assert!(gaps(&slowed).abs_diff(gaps(&real)) <= 2, "{kind}: {} and {}", gaps(&slowed), gaps(&real));
        }
    }

    #[test]
    fn the_kernels_repetitions_keep_their_distance() {
        let real = recorded("nmap/sT.t1");
        let slowed = paced(&real, Duration::from_secs(300));
        assert_eq!(slowed.len(), real.len());
        let of_first = |lines: &[String]| {
            let key = (field(&lines[0], "SPT").unwrap().to_owned(), field(&lines[0], "DPT").unwrap().to_owned());
            let own: Lines =
                lines.iter().filter(|line| field(line, "SPT") == Some(&key.0) && field(line, "DPT") == Some(&key.1)).cloned().collect();
            moments(&own)
        };
        assert_eq!(of_first(&slowed), of_first(&real));
        assert!(of_first(&real).len() >= 4);
    }

    #[test]
    fn options_are_what_a_plain_rule_does_not_log() {
        for capture in ["syn", "v6-syn", "ping-types", "udp", "more/ipopts"] {
            for line in without_options(&recorded(capture)) {
                assert!(!line.contains("OPT (") && !line.contains(" ACK="), "{line}");
                assert!(!line.contains(" SEQ=") || line.contains("PROTO=ICMP TYPE=8 "), "{line}");
            }
        }
        // Field by field the same shape as what iptables without options wrote.
        let shape = |line: &String| line.split(' ').map(|word| word.split('=').next().unwrap().to_owned()).skip(1).collect::<Vec<_>>();
        assert_eq!(shape(&without_options(&recorded("syn.iptables"))[0]), shape(&recorded("syn.iptables-plain")[0]));
    }

    #[test]
    fn a_full_bucket_lets_ten_through_and_then_three_a_minute() {
        let every_second: Lines = (0..120).map(|n| format!("4,{n},{},-;DROP IN=eth0 OUT= SRC=192.0.2.1 ", n * 1_000_000)).collect();
        let kept = limited(&every_second);
        assert_eq!(moments(&kept).len(), 10 + 5, "{kept:?}");
        assert_eq!(sent_by(&kept[..1], "10.0.0.1"), ["4,0,0,-;DROP IN=eth0 OUT= SRC=10.0.0.1 "]);
    }
}
