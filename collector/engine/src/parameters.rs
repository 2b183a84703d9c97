//! What can be set about each detector, with the defaults and their reasons. The detectors say what each number is for.

use crate::config::Config;
use std::{ops::RangeInclusive, time::Duration};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

/// A struct whose fields have their defaults beside them.
macro_rules! parameters {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    )* };
}

parameters! {
    /// One table for each detector.
    Detect {
        /// D2, D6
        fast_scan: FastScan = FastScan::default(),
        /// D3
        slow_scan: SlowScan = SlowScan::default(),
        /// D4
        illegal_flags: IllegalFlags = IllegalFlags::default(),
        /// D5
        reply_scan: ReplyScan = ReplyScan::default(),
        /// D8, D9
        sweep: Sweep = Sweep::default(),
        /// D10
        decoys: Decoys = Decoys::default(),
        /// D10
        distributed: Distributed = Distributed::default(),
        /// D11
        flood: Flood = Flood::default(),
        /// D12
        backscatter: Backscatter = Backscatter::default(),
        /// D13
        insistent_tries: InsistentTries = InsistentTries::default(),
        /// D9, D15
        tools: Tools = Tools::default(),
        /// D16
        roll_up: RollUp = RollUp::default(),
        /// D17
        egress: Egress = Egress::default(),
        /// D18
        visibility: Visibility = Visibility::default(),
        /// As psad counts.
        packet_count: PacketCount = PacketCount::default(),
    }

    /// Many new contacts in quick succession (D2, D6).
    FastScan {
        /// Judge by it.
        enabled: bool = true,
        /// Time in which suspicion halves. 10 minutes: a T2 scan (0.4 s a port) loses nothing, a person who mistypes an address is
        /// forgiven.
        half_life: Duration = seconds(10 * MINUTE),
        /// Weight of one failed first contact. ln 4 is the likelihood ratio of Threshold Random Walk with theta 0.8 / 0.2 (Jung, Paxson,
        /// Berger, Balakrishnan, IEEE S&P 2004).
        contact_weight: f64 = 4_f64.ln(),
        /// Suspicion at which a source is a scanner: ln(0.99 / 1e-4), the same paper's bound for a detection probability of 0.99 and one
        /// false alarm in 10,000. Seven fresh contacts reach it.
        threshold: f64 = (0.99_f64 / 1e-4).ln(),
        /// Weight of a contact with illegal flags, in contact weights: nobody sends them by mistake.
        illegal_weight: f64 = 2.0,
        /// Weight of a UDP contact, in contact weights: one packet proves less, anybody can send it in another's name.
        udp_weight: f64 = 0.75,
        /// Weight of an ICMP request, in contact weights: people ping.
        icmp_weight: f64 = 0.5,
        /// Weight of the same service on one more destination, from the Internet, as a part of the above: background radiation hits whole
        /// networks.
        sweep_weight: f64 = 0.12,
        /// So many times one more destination of a known service counts. Then four services, which is what host discovery asks, stay
        /// below the threshold however many addresses they are asked of: (4 + 0.12 x 20) w = 8.9 < 9.2.
        sweep_destinations: u32 = 20,
        /// Severity; breadth raises it from 3.
        severity: u8 = 3,
    }

    /// Many ports over hours (D3).
    SlowScan {
        /// Judge by it.
        enabled: bool = true,
        /// Distinct services of one address, or of several that are asked in turn, fewer than a third as many; 2 to 12. So many contacts are remembered exactly, and it is far beyond what a neighbour or a
        /// forgotten connection asks for in a day.
        ports: u32 = 12,
        /// In this time, at most 30 days.
        within: Duration = seconds(DAY),
        /// Severity for sources on the Internet, where such things are background.
        severity: u8 = 2,
        /// Severity for private and on-link sources.
        near_severity: u8 = 3,
    }

    /// TCP flags that no system sends (D4).
    IllegalFlags {
        /// Judge by it.
        enabled: bool = true,
        /// Packets on as many contacts that are a scan on their own. A single one may be a broken middlebox.
        packets: u32 = 2,
        /// Severity of so many.
        severity: u8 = 3,
        /// Severity of fewer.
        single_severity: u8 = 2,
    }

    /// Scans that look like replies (D5). Without it they are never found out.
    ReplyScan {
        /// Judge by it.
        enabled: bool = true,
        /// Distinct ports without the marks of real servers, which are PSH, DF, and over UDP a payload that can be an answer. 2 to 40.
        ports: u32 = 15,
        /// In this time.
        within: Duration = seconds(10),
        /// Distinct ports whatever the flags, 2 to 40: so many are remembered.
        any_ports: u32 = 40,
        /// In this time. What was found out stays so for as long.
        any_within: Duration = seconds(MINUTE),
    }

    /// The same few services on many of our addresses (D8, D9).
    Sweep {
        /// Judge by it. What a fast scan is called depends on the numbers even then.
        enabled: bool = true,
        /// Destinations.
        targets: u32 = 7,
        /// Services: nmap's host discovery asks four of each destination; more than that is a scan of several hosts.
        max_services: u32 = 4,
        /// Severity for sources on the Internet, where every host is swept all day.
        severity: u8 = 2,
        /// Severity for private and on-link sources: a worm inside.
        near_severity: u8 = 3,
        /// Services that every client asks of many addresses on the Internet, at most 64: names, time, web, mail, calls, chat and push
        /// messages. A guest of this machine that is not let out to them is no worm. Source: IANA's registry of service names.
        errand_ports: Vec<u16> = vec![53, 80, 123, 443, 465, 587, 853, 993, 3478, 5222, 5223, 5228, 8080, 8443],
    }

    /// The same probes from several addresses (D10).
    Decoys {
        /// Judge by it.
        enabled: bool = true,
        /// Probes in which the sources agree. One is a coincidence of 1 in 4 billion, two are none.
        probes: u32 = 2,
        /// Equal probes come within this time.
        within: Duration = seconds(1),
        /// A set is forgotten after this much quiet.
        forget: Duration = seconds(10 * MINUTE),
        /// Severity.
        severity: u8 = 3,
    }

    /// One scan shared between several sources (D10).
    Distributed {
        /// Judge by it.
        enabled: bool = true,
        /// So many distinct ports on one address, or fewer, are never one.
        ports: u32 = 20,
        /// And they are more than this many times the usual, which is learned.
        times_usual: u32 = 4,
        /// Sources, 2 to 64.
        sources: u32 = 3,
        /// In this time.
        within: Duration = seconds(10 * MINUTE),
        /// Distinct ports are at least this part of the pairs of source and port: who shares work asks nothing twice.
        distinct_part: f64 = 0.8,
        /// None of the sources asked more than this part of the pairs: a scanner among strangers is no team.
        largest_part: f64 = 0.5,
        /// At least this part of the pairs came by the same kind of packet. Also the part that comes from one network, where that is enough.
        alike_part: f64 = 0.8,
        /// Where at least this part of the pairs has source ports that count up across sources, it is one tool that forges them.
        in_step_part: f64 = 0.5,
        /// Severity.
        severity: u8 = 3,
    }

    /// Too many packets to one service (D11).
    Flood {
        /// Judge by it.
        enabled: bool = true,
        /// Packets a second above the mean that are nothing.
        allowance: u64 = 20,
        /// Packets above mean and allowance, in allowances, that are a flood.
        alarm: u64 = 10,
        /// Packets in the second of the alarm, in allowances: a sum of small excesses is a busy service.
        busy: u64 = 3,
        /// The mean is that of about this time.
        learn: Duration = seconds(10 * MINUTE),
        /// It is over after this much calm.
        calm: Duration = seconds(MINUTE),
        /// Severity; breadth raises it.
        severity: u8 = 4,
    }

    /// Answers to packets that somebody forged in our name (D12).
    Backscatter {
        /// Judge by it.
        enabled: bool = true,
        /// Answers from one port.
        answers: u32 = 20,
        /// In this time.
        within: Duration = seconds(10 * MINUTE),
        /// Severity.
        severity: u8 = 1,
    }

    /// One service, again and again (D13).
    InsistentTries {
        /// Judge by it.
        enabled: bool = true,
        /// Services at which people and worms knock: remote shells and desktops, file sharing, mail, databases, router and camera
        /// administration. Source: the port lists of published honeypot reports, and the services of IANA's registry.
        ports: Vec<RangeInclusive<u16>> = vec![
            21..=23, 25..=25, 110..=110, 139..=139, 143..=143, 389..=389, 445..=445, 465..=465, 587..=587, 873..=873, 993..=993, 995..=995,
            1433..=1433, 1521..=1521, 1723..=1723, 2222..=2222, 2323..=2323, 2375..=2376, 3306..=3306, 3389..=3389, 5038..=5038,
            5060..=5060, 5432..=5432, 5555..=5555, 5900..=5901, 5985..=5986, 6379..=6379, 7547..=7547, 8080..=8080, 8291..=8291,
            8443..=8443, 9200..=9200, 10_000..=10_000, 11_211..=11_211, 27_017..=27_017, 37_215..=37_215,
        ],
        /// Attempts.
        attempts: u32 = 10,
        /// In this time.
        within: Duration = seconds(10 * MINUTE),
        /// Or so many attempts.
        slow_attempts: u32 = 30,
        /// In this time.
        slow_within: Duration = seconds(DAY),
        /// Severity.
        severity: u8 = 2,
    }

    /// Packets that only scanners send (D15), and host discovery (D9). The marks that name a tool are facts about its code and no
    /// parameters.
    Tools {
        /// Judge by it.
        enabled: bool = true,
        /// Severity of probes that identify the operating system.
        os_severity: u8 = 4,
        /// Severity of asking in several ways at once whether a host is up, for sources on the Internet.
        discovery_severity: u8 = 2,
        /// The same for private and on-link sources.
        near_discovery_severity: u8 = 3,
    }

    /// Neighbours in one network are one incident (D16).
    RollUp {
        /// Do it.
        enabled: bool = true,
        /// Sources of one /24 or /48 with an incident each, at least 2.
        sources: u32 = 3,
    }

    /// This machine scans others (D17).
    Egress {
        /// Judge by it.
        enabled: bool = true,
        /// Ports by which worms spread, at most 16: SSH, telnet, SMB, remote desktop, Android debug bridge.
        worm_ports: Vec<u16> = vec![22, 23, 445, 3389, 5555],
        /// Destinations on one of them, at most 40: the count is an estimate from 64 marks.
        destinations: u32 = 10,
        /// Ports on one destination, at most 40.
        ports: u32 = 15,
        /// In this time.
        within: Duration = seconds(10 * MINUTE),
        /// Severity.
        severity: u8 = 5,
    }

    /// What the log does not show (D18).
    Visibility {
        /// Judge by it. Records that were lost are told even then.
        enabled: bool = true,
        /// Lines in a row, behind a first one, that keep in step with the limit.
        gaps: u32 = 15,
        /// The limit gives one line in this time. 3 a minute, as ufw has it.
        period: Duration = seconds(20),
        /// How far the lines may be apart from the step of a clock: the longest time between two packets, most of the time.
        slack: Duration = seconds(5),
        /// Distinct sources among the lines, at most 16: one device that calls every 20 s is no limit.
        sources: u32 = 4,
    }

    /// Severity by the number of packets, as psad's danger levels. For those who come from there: a packet that is sent again when
    /// nobody answers counts again.
    PacketCount {
        /// Judge by it.
        enabled: bool = false,
        /// Packets of one source from which its severity is 1, 2, 3, 4 and 5. Source: psad.conf `DANGER_LEVEL1` to `DANGER_LEVEL5`.
        levels: [u32; 5] = [5, 15, 150, 1_500, 10_000],
        /// Distinct services below which the severity is 1. Source: psad.conf `PORT_RANGE_SCAN_THRESHOLD`.
        ports: u32 = 2,
    }
}

