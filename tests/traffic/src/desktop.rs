//! A week on the network of a home or an office, in which nothing is aimed at anybody.
//!
//! By the descriptions of the protocols, by what programs of that kind are seen to send, and by what people report of their
//! logs. Every packet is one that a usual firewall refuses and logs.

use crate::{
    DAY, MINUTE, Random, SECOND,
    diary::{Diary, History},
    v4, v6,
};
use firebell_engine::packet::TcpFlags;
use std::net::IpAddr;

/// The whole of it, for seven days.
pub const WEEK: History = History { day, days: 7 };

/// One part of a day.
pub type Part = fn(&mut Diary, u64, u64, &mut Random);

/// The parts of a day, by what sends them.
pub const PARTS: [(&str, Part); 11] = [
    ("IGMP and MLD, every 125 s", groups),
    ("mDNS, SSDP, WS-Discovery, LLMNR, NetBIOS, DHCP", chatter),
    ("Steam, Spotify, Dropbox, Syncthing, KDE Connect and other games and players", programs),
    ("IPv6 neighbour discovery", neighbour_discovery),
    ("answers to searches of our own", answers_to_searches),
    ("late FIN, RST and data of 200 CDN hosts, late DNS, QUIC, NTP, calls", late),
    ("a neighbour that searches for a printer, seven SYNs a port", printer_search),
    ("a neighbour that looks for what WS-Discovery promised", windows_neighbour),
    ("an uptime monitor", monitor),
    ("a P2P port after its client has ended, 2,000 peers", swarm),
    ("a container that may not go out", container),
];

const ACK: u8 = TcpFlags::ACK;
const FIN: u8 = TcpFlags::FIN;
const RST: u8 = TcpFlags::RST;
const PSH: u8 = TcpFlags::PSH;
const SYN: u8 = TcpFlags::SYN;

const US: IpAddr = lan(10);
const US6: IpAddr = v6(0x2001_0db8_0001_0002, 10);
const ROUTER: u8 = 1;
const PRINTER: u8 = 30;
const LAPTOP: u8 = 50;
const MONITOR: u8 = 5;
const DEVICES: [u8; 9] = [ROUTER, 20, PRINTER, 40, LAPTOP, 60, 70, 71, 72];
const EVERYBODY: IpAddr = lan(255);
const ANYBODY: IpAddr = v4(255, 255, 255, 255);
const MDNS: IpAddr = v4(224, 0, 0, 251);
const MDNS6: IpAddr = v6(0xff02 << 48, 0xfb);
const LLMNR: IpAddr = v4(224, 0, 0, 252);
const SSDP: IpAddr = v4(239, 255, 255, 250);

const fn lan(n: u8) -> IpAddr {
    v4(192, 168, 1, n)
}

/// The link-local address of a device.
fn link(n: u8) -> IpAddr {
    v6(0xfe80 << 48, u64::from(n))
}

/// The times of what happens every so often on a day.
fn every(from: u64, gap: u64) -> impl Iterator<Item = u64> {
    (0..DAY / gap).map(move |n| from + n * gap)
}

fn day(diary: &mut Diary, from: u64, day: u64, random: &mut Random) {
    for (_, part) in PARTS {
        part(diary, from, day, random);
    }
}

/// Queries every 125 s, and the answers of all (RFC 3376, RFC 3810).
fn groups(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    for at in every(from, 125 * SECOND) {
        diary.igmp(at, lan(ROUTER), v4(224, 0, 0, 1));
        diary.icmp(at, link(ROUTER), v6(0xff02 << 48, 1), 130);
        for device in DEVICES {
            let group = random.pick(&[MDNS, SSDP, v4(224, 0, 0, 22)]);
            diary.igmp(at + random.below(10 * SECOND), lan(device), group);
            diary.icmp(at + random.below(10 * SECOND), link(device), v6(0xff02 << 48, 0x16), 143);
        }
    }
}

