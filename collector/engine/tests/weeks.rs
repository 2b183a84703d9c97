//! Nothing is aimed at the host, for a week or a month, and it stays quiet.
//!
//! Each history is made up from a seed: what ordinary networks send all day, by the descriptions of the protocols and by what
//! people report of their logs. Optimised builds go through the whole time, others through a part of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod traffic;

use firebell_engine::{
    engine::{Config, Engine},
    finding::Finding,
    packet::{Packet, TcpFlags},
    tick::Tick,
};
use std::net::IpAddr;
use traffic::{DAY, Diary, Random, SECOND, START, forwarded, icmp, igmp, popups, stack_tcp, syn, tcp, udp, v4, v6};

const DAYS: u64 = if cfg!(debug_assertions) { 1 } else { 7 };
const MONTH: u64 = if cfg!(debug_assertions) { 2 } else { 30 };
const MINUTE: u64 = 60 * SECOND;
const ACK: u8 = TcpFlags::ACK;
const FIN: u8 = TcpFlags::FIN;
const RST: u8 = TcpFlags::RST;
const PSH: u8 = TcpFlags::PSH;

fn lan(n: u8) -> IpAddr {
    v4(192, 168, 1, n)
}

fn us() -> IpAddr {
    lan(10)
}

const ROUTER: u8 = 1;
const PRINTER: u8 = 30;
const LAPTOP: u8 = 50;
const MONITOR: u8 = 5;
const DEVICES: [u8; 9] = [ROUTER, 20, PRINTER, 40, LAPTOP, 60, 70, 71, 72];

/// The times of what happens every so often on a day.
fn every(from: u64, gap: u64) -> impl Iterator<Item = u64> {
    (0..DAY / gap).map(move |n| from + n * gap)
}

/// Multicast and broadcast of a home or an office: what every device says all day.
fn chatter(diary: &mut Diary, from: u64, random: &mut Random) {
    for at in every(from, 125 * SECOND) {
        diary.note(at, igmp(lan(ROUTER), v4(224, 0, 0, 1)));
        for device in DEVICES {
            let group = random.pick(&[v4(224, 0, 0, 251), v4(239, 255, 255, 250), v4(224, 0, 0, 22)]);
            diary.note(at + random.below(10 * SECOND), igmp(lan(device), group));
        }
    }
    for device in DEVICES {
        for _ in 0..150 {
            let at = from + random.below(DAY);
            let burst = 1 + random.below(6);
            for n in 0..burst {
                let at = at + n * 250_000;
                diary.note(at, udp(lan(device), 5353, v4(224, 0, 0, 251), 5353));
                diary.note(at + 1000, udp(v6(0xfe80 << 48, u64::from(device)), 5353, v6(0xff02 << 48, 0xfb), 5353));
                diary.note(at + 2000, udp(lan(device), random.ephemeral(), v4(239, 255, 255, 250), random.pick(&[1900, 3702])));
                diary.note(at + 3000, udp(lan(device), random.ephemeral(), v4(224, 0, 0, 252), 5355));
            }
            for port in [137, 138, 17_500, 57_621, 27_036, 1716, 21_027, 6667, 56_700] {
                diary.note(at + random.below(MINUTE), udp(lan(device), port, lan(255), port));
                diary.note(at + random.below(MINUTE), udp(lan(device), port, v4(255, 255, 255, 255), port));
            }
            diary.note(at, udp(lan(device), 137, us(), 137));
            diary.note(at, udp(v4(0, 0, 0, 0), 68, v4(255, 255, 255, 255), 67));
            diary.note(at, udp(lan(ROUTER), 67, us(), 68));
        }
        let neighbour = v6(0xfe80 << 48, u64::from(device));
        for at in every(from, 40 * SECOND) {
            diary.note(at + random.below(SECOND), icmp(neighbour, v6(0xff02 << 48, 1 << 32 | 0xff00_0010), 135));
            diary.note(at + random.below(SECOND), icmp(neighbour, v6(0x2001_0db8_0001_0002, 10), random.pick(&[135, 136])));
        }
        diary.note(from, icmp(neighbour, v6(0xff02 << 48, 0x16), 143));
    }
}

