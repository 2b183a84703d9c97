use crate::{
    bus::Value,
    config::Config,
    intake::{AllNetns, Batch, Counters, Info, Time},
    store::{Checkpoint, Saved},
    watch::{Recorded, Watch},
};
use firebell_engine::{record::Record, replay::ReplayClock, tick::Tick};
use firebell_shared::alert::{Alert, OriginWord};
use std::{collections::BTreeMap, fs, io::Read as _, path::Path, sync::Arc};

/// A form in which the same packets are recorded. The kernel log and the journal vouch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Kmsg,
    /// The journal gives what the kernel log does, without the sequence number.
    Journal,
    Syslog,
    Iso,
    Rfc5424,
}

const FORMS: [Form; 5] = [Form::Kmsg, Form::Journal, Form::Syslog, Form::Iso, Form::Rfc5424];

impl Form {
    fn vouches(self) -> bool {
        matches!(self, Self::Kmsg | Self::Journal)
    }

    /// A capture in this form, each line with the moment of its packet in microseconds.
    fn lines(self, name: &str) -> Vec<(u64, String)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus/dev");
        let kmsg = fs::read_to_string(folder.join(format!("{name}.kmsg.log"))).unwrap();
        let times = kmsg.lines().map(|line| Record::read(line.as_bytes()).uptime.unwrap());
        let text = match self {
            Self::Kmsg => kmsg.clone(),
            Self::Journal => kmsg.lines().map(unnumbered).collect(),
            Self::Syslog => unpacked(&folder.join(format!("{name}.syslog.log.gz"))),
            Self::Iso => unpacked(&folder.join(format!("{name}.iso.log.gz"))),
            Self::Rfc5424 => unpacked(&folder.join(format!("{name}.rfc5424.log.gz"))),
        };
        assert_eq!(text.lines().count(), kmsg.lines().count(), "{name} {self:?}");
        times.zip(text.lines().map(str::to_owned)).collect()
    }
}

fn unnumbered(line: &str) -> String {
    let mut fields = line.splitn(3, ',');
    format!("{},0,{}\n", fields.next().unwrap(), {
        fields.next();
        fields.next().unwrap()
    })
}

fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

const BEGIN: u64 = 1_763_800_000_000_000;

fn watch(vouches: &[bool]) -> Watch {
    named(&vouches.iter().map(|vouches| (if *vouches { "vouched" } else { "file" }, *vouches)).collect::<Vec<_>>(), &Saved::default(), 0)
}

/// One that goes on with what an earlier one has saved.
fn named(intakes: &[(&str, bool)], saved: &Saved, now: u64) -> Watch {
    let info = |(name, vouches): &(&str, bool)| {
        let info = Info {
            name: (*name).into(),
            vouches: *vouches,
            is_kmsg: *vouches,
            files: 0,
            groups: Vec::new(),
            counters: Counters::default(),
        };
        info.counters.set_readable(true);
        Arc::new(info)
    };
    let config = Config::parse(Path::new("t.toml"), "[signatures]\nenabled = false").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let setting = dir.path().join("nf_log_all_netns");
    fs::write(&setting, "0\n").unwrap();
    let recorded = Recorded::new(ReplayClock::new(2026, 0), Tick::ZERO);
    let (intakes, now) = (intakes.iter().map(info).collect(), Tick::from_micros(BEGIN + now));
    Watch::go_on(&config, [0; 16], intakes, AllNetns::open_at(&setting), recorded, false, saved, now)
}

fn saved(watch: &Watch) -> Saved {
    let (counters, engine, last_seq) = watch.save();
    Saved { checkpoint: Checkpoint { counters, engine, last_seq, ..Checkpoint::default() }, starts: 1, told: Vec::new(), imported_to: 0 }
}

/// One line of an intake; the clock shows `now`.
fn show(watch: &mut Watch, intake: u8, now: u64, line: &str) {
    let mut batch = Batch::default();
    let now = Tick::from_micros(BEGIN + now);
    batch.push(intake, Time::At(now), line.as_bytes(), b"");
    watch.line(batch.lines().next().unwrap(), std::iter::empty(), now);
}

/// What is said of incidents, and what was counted of packets.
#[derive(Debug, PartialEq)]
struct Told {
    alerts: Vec<(String, String, u8, u64, u32, OriginWord)>,
    packets: u64,
    unverified: u64,
}

fn told(watch: &mut Watch, end: u64) -> Told {
    let end = Tick::from_micros(BEGIN + end);
    watch.advance(end.after(super::WAIT));
    watch.advance(end.after(std::time::Duration::from_secs(7200)));
    let mut incidents = BTreeMap::new();
    for alert in std::iter::from_fn(|| watch.next_alert()) {
        let Alert { id, kind, source, severity, details, .. } = alert;
        incidents.insert(id, (kind, source, severity.get(), details.packets, details.contacts, details.origin));
    }
    Told { alerts: incidents.into_values().collect(), packets: number(watch, "packets"), unverified: number(watch, "packets_unverified") }
}