/// A set of parameters to start from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// The defaults: what is aimed at this machine is a popup, once.
    #[default]
    Desktop,
    /// A host that the whole Internet probes all day: popups only for broad scans.
    Server,
    /// A host without users, where everything that comes is worth a look.
    Honeynet,
    /// Counts packets as psad does, and no more.
    Psad,
}

impl Preset {
    /// The parameters.
    #[must_use]
    pub fn config(self) -> Config {
        let mut config = Config::default();
        match self {
            Self::Desktop => {}
            Self::Server => server(&mut config),
            Self::Honeynet => honeynet(&mut config),
            Self::Psad => psad(&mut config),
        }
        config
    }
}

/// On an exposed host sweeps and password guessing never end, and a scan of a handful of ports comes every hour: the former
/// are only counted, the latter have to be three times as broad. What the slow scan detector sees of them stays in the digest.
fn server(config: &mut Config) {
    let detect = &mut config.detect;
    detect.fast_scan.threshold *= 3.0;
    detect.sweep.severity = 1;
    detect.insistent_tries.severity = 1;
    detect.tools.discovery_severity = 1;
    detect.illegal_flags.packets = 5;
    detect.illegal_flags.single_severity = 1;
    detect.distributed.ports = 60;
}

/// Two contacts are a scan, and nothing is merged that could be looked at on its own.
fn honeynet(config: &mut Config) {
    config.incidents_per_minute = 1_000;
    config.broad_contacts = 50;
    let detect = &mut config.detect;
    detect.fast_scan.half_life = seconds(3_600);
    detect.fast_scan.threshold = 2.0 * detect.fast_scan.contact_weight - 0.01;
    detect.fast_scan.sweep_weight = 1.0;
    detect.slow_scan.ports = 3;
    detect.slow_scan.within = seconds(7 * DAY);
    detect.slow_scan.severity = 3;
    detect.illegal_flags.packets = 1;
    detect.reply_scan.ports = 5;
    detect.reply_scan.any_ports = 10;
    detect.sweep.targets = 3;
    detect.sweep.severity = 3;
    detect.distributed.ports = 8;
    detect.backscatter.answers = 3;
    detect.backscatter.severity = 2;
    detect.insistent_tries.ports = vec![0..=u16::MAX];
    detect.insistent_tries.attempts = 3;
    detect.insistent_tries.slow_attempts = 5;
    detect.insistent_tries.severity = 3;
    detect.tools.discovery_severity = 3;
    detect.roll_up.enabled = false;
}

/// psad's danger levels, and what it has no word for: this machine's own scans and the limits of the log.
fn psad(config: &mut Config) {
    // More than a source can have: breadth adds nothing to what the packets say.
    config.broad_contacts = 1_000_000;
    config.critical_contacts = 1_000_000;
    let detect = &mut config.detect;
    detect.packet_count.enabled = true;
    for enabled in [
        &mut detect.fast_scan.enabled,
        &mut detect.slow_scan.enabled,
        &mut detect.illegal_flags.enabled,
        &mut detect.sweep.enabled,
        &mut detect.decoys.enabled,
        &mut detect.distributed.enabled,
        &mut detect.flood.enabled,
        &mut detect.backscatter.enabled,
        &mut detect.insistent_tries.enabled,
        &mut detect.tools.enabled,
        &mut detect.roll_up.enabled,
    ] {
        *enabled = false;
    }
}