/// Answers to searches of our own, which a firewall cannot tell from probes: the search went to everybody, the answer comes
/// from one device to the port that searched, a new one each time.
fn answers_to_searches(diary: &mut Diary, from: u64, random: &mut Random) {
    for at in every(from, 2 * MINUTE) {
        let port = random.ephemeral();
        for device in [ROUTER, 20, 40, 70] {
            for n in 0..3 {
                diary.note(at + n * SECOND + random.below(SECOND), udp(lan(device), 1900, us(), port));
            }
        }
    }
    for _ in 0..40 {
        let (at, port) = (from + random.below(DAY), random.ephemeral());
        // Printer and scanner search: WS-Discovery, SNMP, mDNS, Canon BJNP, Epson ENPC; NetBIOS names.
        for service in [3702, 161, 5353, 8612, 3289, 137] {
            diary.note(at + random.below(5 * SECOND), udp(lan(PRINTER), service, us(), port.wrapping_add(service)));
        }
    }
}

/// The tails of connections that the firewall has forgotten.
fn late(diary: &mut Diary, from: u64, random: &mut Random) {
    for cdn in 0..200_u64 {
        let server = if cdn % 4 == 0 { v6(0x2606_4700_0000_0000 + cdn, 0x6810_0001) } else { v4(104, 16, u8::try_from(cdn).unwrap(), 7) };
        for _ in 0..10 {
            let at = from + random.below(DAY);
            // A page was closed: a handful of connections end within seconds.
            for _ in 0..1 + random.below(6) {
                let port = random.ephemeral();
                let at = at + random.below(3 * SECOND);
                let client = if server.is_ipv6() { v6(0x2001_0db8_0001_0002, 10) } else { us() };
                for (n, flags) in [ACK | FIN, ACK | PSH, ACK | FIN, RST, ACK | RST].into_iter().enumerate() {
                    diary.note(at + n as u64 * 300_000, stack_tcp(server, 443, client, port, flags));
                }
            }
        }
    }
    for resolver in [lan(ROUTER), v4(9, 9, 9, 9), v4(1, 1, 1, 1)] {
        for _ in 0..40 {
            let at = from + random.below(DAY);
            for _ in 0..1 + random.below(8) {
                diary.note(at + random.below(2 * SECOND), udp(resolver, 53, us(), random.ephemeral()));
            }
        }
    }
    for _ in 0..30 {
        // A call has ended; its relay goes on for a moment. The next call comes from another port of ours.
        let (at, port, relay) = (from + random.below(DAY), random.ephemeral(), v4(142, 250, 82, 3));
        for n in 0..50 {
            diary.note(at + n * 20_000, udp(relay, random.pick(&[3478, 19_305]), us(), port));
        }
    }
}

/// Devices that look for something which is not here.
fn neighbours(diary: &mut Diary, from: u64, random: &mut Random) {
    for _ in 0..12 {
        let at = from + random.below(DAY);
        for (n, port) in [9100, 631, 515, 445, 139].into_iter().enumerate() {
            for (retry, after) in [0, 1, 3, 7, 15, 31, 63].into_iter().enumerate() {
                let sport = 50_000 + u16::try_from(n).unwrap();
                diary.note(at + after * SECOND + retry as u64, stack_tcp(lan(LAPTOP), sport, us(), port, TcpFlags::SYN));
            }
        }
    }
    for at in every(from, MINUTE) {
        diary.note(at, icmp(lan(MONITOR), us(), 8));
        diary.note(at + 1000, stack_tcp(lan(MONITOR), random.ephemeral(), us(), 443, TcpFlags::SYN));
        diary.note(at + 2000, stack_tcp(lan(MONITOR), random.ephemeral(), us(), 22, TcpFlags::SYN));
    }
}

