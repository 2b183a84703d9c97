//! Which operating system the sender's TCP looks like.
//!
//! The order of the options in a SYN is each system's own, and hardly anybody changes it. They are seen only where the
//! firewall logs TCP options. Source: the SYN signatures that p0f 3 and nmap's OS database agree on, and captures.
//!
//! | system | options in order |
//! |---|---|
//! | Linux, Android | MSS, SACK permitted, timestamps, NOP, window scale |
//! | Windows | MSS, NOP, window scale, NOP, NOP, SACK permitted |
//! | macOS, iOS | MSS, NOP, window scale, NOP, NOP, timestamps, SACK permitted, end |
//! | FreeBSD | MSS, NOP, window scale, SACK permitted, timestamps |
//!
//! It misses scanners that write their packets themselves, and says nothing of them.

use crate::packet::{Packet, TcpFlags};

const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const SCALE: u8 = 3;
const SACK: u8 = 4;
const STAMPS: u8 = 8;
/// More options than any of these has.
const MAX: usize = 10;

/// Every system that is told.
pub(crate) const NAMES: [&str; 4] = ["Linux", "Windows", "macOS", "FreeBSD"];

/// The system whose TCP writes such a SYN.
#[inline(never)]
pub(crate) fn guess(packet: &Packet<'_>) -> Option<&'static str> {
    let header = &packet.header;
    if header.flags.is_none_or(|flags| flags.bits() & !(TcpFlags::ECE | TcpFlags::CWR) != TcpFlags::SYN) {
        return None;
    }
    let hops_below = |first: u8| header.ttl.or(header.hop_limit).is_some_and(|ttl| ttl <= first && ttl > first - 40);
    let (kinds, len) = kinds(header.tcp_opt.groups().next()?)?;
    match kinds.get(..len)? {
        [MSS, SACK, STAMPS, NOP, SCALE] if hops_below(64) => Some("Linux"),
        [MSS, NOP, SCALE, NOP, NOP, SACK] if hops_below(128) => Some("Windows"),
        [MSS, NOP, SCALE, NOP, NOP, STAMPS, SACK, END] if hops_below(64) => Some("macOS"),
        [MSS, NOP, SCALE, SACK, STAMPS] if hops_below(64) => Some("FreeBSD"),
        _ => None,
    }
}

/// The kinds of the options in `hex`, up to the end of the list.
fn kinds(hex: &[u8]) -> Option<([u8; MAX], usize)> {
    let byte = |at: usize| {
        let digits = std::str::from_utf8(hex.get(at * 2..at * 2 + 2)?).ok()?;
        u8::from_str_radix(digits, 16).ok()
    };
    let (mut kinds, mut len, mut at) = ([0; MAX], 0, 0);
    while at * 2 < hex.len() {
        let kind = byte(at)?;
        *kinds.get_mut(len)? = kind;
        len += 1;
        match kind {
            END => break,
            NOP => at += 1,
            // RFC 9293, 3.1: kind, length of the whole option, data.
            _ => at += usize::from(byte(at + 1)?.max(2)),
        }
    }
    Some((kinds, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn of(options: &str, ttl: u8) -> Option<&'static str> {
        let line = format!(
            "DROP IN=eth0 OUT= SRC=203.0.113.9 DST=198.51.100.10 LEN=60 TOS=0x00 PREC=0x00 TTL={ttl} ID=1 DF PROTO=TCP SPT=40000 DPT=22 SEQ=1 ACK=0 \
             WINDOW=64240 RES=0x00 SYN URGP=0 OPT ({options}) "
        );
        guess(&parse(line.as_bytes()).unwrap())
    }

    #[test]
    fn systems_are_told_by_the_order_of_their_options() {
        assert_eq!(of("020405B40402080ADB5F5D27000000000103030A", 52), Some("Linux"));
        assert_eq!(of("020405B40103030801010402", 113), Some("Windows"));
        assert_eq!(of("020405B4010303060101080A0001E2400000000004020000", 55), Some("macOS"));
        assert_eq!(of("020405B40103030604 02080A0001E24000000000".replace(' ', "").as_str(), 60), Some("FreeBSD"));
    }

    #[test]
    fn what_a_scanner_writes_is_nobodys() {
        assert_eq!(of("020405B4", 52), None);
        assert_eq!(of("020405B40402080ADB5F5D27000000000103030A", 120), None);
        for hostile in ["", "0", "02", "0200", "FFFF", "020405B4FF", "zz", "0101010101010101010101010101"] {
            assert_eq!(of(hostile, 52), None, "{hostile}");
        }
    }
}