fn number(watch: &Watch, key: &str) -> u64 {
    let found = watch.status().into_iter().find(|(name, _)| *name == key);
    let Some((_, Value::Number(number))) = found else { panic!("{key}: {found:?}") };
    number
}

/// What one form says alone.
fn alone(name: &str, form: Form) -> Told {
    let (mut watch, lines) = (watch(&[form.vouches()]), form.lines(name));
    let first = lines[0].0;
    lines.iter().for_each(|(time, line)| show(&mut watch, 0, time - first, line));
    told(&mut watch, lines.last().unwrap().0 - first)
}

/// What two forms say together. `lag`: so many lines is the second behind the first.
fn together(name: &str, forms: [Form; 2], lag: usize) -> Told {
    let mut watch = watch(&forms.map(Form::vouches));
    let [first, second] = forms.map(|form| form.lines(name));
    let begin = first[0].0;
    for at in 0..first.len() + lag {
        let now = first[at.min(first.len() - 1)].0 - begin;
        if let Some((_, line)) = first.get(at) {
            show(&mut watch, 0, now, line);
        }
        if let Some((_, line)) = at.checked_sub(lag).and_then(|at| second.get(at)) {
            show(&mut watch, 1, now, line);
        }
    }
    let told = told(&mut watch, first.last().unwrap().0 - begin);
    assert_eq!(number(&watch, "packets") + number(&watch, "packets_copied"), number(&watch, "lines"), "{name} {forms:?}");
    told
}

/// Scans, a flood, packets that come again with the same numbers, and harmless traffic.
const CAPTURES: [&str; 5] = ["udp", "decoys", "distributed", "frag", "v6-syn"];

#[test]
fn any_two_forms_of_a_capture_say_what_the_better_one_says_alone() {
    for name in CAPTURES {
        for first in FORMS {
            for second in FORMS {
                if first == second {
                    continue;
                }
                let better = if first.vouches() || !second.vouches() { first } else { second };
                let expected = alone(name, better);
                assert!(expected.packets > 0);
                for lag in [0, 3] {
                    assert_eq!(together(name, [first, second], lag), expected, "{name}: {first:?}, then {second:?}, {lag} lines behind");
                }
            }
        }
    }
}

const VOUCHED: &str = "4,1,5000000,-;DROP IN=eth0 OUT= SRC=198.51.100.66 DST=198.51.100.10 LEN=44 TOS=0x00 PREC=0x00 TTL=41 ID=7 PROTO=TCP SPT=40000 \
     DPT=22 WINDOW=1024 RES=0x00 SYN URGP=0 ";

/// The same packet as a syslog daemon, `ulogd` and another rule tell it.
fn told_by_others() -> [String; 3] {
    let text = VOUCHED.split_once(';').unwrap().1;
    [
        format!("Nov 22 07:36:56 desk kernel: [    5.000000] {text}"),
        format!("Nov 22 07:36:56 desk {}", text.replace("WINDOW", "SEQ=5 ACK=0 WINDOW").replace("RES=0x00 ", "") + "MARK=0x0 "),
        format!("Nov 22 07:36:56 desk kernel: {}", text.replace("DROP ", "ufw blocked: ")),
    ]
}

#[test]
fn what_others_tell_of_the_same_packet_in_other_words_is_a_copy() {
    for line in told_by_others() {
        for is_first in [true, false] {
            let mut watch = watch(&[true, false]);
            let mut shown = [(0, VOUCHED), (1, &line)];
            if is_first {
                shown.reverse();
            }
            for (intake, line) in shown {
                show(&mut watch, intake, 0, line);
            }
            let told = told(&mut watch, 10);
            assert_eq!((told.packets, told.unverified, number(&watch, "packets_copied")), (1, 0, 1), "{line}");
        }
    }
}

#[test]
fn the_same_packet_sent_again_counts_again_however_the_intakes_are_mixed() {
    let [line, ..] = told_by_others();
    for order in [[0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 1, 1, 0, 1, 0], [1, 0, 0, 0, 1, 1]] {
        let mut watch = watch(&[true, false]);
        for (at, intake) in (0..).zip(order) {
            show(&mut watch, intake, at * 1000, if intake == 0 { VOUCHED } else { &line });
        }
        let told = told(&mut watch, 10_000);
        assert_eq!((told.packets, told.unverified, number(&watch, "packets_copied")), (3, 0, 3), "{order:?}");
    }
}

