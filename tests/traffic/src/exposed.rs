//! A month of a host on the Internet: what is sent to every address there is, and to none in particular.
//!
//! The shares of the packets are those that telescopes publish:
//!
//! - ZMap's mark is on more than a third of all scan traffic (Durumeric and others, *Ten Years of ZMap*, IMC 2024,
//!   arXiv:2406.15585), in two months of 2023 and 2024 on about 40 %.
//! - 40 known organisations, which are half a percent of the sources, send half of the packets, over the whole range of
//!   ports; Mirai sends 1 to 1.5 % (*The Good, the Bad, and the Scanned*, TU Delft, telescope of 2023 and 2024).
//! - The rest is masscan and its like, botnets that look for telnet, SMB and Android debugging (23, 445, 5555), broken
//!   machines, and backscatter of floods elsewhere.

use crate::{
    DAY, Random, SECOND,
    diary::{Diary, History},
    v4,
};
use firebell_engine::packet::TcpFlags;
use std::net::IpAddr;

/// Thirty days, from a calm one to a busy one.
pub const MONTH: History = History { day, days: 30 };

const HOST: IpAddr = v4(198, 51, 100, 10);
const ACK: u8 = TcpFlags::ACK;
const FIN: u8 = TcpFlags::FIN;
const RST: u8 = TcpFlags::RST;
const SYN: u8 = TcpFlags::SYN;

/// The popular part of what the Internet asks.
const ASKED: [u16; 24] =
    [22, 23, 25, 53, 80, 81, 110, 139, 443, 445, 1433, 2222, 2323, 3306, 3389, 5060, 5432, 5555, 5900, 6379, 7547, 8080, 8443, 37_215];

/// Addresses from which known organisations scan, in eight networks of theirs: each comes back a few times a day.
const KNOWN: u64 = 800;
/// Packets of them on a calm day.
const KNOWN_PACKETS: u64 = 3_000;

fn port(random: &mut Random) -> u16 {
    if random.below(2) == 0 { random.pick(&ASKED) } else { random.port(1, u16::MAX - 1) }
}

/// The busiest day of it.
pub const BUSY_DAY: History = History { day: busy_day, days: 1 };

fn busy_day(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    day(diary, from, 7, random);
}

/// 6,000 packets on a calm day, ten times as many on the busiest.
fn day(diary: &mut Diary, from: u64, day: u64, random: &mut Random) {
    let busy = 1 + day * 7 % 10;
    for _ in 0..KNOWN_PACKETS * busy {
        known(diary, from + random.below(DAY), random);
    }
    let mut packets = 0;
    while packets < KNOWN_PACKETS * busy {
        let at = from + random.below(DAY);
        packets += match random.below(100) {
            0..20 => zmap(diary, at, random),
            20..55 => masscan(diary, at, random),
            55..58 => mirai(diary, at, random),
            58..75 => bot(diary, at, random),
            75..85 => backscatter(diary, at, random),
            _ => odds_and_ends(diary, at, random),
        };
    }
}

/// A port for research; two thirds of it by zmap.
fn known(diary: &mut Diary, at: u64, random: &mut Random) {
    let n = random.below(KNOWN);
    let network =
        [(71, 6, 135), (80, 82, 77), (162, 142, 125), (167, 94, 138), (167, 248, 133), (185, 142, 236), (198, 235, 24), (205, 210, 31)]
            .get(usize::try_from(n / 100).unwrap_or_default())
            .copied()
            .unwrap_or_default();
    let source = (v4(network.0, network.1, network.2, u8::try_from(n % 100).unwrap_or_default()), random.ephemeral());
    let to = (HOST, port(random));
    if n.is_multiple_of(3) { diary.masscan(at, source, to) } else { diary.zmap(at, source, to) }
}

/// A port, and never again.
fn zmap(diary: &mut Diary, at: u64, random: &mut Random) -> u64 {
    diary.zmap(at, (random.internet(), random.ephemeral()), (HOST, port(random)));
    1
}

/// A port or three, in random order over the whole Internet: the same host comes again after minutes.
fn masscan(diary: &mut Diary, at: u64, random: &mut Random) -> u64 {
    let source = (random.internet(), random.ephemeral());
    let probes = 1 + random.below(3);
    for _ in 0..probes {
        diary.masscan(at + random.below(600 * SECOND), source, (HOST, port(random)));
    }
    probes
}

/// Telnet, nine times of ten at its own port.
fn mirai(diary: &mut Diary, at: u64, random: &mut Random) -> u64 {
    let source = (random.internet(), random.ephemeral());
    let probes = 1 + random.below(2);
    for n in 0..probes {
        diary.mirai(at + n * SECOND, source, (HOST, if random.below(10) == 0 { 2323 } else { 23 }));
    }
    probes
}

/// Machines that have been taken over, and knock where others can be: the same two ports, three times each.
fn bot(diary: &mut Diary, at: u64, random: &mut Random) -> u64 {
    let source = (random.internet(), random.ephemeral());
    let ports = random.pick(&[[23, 2323], [445, 139], [5555, 5555], [22, 2222], [3389, 3389], [37_215, 52_869]]);
    for port in ports {
        for after in [0, 1, 3] {
            diary.stack(at + after * SECOND, source, (HOST, port), SYN);
        }
    }
    6
}

/// Somebody is flooded in our name, among a million others.
fn backscatter(diary: &mut Diary, at: u64, random: &mut Random) -> u64 {
    let victim = (random.internet(), random.pick(&[80, 443, 22, 53]));
    let answers = 1 + random.below(3);
    for n in 0..answers {
        let flags = random.pick(&[ACK | SYN, ACK | SYN, RST, ACK | RST]);
        diary.raw(at + n * 60 * SECOND, victim, (HOST, random.port(1024, 60_000)), flags);
    }
    answers
}

/// Pings, amplifiers wanted, SIP, a broken middlebox.
fn odds_and_ends(diary: &mut Diary, at: u64, random: &mut Random) -> u64 {
    let source = (random.internet(), random.ephemeral());
    match random.below(100) {
        0..25 => diary.icmp(at, source.0, HOST, random.pick(&[8, 8, 8, 13, 3, 11])),
        25..98 => diary.udp(at, source, (HOST, random.pick(&[53, 123, 161, 389, 1900, 5060, 11_211, 3702]))),
        _ => diary.raw(at, source, (HOST, port(random)), random.pick(&[0, FIN, SYN | FIN])),
    }
    1
}