/// What every device says to all the others, in bursts.
fn chatter(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    for device in DEVICES {
        let host = lan(device);
        for _ in 0..150 {
            let at = from + random.below(DAY);
            for n in 0..1 + random.below(6) {
                let at = at + n * 250_000;
                diary.udp(at, (host, 5353), (MDNS, 5353));
                diary.udp(at + 1000, (link(device), 5353), (MDNS6, 5353));
                diary.udp(at + 2000, (host, random.ephemeral()), (SSDP, random.pick(&[1900, 3702])));
                diary.udp(at + 3000, (host, random.ephemeral()), (LLMNR, 5355));
            }
            for port in [137, 138] {
                diary.udp(at + random.below(MINUTE), (host, port), (EVERYBODY, port));
            }
            diary.udp(at, (host, 137), (US, 137));
            diary.udp(at, (v4(0, 0, 0, 0), 68), (ANYBODY, 67));
            diary.udp(at, (lan(ROUTER), 67), (US, 68));
            diary.udp(at, (lan(ROUTER), 67), (ANYBODY, 68));
        }
    }
}

/// Programs that look for their like: Dropbox (17500), Spotify (57621), Steam (27036), KDE Connect (1716), Syncthing (21027),
/// Tuya (6667), LIFX (56700), Plex (32412, 32414), MikroTik (5678), Ubiquiti (10001).
fn programs(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    for device in DEVICES {
        let host = lan(device);
        for at in every(from + random.below(30 * SECOND), 10 * MINUTE) {
            for port in [17_500, 57_621, 27_036, 1716, 21_027, 6667, 56_700, 32_412, 32_414, 5678, 10_001] {
                diary.udp(at + random.below(MINUTE), (host, port), (random.pick(&[EVERYBODY, ANYBODY]), port));
            }
        }
    }
    // Steam's remote play asks each machine that it has found; its game servers go on for a while when a game has ended.
    for _ in 0..20 {
        let (at, port) = (from + random.below(DAY), random.ephemeral());
        diary.udp(at, (lan(20), 27_036), (US, 27_036));
        let server = v4(155, 133, 226, u8::try_from(random.below(250)).unwrap_or_default());
        for n in 0..30 {
            diary.udp(at + n * 50_000, (server, random.pick(&[27_015, 27_030])), (US, port));
        }
    }
    // A Spotify and a Chromecast player that are told of this machine, and try it.
    for _ in 0..10 {
        let at = from + random.below(DAY);
        for after in [0, 1, 3, 7] {
            diary.stack(at + after * SECOND, (lan(70), 40_100), (US, 57_621), SYN);
            diary.stack(at + after * SECOND, (lan(71), 40_200), (US, 8009), SYN);
        }
    }
}

/// Who has this address? I have. (RFC 4861)
fn neighbour_discovery(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    for device in DEVICES {
        for at in every(from, 40 * SECOND) {
            diary.icmp(at + random.below(SECOND), link(device), v6(0xff02 << 48, 1 << 32 | 0xff00_0010), 135);
            diary.icmp(at + random.below(SECOND), link(device), US6, random.pick(&[135, 136]));
        }
    }
    for at in every(from, 200 * SECOND) {
        diary.icmp(at, link(ROUTER), v6(0xff02 << 48, 1), 134);
        diary.icmp(at + random.below(SECOND), link(LAPTOP), v6(0xff02 << 48, 2), 133);
    }
}

/// Answers to searches of our own, which a firewall cannot tell from probes: the search went to everybody, the answer comes
/// from one device to the port that searched, a new one each time.
fn answers_to_searches(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    for at in every(from, 2 * MINUTE) {
        let port = random.ephemeral();
        for device in [ROUTER, 20, 40, 70] {
            for n in 0..3 {
                diary.udp(at + n * SECOND + random.below(SECOND), (lan(device), 1900), (US, port));
            }
        }
    }
    for _ in 0..40 {
        let (at, port) = (from + random.below(DAY), random.ephemeral());
        // Printer and scanner search: WS-Discovery, SNMP, mDNS, Canon BJNP, Epson ENPC; NetBIOS names.
        for service in [3702, 161, 5353, 8612, 3289, 137] {
            diary.udp(at + random.below(5 * SECOND), (lan(PRINTER), service), (US, port.wrapping_add(service)));
        }
    }
}