#[test]
fn what_only_the_second_intake_has_is_judged_after_two_seconds_as_unverified() {
    let [line, ..] = told_by_others();
    let mut watch = watch(&[true, false]);
    show(&mut watch, 1, 0, &line);
    assert_eq!(number(&watch, "packets"), 0);
    let wake = watch.deadline().unwrap();
    assert_eq!(wake, Tick::from_micros(BEGIN).after(super::WAIT));
    watch.advance(wake);
    assert_eq!((number(&watch, "packets"), number(&watch, "packets_unverified")), (1, 1));
}

#[test]
fn a_line_that_somebody_writes_first_takes_nothing_from_what_the_kernel_says_later() {
    let [line, ..] = told_by_others();
    let mut watch = watch(&[true, false]);
    for _ in 0..5 {
        show(&mut watch, 1, 0, &line);
    }
    show(&mut watch, 0, 5_000_000, VOUCHED);
    let told = told(&mut watch, 5_000_000);
    assert_eq!((told.packets, told.unverified), (6, 5), "five lines that nobody else has, and the kernel's");
}

#[test]
fn a_log_that_cannot_be_read_makes_nobody_wait() {
    let [line, ..] = told_by_others();
    let mut watch = watch(&[false, false]);
    show(&mut watch, 1, 0, &line);
    show(&mut watch, 0, 0, &line);
    assert_eq!((number(&watch, "packets"), number(&watch, "packets_copied")), (1, 1));
}

#[test]
fn what_waits_is_bounded_and_the_oldest_goes_first() {
    let [line, ..] = told_by_others();
    let mut watch = watch(&[true, false]);
    for id in 0..20_000 {
        show(&mut watch, 1, 0, &line.replace("ID=7", &format!("ID={id}")));
    }
    let waiting = 20_000 - number(&watch, "packets");
    assert!((2000..6000).contains(&waiting), "{waiting}");
    assert_eq!(told(&mut watch, 0).packets, 20_000);
}

#[test]
fn a_start_in_the_middle_counts_what_waited_and_what_was_shown_once() {
    const DOWN: u64 = 3_600_000_000;
    let (kmsg, syslog) = (Form::Kmsg.lines("udp"), Form::Syslog.lines("udp"));
    let (lag, half) = (3, kmsg.len() / 2);
    for leads in [0, 1] {
        let mut watch = named(&[("kernel", true), ("file", false)], &Saved::default(), 0);
        let (mut intakes, mut down) = ([0, 1], 0);
        for at in 0..kmsg.len() + lag {
            let mut now = kmsg[at.min(kmsg.len() - 1)].0 - kmsg[0].0 + down;
            if at == half {
                // The same intakes in another order, an hour later.
                let waiting = number(&watch, "lines") - number(&watch, "packets") - number(&watch, "packets_copied");
                assert_eq!(waiting, if leads == 1 { half as u64 } else { 0 });
                (down, now) = (DOWN, now + DOWN);
                watch = named(&[("file", false), ("kernel", true)], &saved(&watch), now);
                intakes = [1, 0];
            }
            let (first, second) = (Some(at), at.checked_sub(lag));
            for (intake, at) in [(leads, first), (1 - leads, second)] {
                let lines = if intake == 0 { &kmsg } else { &syslog };
                if let Some((_, line)) = at.and_then(|at| lines.get(at)) {
                    show(&mut watch, intakes[intake], now, line);
                }
            }
        }
        watch.advance(Tick::from_micros(BEGIN + kmsg.last().unwrap().0 - kmsg[0].0 + DOWN).after(super::WAIT));
        let counted = ["lines", "packets", "packets_copied", "packets_unverified"].map(|key| number(&watch, key));
        let all = kmsg.len() as u64;
        assert_eq!(counted, [2 * all, all, all, 0], "{leads}");
    }
}

#[test]
fn what_waits_for_an_intake_that_is_read_no_more_or_is_none_of_ours_is_left_out() {
    let [line, ..] = told_by_others();
    let mut watch = watch(&[true, false]);
    show(&mut watch, 1, 0, &line);
    let good = saved(&watch);
    let mut other = named(&[("vouched", true), ("another", false)], &good, 10);
    assert_eq!((told(&mut other, 10).packets, number(&other, "lines")), (0, 1));
    for len in 0..good.checkpoint.counters.len() {
        let mut cut = good.clone();
        cut.checkpoint.counters.truncate(len);
        assert_eq!(told(&mut named(&[("vouched", true), ("file", false)], &cut, 10), 10).packets, 0);
    }
    assert_eq!(told(&mut named(&[("vouched", true), ("file", false)], &good, 10), 10).unverified, 1);
}