/// The client of a swarm has ended; the swarm has not noticed.
fn swarm(diary: &mut Diary, from: u64, random: &mut Random) {
    let begin = from + random.below(DAY / 2);
    for _ in 0..2_000 {
        let (peer, sport) = (random.internet(), random.ephemeral());
        let at = begin + random.below(30 * MINUTE) * random.below(100) / 100;
        for retry in 0..1 + random.below(4) {
            diary.note(at + retry * 3 * SECOND, udp(peer, sport, us(), 51_413));
            if retry > 0 {
                diary.note(at + retry * 3 * SECOND + 7, stack_tcp(peer, sport, us(), 51_413, TcpFlags::SYN));
            }
        }
    }
}

/// A container may not go out: a firewall that refuses what Docker forwards.
fn container(diary: &mut Diary, from: u64, random: &mut Random) {
    let guest = v4(172, 17, 0, 2);
    for _ in 0..60 {
        let at = from + random.below(DAY);
        for _ in 0..12 {
            let server = random.internet();
            let port = random.pick(&[443, 443, 443, 80, 53, 123]);
            let packet = if port < 200 && port != 80 {
                udp(guest, random.ephemeral(), server, port)
            } else {
                stack_tcp(guest, random.ephemeral(), server, port, TcpFlags::SYN)
            };
            for retry in 0..3 {
                diary.note(at + retry * SECOND + random.below(20 * SECOND), forwarded(packet));
            }
        }
    }
}

fn judge(days: u64, seed: u64, sorts: &[fn(&mut Diary, u64, &mut Random)]) -> Vec<Finding> {
    let mut engine = Engine::new(Config::default(), [7; 16]);
    let mut random = Random(seed);
    let mut said = Vec::new();
    for day in 0..days {
        let mut diary = Diary::default();
        for sort in sorts {
            sort(&mut diary, START + day * DAY, &mut random);
        }
        diary.tell(&mut engine, &mut said);
        engine.check_invariants().unwrap();
    }
    engine.advance(Tick::from_micros(START + days * DAY));
    said.extend(std::iter::from_fn(|| engine.next_finding()));
    said
}

fn summaries(findings: &[&Finding]) -> String {
    findings
        .iter()
        .map(|finding| format!("{} {:?} {}: {} {}\n", finding.severity, finding.kind, finding.at.as_secs(), finding.summary, finding.why))
        .collect()
}

#[test]
fn a_quiet_week_on_a_desktop_brings_no_popup() {
    for (name, sort) in [
        ("chatter", chatter as fn(&mut Diary, u64, &mut Random)),
        ("answers to searches", answers_to_searches),
        ("late", late),
        ("neighbours", neighbours),
        ("swarm", swarm),
        ("container", container),
    ] {
        let said = judge(DAYS.min(3), 1, &[sort]);
        assert!(popups(&said).is_empty(), "{name}:\n{}", summaries(&popups(&said)[..popups(&said).len().min(10)]));
    }
    let said = judge(DAYS, 2, &[chatter, answers_to_searches, late, neighbours, swarm, container]);
    assert!(popups(&said).is_empty(), "{}", summaries(&popups(&said)));
}

/// The popular part of what the Internet asks.
const ASKED: [u16; 24] =
    [22, 23, 25, 53, 80, 81, 110, 139, 443, 445, 1433, 2222, 2323, 3306, 3389, 5060, 5432, 5555, 5900, 6379, 7547, 8080, 8443, 37_215];

fn port(random: &mut Random) -> u16 {
    if random.below(2) == 0 { random.pick(&ASKED) } else { u16::try_from(1 + random.below(65_535)).unwrap() }
}

/// Sources that zmap sends for: a port, and never again.
fn zmap(random: &mut Random) -> Vec<(u64, Packet<'static>)> {
    let mut packet = syn(random.internet(), random.ephemeral(), host(), port(random));
    packet.header.id = Some(54_321);
    packet.header.window = Some(65_535);
    vec![(0, packet)]
}