/// The tails of connections that the firewall has forgotten.
fn late(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    for cdn in 0..200_u8 {
        let (server, client) =
            if cdn % 4 == 0 { (v6(0x2606_4700_0000_0000 + u64::from(cdn), 0x6810_0001), US6) } else { (v4(104, 16, cdn, 7), US) };
        for _ in 0..10 {
            let at = from + random.below(DAY);
            // A page was closed: a handful of connections end within seconds.
            for _ in 0..1 + random.below(6) {
                let port = random.ephemeral();
                let mut at = at + random.below(3 * SECOND);
                for flags in [ACK | FIN, ACK | PSH, ACK | FIN, RST, ACK | RST] {
                    diary.stack(at, (server, 443), (client, port), flags);
                    at += 300_000;
                }
            }
            // QUIC does not say goodbye (RFC 9000): a few packets more.
            let port = random.ephemeral();
            for n in 0..random.below(4) {
                diary.udp(at + n * 100_000, (server, 443), (client, port));
            }
        }
    }
    for resolver in [lan(ROUTER), v4(9, 9, 9, 9), v4(1, 1, 1, 1)] {
        for _ in 0..40 {
            let at = from + random.below(DAY);
            for _ in 0..1 + random.below(8) {
                diary.udp(at + random.below(2 * SECOND), (resolver, 53), (US, random.ephemeral()));
            }
        }
    }
    for at in every(from, 34 * MINUTE) {
        diary.udp(at, (v4(162, 159, 200, 1), 123), (US, random.ephemeral()));
    }
    for _ in 0..30 {
        // A call has ended; its relay goes on for a moment. The next call comes from another port of ours.
        let (at, port, relay) = (from + random.below(DAY), random.ephemeral(), v4(142, 250, 82, 3));
        for n in 0..50 {
            diary.udp(at + n * 20_000, (relay, random.pick(&[3478, 19_305])), (US, port));
        }
    }
}

/// Five ports of a print server, each seven times: nobody answers (Linux, `tcp_syn_retries` 6).
fn printer_search(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    for _ in 0..12 {
        let (at, mut sport) = (from + random.below(DAY), 50_000);
        for port in [9100, 631, 515, 445, 139] {
            sport += 1;
            for after in [0, 1, 3, 7, 15, 31, 63] {
                diary.stack(at + after * SECOND, (lan(LAPTOP), sport), (US, port), SYN);
            }
        }
    }
}

/// Windows asks for the description of a device that it has heard of (5357), and for its shares (445).
fn windows_neighbour(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    for _ in 0..30 {
        let (at, sport) = (from + random.below(DAY), random.port(49_152, 16_000));
        for (port, host) in [(5357, 20), (445, 20), (5357, 60)] {
            for after in [0, 1, 3] {
                diary.stack(at + after * SECOND, (lan(host), sport), (US, port), SYN);
            }
        }
    }
}

fn monitor(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    for at in every(from, MINUTE) {
        diary.icmp(at, lan(MONITOR), US, 8);
        diary.stack(at + 1000, (lan(MONITOR), random.ephemeral()), (US, 443), SYN);
        diary.stack(at + 2000, (lan(MONITOR), random.ephemeral()), (US, 22), SYN);
    }
}

/// The client has ended; the swarm has not noticed.
fn swarm(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    let begin = from + random.below(DAY / 2);
    for _ in 0..2_000 {
        let (peer, sport) = (random.internet(), random.ephemeral());
        let at = begin + random.below(30 * MINUTE) * random.below(100) / 100;
        for retry in 0..1 + random.below(4) {
            diary.udp(at + retry * 3 * SECOND, (peer, sport), (US, 51_413));
            if retry > 0 {
                diary.stack(at + retry * 3 * SECOND + 7, (peer, sport), (US, 51_413), SYN);
            }
        }
    }
}

/// A firewall that refuses what Docker forwards.
fn container(diary: &mut Diary, from: u64, _: u64, random: &mut Random) {
    let guest = v4(172, 17, 0, 2);
    for _ in 0..60 {
        let at = from + random.below(DAY);
        for _ in 0..12 {
            let (server, sport) = (random.internet(), random.ephemeral());
            let port = random.pick(&[443, 443, 443, 80, 53, 123]);
            for retry in 0..3 {
                diary.container(at + retry * SECOND + random.below(20 * SECOND), (guest, sport), (server, port), matches!(port, 53 | 123));
            }
        }
    }
}