/// Sources that look at a port or three, as masscan does for its users.
fn masscan(random: &mut Random) -> Vec<(u64, Packet<'static>)> {
    let (source, sport) = (random.internet(), random.ephemeral());
    (0..1 + random.below(3)).map(|_| (random.below(600 * SECOND), syn(source, sport, host(), port(random)))).collect()
}

/// Machines that have been taken over, and knock where others can be: the same two ports, three times each.
fn bot(random: &mut Random) -> Vec<(u64, Packet<'static>)> {
    let (source, sport) = (random.internet(), random.ephemeral());
    let ports = random.pick(&[[23, 2323], [445, 139], [5555, 5555], [22, 2222], [3389, 3389], [37_215, 52_869]]);
    let probe = |port, after| (after * SECOND, stack_tcp(source, sport, host(), port, TcpFlags::SYN));
    ports.into_iter().flat_map(|port| [0, 1, 3].map(|after| probe(port, after))).collect()
}

/// Odds and ends: answers to forged packets, pings, DNS and SIP probes, a broken middlebox.
fn other(random: &mut Random) -> Vec<(u64, Packet<'static>)> {
    let (source, sport) = (random.internet(), random.ephemeral());
    match random.below(100) {
        0..40 => vec![(0, tcp(source, random.pick(&[80, 443, 22]), host(), sport, random.pick(&[ACK | TcpFlags::SYN, RST, ACK | RST])))],
        40..60 => vec![(0, icmp(source, host(), random.pick(&[8, 8, 8, 13, 3, 11])))],
        60..99 => vec![(0, udp(source, sport, host(), random.pick(&[53, 123, 161, 389, 1900, 5060, 11_211, 3702])))],
        _ => vec![(0, tcp(source, sport, host(), port(random), random.pick(&[0, FIN, TcpFlags::SYN | FIN])))],
    }
}

fn host() -> IpAddr {
    v4(198, 51, 100, 10)
}

/// Scanners of research: 200 addresses in a few networks, a handful of ports each, every day.
fn research(diary: &mut Diary, from: u64, random: &mut Random) {
    for scanner in 0..200_u8 {
        let source = v4(162, 142, 119 + scanner / 50, scanner);
        for _ in 0..1 + random.below(6) {
            diary.note(from + random.below(DAY), syn(source, random.ephemeral(), host(), port(random)));
        }
    }
}

#[test]
fn an_exposed_host_brings_at_most_one_popup_a_day() {
    let mut engine = Engine::new(Config::default(), [7; 16]);
    let (mut random, mut said) = (Random(3), Vec::new());
    for day in 0..MONTH {
        let from = START + day * DAY;
        let mut diary = Diary::default();
        research(&mut diary, from, &mut random);
        // From 0.1 packets a second on a calm day to 1 on a busy one.
        let mut at = from;
        let rate = 100 + 900 * (day * 7 % 30) / 30;
        while at < from + DAY {
            let source = match random.below(10) {
                0..=3 => zmap,
                4..=6 => masscan,
                7 => bot,
                _ => other,
            };
            let probes = source(&mut random);
            at += probes.len() as u64 * 2 * random.below(1_000 * SECOND / rate);
            for (after, probe) in probes {
                diary.note(at + after, probe);
            }
        }
        diary.tell(&mut engine, &mut said);
        engine.check_invariants().unwrap();
    }
    let popups = popups(&said);
    for day in 0..MONTH {
        let of_day = |finding: &&&Finding| (finding.at.as_micros() - START) / DAY == day;
        let of_day: Vec<_> = popups.iter().filter(of_day).copied().collect();
        assert!(of_day.len() <= 1, "day {day}:\n{}", summaries(&of_day));
    }
    // The history is not quiet for want of packets.
    assert!(engine.status().classes.iter().sum::<u64>() > MONTH * 5_000);
}
