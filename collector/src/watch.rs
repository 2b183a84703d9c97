//! From a line to a finding: parse, judge, observe. Three calls, no lock, no allocation between them.

use crate::{
    bus::Value,
    config::{Config, Prefix},
    copies::{Copies, Met},
    health::{self, Facts, Health},
    intake::{self, AllNetns, Counters, Info, Netns, Numbered, Time},
    lists::{Complaint, Files},
    losses::{Losses, Numbers},
    rules::Loaded,
    store::{Checkpoint, Saved},
    told::Retold,
};
use firebell_engine::{
    config::Network,
    engine::{Engine, IncidentReadings},
    origin::{self, Origin},
    packet::Packet,
    parse::{MalformedKind, Parser},
    record::{Record, RecordReader},
    replay::{Moment, ReplayClock},
    signature::RuleSet,
    stamp::Stamp,
    tick::Tick,
};
use firebell_shared::alert::Alert;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tracing::warn;

/// The engine, and what it must know about the lines it gets.
#[derive(Debug)]
pub struct Watch {
    engine: Engine,
    intakes: Vec<Arc<Info>>,
    /// Why these.
    why: String,
    prefixes: Vec<Prefix>,
    vouched_prefixes: Vec<Prefix>,
    lists: Files,
    /// Sources that are trusted beside those of the configuration.
    trusted: Vec<Network>,
    all_netns: AllNetns,
    /// For each intake.
    recorded: Vec<Recorded>,
    /// What takes the lines of each intake apart.
    readers: Vec<(RecordReader, Parser)>,
    /// Where more than one log is read.
    copies: Option<Box<Copies>>,
    /// A line that has waited.
    waited: Vec<u8>,
    last: Tick,
    /// Time of the log does not pass while nothing is read.
    is_replay: bool,
    /// The last moment of a recorded log, and when that was here.
    ended: Option<(Tick, Tick)>,
    /// After this much quiet an incident is told its last state.
    settle: Duration,
    unreadable_since: Option<Tick>,
    /// Since when one of several cannot be read.
    partly_since: Option<Tick>,
    losses: Losses,
    /// Lost records that the engine knows of.
    told_lost: u64,
    /// For each intake.
    counts: Vec<Counts>,
    /// Of intakes that an earlier start has read, and this one does not.
    former: Counts,
    alerts: u64,
    /// Lines that were left out because we ended with them again and again.
    skipped: u64,
    /// The engine is that of a checkpoint.
    is_taken_over: bool,
    /// What was told that the checkpoint does not know of.
    told: Retold,
    /// The highest number of an imported incident, which the engine of a checkpoint need not know of.
    imported_to: u64,
}

/// The time of lines that were written earlier, by their own stamps.
#[derive(Clone, Debug)]
pub struct Recorded {
    clock: ReplayClock,
    /// Stands for the first stamp of a log that counts from boot and never says when that was.
    begin: Tick,
    boot: Option<Tick>,
    has_calendar: bool,
}

impl Recorded {
    /// `begin`: when the log was written, about. `clock`: for what its stamps leave out.
    #[must_use]
    pub fn new(clock: ReplayClock, begin: Tick) -> Self {
        Self { clock, begin, boot: None, has_calendar: false }
    }

    fn tick(&mut self, record: &Record<'_>, ahead: impl Iterator<Item = Moment>) -> Tick {
        let tick = self.clock.tick(Moment::of(record), ahead);
        self.has_calendar |= matches!(record.stamp, Some(Stamp::Wall { .. }));
        if self.has_calendar {
            return tick;
        }
        let boot = *self.boot.get_or_insert(Tick::from_micros(self.begin.as_micros().saturating_sub(tick.as_micros())));
        boot.after(tick.since(Tick::ZERO))
    }
}

/// What became of the lines of an intake. Fields are added at the end: a checkpoint holds them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counts {
    lines: u64,
    packets: u64,
    unverified: u64,
    copies: u64,
    other_prefix: u64,
    malformed: [u64; MalformedKind::ALL.len()],
}

/// The counters of a checkpoint.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// By name of the intake; without one, those of intakes that are read no more.
    counts: Vec<(String, Counts)>,
    alerts: u64,
    skipped: u64,
    told_lost: u64,
}

impl Counts {
    fn malformed(&self, kind: MalformedKind) -> u64 {
        self.malformed.get(kind as usize).copied().unwrap_or(0)
    }

    /// Firewall records that could not be read.
    fn all_malformed(&self) -> u64 {
        MalformedKind::ALL.into_iter().filter(|kind| *kind != MalformedKind::NotNetfilter).map(|kind| self.malformed(kind)).sum()
    }

    fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.packets += other.packets;
        self.unverified += other.unverified;
        self.copies += other.copies;
        self.other_prefix += other.other_prefix;
        self.malformed.iter_mut().zip(other.malformed).for_each(|(sum, more)| *sum += more);
    }
}

impl Watch {
    /// Nothing seen yet. `intakes` are in the order of their numbers. `key`: see [`Engine::new`]. `is_replay`: the
    /// lines are from a recorded log, and time is what their stamps say.
    #[must_use]
    pub fn new(config: &Config, key: [u8; 16], intakes: Vec<Arc<Info>>, all_netns: AllNetns, recorded: Recorded, is_replay: bool) -> Self {
        Self::go_on(config, key, intakes, all_netns, recorded, is_replay, &Saved::default(), Tick::ZERO)
    }

    /// Goes on where `saved` stops, at `now`. What of it cannot be taken over is said and begins anew.
    #[must_use]
    #[allow(clippy::too_many_arguments, reason = "what a watch is made of")]
    pub fn go_on(
        config: &Config,
        key: [u8; 16],
        intakes: Vec<Arc<Info>>,
        all_netns: AllNetns,
        recorded: Recorded,
        is_replay: bool,
        saved: &Saved,
        now: Tick,
    ) -> Self {
        let mut parameters = config.parameters(intakes.iter().any(|intake| intake.vouches));
        let (lists, complaints) = Files::read(config);
        tell(&complaints);
        lists.fill(&mut parameters.lists);
        let settle = parameters.settle;
        let set = rules(config);
        let Checkpoint { counters, engine, .. } = &saved.checkpoint;
        let restored = (!engine.is_empty()).then(|| restore(parameters.clone(), set.clone(), engine, now));
        let is_taken_over = matches!(restored, Some(Ok(_)));
        let engine = match restored {
            Some(Ok(engine)) => engine,
            other => {
                if let Some(Err(why)) = other {
                    warn!("what was known of sources and open incidents is not taken over ({why}); the lines go on where they stopped");
                }
                let mut engine = Engine::new(parameters, key);
                engine.replace_rules(set);
                engine
            }
        };
        let (kept, waiting): (Kept, &[u8]) = postcard::take_from_bytes(counters).unwrap_or_default();
        let slots = intake::slots(&intakes);
        let (mut counts, mut former) = (vec![Counts::default(); intakes.len()], Counts::default());
        for (name, found) in &kept.counts {
            let number = intakes.iter().position(|intake| intake.name == *name);
            number.and_then(|number| counts.get_mut(number)).unwrap_or(&mut former).add(found);
        }
        let told = Retold::new(&saved.told, saved.checkpoint.last_seq, &engine);
        Self {
            last: engine.now(),
            told,
            imported_to: saved.imported_to,
            is_taken_over,
            settle,
            engine,
            readers: vec![Default::default(); intakes.len()],
            recorded: vec![recorded; intakes.len()],
            copies: (slots.len() > 1).then(|| Box::new(Copies::restore(waiting, &slots, now))),
            waited: Vec::new(),
            counts,
            former,
            alerts: kept.alerts,
            skipped: kept.skipped,
            intakes,
            why: String::new(),
            prefixes: config.intake.prefixes.clone(),
            vouched_prefixes: config.intake.vouched_prefixes.clone(),
            lists,
            trusted: Vec::new(),
            all_netns,
            is_replay,
            ended: None,
            unreadable_since: None,
            partly_since: None,
            losses: Losses::default(),
            told_lost: kept.told_lost,
        }
    }

    /// Says in `Status()` why these intakes are read.
    #[must_use]
    pub fn chosen(self, why: String) -> Self {
        Self { why, ..self }
    }

    /// Looks at one line; `ahead` are those behind it. No line of a live log is later than `now`.
    pub fn line<'a>(&mut self, (slot, time, line): Numbered<'a>, ahead: impl Iterator<Item = Numbered<'a>>, now: Tick) {
        self.judge_waiting(now);
        let intake = slot.intake;
        let number = usize::from(intake);
        let (Some(counts), Some(recorded), Some((reader, parser))) =
            (self.counts.get_mut(number), self.recorded.get_mut(number), self.readers.get_mut(number))
        else {
            return;
        };
        counts.lines += 1;
        let record = reader.read(line);
        let mut place = None;
        let packet = match parser.parse_into(record.text, &mut place) {
            Ok(packet) => packet,
            Err(malformed) => {
                if let Some(count) = counts.malformed.get_mut(malformed.kind as usize) {
                    *count += 1;
                }
                return;
            }
        };
        if !self.prefixes.is_empty() && !self.prefixes.iter().any(|prefix| prefix.is(packet.prefix)) {
            counts.other_prefix += 1;
            return;
        }
        let tick = match time {
            Time::At(tick) => tick,
            Time::Stamped => {
                let ahead = ahead.filter(|(other, ..)| *other == slot);
                recorded.tick(&record, ahead.filter_map(|(.., line)| Moment::of(&Record::read(line))))
            }
        };
        if !self.is_replay && self.lists.is_due(now) {
            self.refresh_lists(now);
        }
        let at = self.at(tick, now);
        let origin = self.origin(intake, &record, packet, at);
        // Only what nobody vouches for waits, and only for a log that somebody vouches for.
        let is_vouched = |info: &Arc<Info>| info.vouches && info.counters.is_readable();
        if let Some(copies) = &mut self.copies {
            let may_wait = self.intakes.get(number).is_some_and(|info| !info.vouches) && self.intakes.iter().any(is_vouched);
            match copies.meet(packet, slot.log, origin, may_wait, now) {
                Met::New => {}
                Met::Wait => return copies.wait(slot, tick, line, now),
                Met::Copy => return self.add_copy(intake),
            }
        }
        self.observe(intake, packet, origin, at);
    }

    /// Judges the lines that have waited until `now` for a twin of another intake. Their prefix was looked at before.
    fn judge_waiting(&mut self, now: Tick) {
        let Some(mut copies) = self.copies.take() else { return };
        let (mut line, mut parser) = (std::mem::take(&mut self.waited), Parser::default());
        while let Some((slot, tick)) = copies.next(now, &mut line) {
            let intake = slot.intake;
            // It is read again: a packet borrows from its line, which waited.
            let (record, mut place) = (Record::read(&line), None);
            let Ok(packet) = parser.parse_into(record.text, &mut place) else { continue };
            let at = self.at(tick, now);
            let origin = self.origin(intake, &record, packet, at);
            match copies.meet(packet, slot.log, origin, false, now) {
                Met::Copy => self.add_copy(intake),
                Met::New | Met::Wait => self.observe(intake, packet, origin, at),
            }
        }
        (self.copies, self.waited) = (Some(copies), line);
    }

    /// No line is later than `now`, and none earlier than the one before. In a replay the clock of the log sees to that.
    fn at(&self, tick: Tick, now: Tick) -> Tick {
        if self.is_replay { tick } else { tick.min(now) }.max(self.last)
    }

    fn add_copy(&mut self, intake: u8) {
        if let Some(counts) = self.counts.get_mut(usize::from(intake)) {
            counts.copies += 1;
        }
    }

    fn observe(&mut self, intake: u8, packet: &Packet<'_>, origin: Origin, at: Tick) {
        self.last = at;
        if let Some(counts) = self.counts.get_mut(usize::from(intake)) {
            counts.packets += 1;
            counts.unverified += u64::from(origin == Origin::Unverified);
        }
        self.engine.observe(packet, origin, at);
    }

    fn vouches(&self, intake: u8) -> bool {
        self.intakes.get(usize::from(intake)).is_some_and(|info| info.vouches)
    }

    fn origin(&mut self, intake: u8, record: &Record<'_>, packet: &Packet<'_>, at: Tick) -> Origin {
        let is_kmsg = self.intakes.get(usize::from(intake)).is_some_and(|info| info.is_kmsg);
        let vouched = self.vouches(intake) && (!is_kmsg || self.is_kernels(record.priority, packet.prefix, at));
        origin::judge(vouched, packet, record.text)
    }

    /// A replay says the same every time, so it keeps the lists that it began with.
    fn refresh_lists(&mut self, now: Tick) {
        let (is_changed, complaints) = self.lists.refresh(now);
        tell(&complaints);
        if is_changed {
            self.engine.replace_lists(&self.lists.reputation(), self.lists.scanners());
        }
    }

    /// Goes by `config` from here on, reading rule files and lists again. Says what is in force now.
    ///
    /// # Errors
    /// What is wrong with a rule file: then everything stays as it was.
    pub fn reload(&mut self, config: &Config) -> Result<String, String> {
        let Loaded { rules, problems } = Loaded::read(&config.signatures, None);
        if !problems.is_empty() {
            return Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
        let (lists, complaints) = std::mem::take(&mut self.lists).adopt(config);
        tell(&complaints);
        self.lists = lists;
        self.prefixes.clone_from(&config.intake.prefixes);
        self.vouched_prefixes.clone_from(&config.intake.vouched_prefixes);
        self.adopt(config);
        let set = rules.set(&config.signatures);
        let in_force = set.rules().len();
        self.engine.replace_rules(set);
        Ok(format!("{in_force} rules from {} files", rules.files().len()))
    }

    /// Trusts these sources beside those of the configuration from here on.
    pub fn trust(&mut self, config: &Config, trusted: Vec<Network>) {
        if self.trusted != trusted {
            self.trusted = trusted;
            self.adopt(config);
        }
    }

    fn adopt(&mut self, config: &Config) {
        let mut parameters = config.parameters(self.intakes.iter().any(|intake| intake.vouches));
        self.lists.fill(&mut parameters.lists);
        parameters.lists.trusted.extend(&self.trusted);
        self.settle = parameters.settle;
        self.engine.adopt(parameters);
    }

    /// What each rule in force has found: id, packets, and when the last one came in microseconds since 1970, 0 for never.
    #[must_use]
    pub fn rule_hits(&self) -> Vec<(String, u64, u64)> {
        let hits = self.engine.rule_hits();
        hits.map(|(rule, hits)| (rule.id.clone(), hits.packets, hits.last.map_or(0, Tick::as_micros))).collect()
    }

    /// What the detectors have counted of the source of an incident, if it is remembered.
    #[must_use]
    pub fn explain(&self, id: u64) -> Option<IncidentReadings> {
        self.engine.explain_incident(id)
    }

    /// Is this kernel log record one of this machine's own kernel and network? Facility 0 is the kernel; what a
    /// program writes to `/dev/kmsg` gets another one (`devkmsg_write()` in Linux kernel/printk/printk.c).
    fn is_kernels(&mut self, priority: Option<u32>, prefix: &[u8], at: Tick) -> bool {
        priority.is_some_and(|priority| priority >> 3 == 0)
            && (self.all_netns.holds(at) == Netns::Own || self.vouched_prefixes.iter().any(|vouched| vouched.is(prefix)))
    }

    /// Tells the engine what the intakes have lost since it was last told: its verdicts rest on an incomplete log.
    pub fn notice_losses(&mut self, now: Tick) {
        let lost = self.intakes.iter().map(|intake| intake.counters.lost()).sum();
        // Of an intake that is not read any more, nothing is lost.
        self.told_lost = self.told_lost.min(lost);
        let news = u64::saturating_sub(lost, self.told_lost);
        if news > 0 {
            self.told_lost = lost;
            self.engine.note_loss(news, now);
        }
    }

    /// Says once an hour what went wrong with the lines of each intake. Gives the time to be asked again.
    pub fn tell_losses(&mut self, now: Tick) -> Tick {
        let mut losses = std::mem::take(&mut self.losses);
        for (number, Numbers { lost, malformed, unverified }) in losses.say(now, self.numbers()) {
            if let Some(intake) = self.intakes.get(number) {
                warn!(intake = %intake.name, lost, malformed, unverified, "in the last hour, lines of this log were lost, could not be read, or were not the kernel's");
            }
        }
        let due = losses.due(now, self.numbers());
        self.losses = losses;
        due
    }

    /// To a log that does not vouch, nothing is the kernel's: that is known and not worth a line.
    fn numbers(&self) -> impl Iterator<Item = Numbers> {
        self.intakes.iter().zip(&self.counts).map(|(intake, counts)| Numbers {
            lost: intake.counters.lost() + intake.counters.too_long(),
            malformed: intake.counters.malformed() + counts.all_malformed(),
            unverified: if intake.vouches { counts.unverified } else { 0 },
        })
    }

    /// The moment of the last line.
    #[must_use]
    pub fn last(&self) -> Tick {
        self.last
    }

    /// Lets time pass. In a replay it does so only after the end.
    pub fn advance(&mut self, now: Tick) {
        self.judge_waiting(now);
        if !self.is_replay {
            self.engine.advance(now);
        } else if let Some((last, ended)) = self.ended {
            self.engine.advance(last.after(now.since(ended)));
        }
    }

    /// When [`Watch::advance`] has something to do, on the clock of its `now`.
    #[must_use]
    pub fn deadline(&self) -> Option<Tick> {
        if !self.is_replay {
            let waiting = self.copies.as_ref().and_then(|copies| copies.deadline());
            return self.engine.deadline().into_iter().chain(waiting).min();
        }
        let deadline = self.engine.deadline()?;
        self.ended.map(|(last, ended)| ended.after(deadline.since(last)))
    }

    /// The recorded log has ended at `now`. It is as quiet from here on as a live log after an attack: the last
    /// state is told, and what is open closes when its time has come.
    pub fn finish(&mut self, now: Tick) {
        self.ended = Some((self.last.after(self.settle), now));
        self.advance(now);
    }

    /// The next alert to tell. What was told before a start that reads the same lines again is not told twice.
    pub fn next_alert(&mut self) -> Option<Alert> {
        self.told.next_alert(&mut self.engine, &mut self.alerts)
    }

    /// Everything was read at `now` that was there before the start: incidents that were told go on where they were told last, also where
    /// the lines behind that are lost. To be called when alerts so far were taken.
    pub fn catch_up(&mut self, now: Tick) {
        self.told.end(&mut self.engine, now);
    }

    /// Goes on with these numbers: the first incident is the one after `last_id`, the first alert the one after `last_seq`. An
    /// engine that was taken over knows the incidents itself, but for imported ones; while lines are read again that were told already, its
    /// incidents come to the numbers that they had, which are below those.
    pub fn number_after(&mut self, last_id: u64, last_seq: u64) {
        let last_id = if self.is_taken_over { self.imported_to } else { last_id };
        self.told.number_after(&mut self.engine, last_id, last_seq);
    }

    /// Leaves out so many numbers of incidents and of alerts, for others. Gives the last ones before them.
    pub fn reserve(&mut self, count: u64) -> (u64, u64) {
        let (last_id, last_seq) = self.engine.last_numbers();
        self.engine.number_after(last_id + count, last_seq + count);
        (last_id, last_seq)
    }

    /// What goes into a checkpoint: the counters, with the lines that wait behind them; the state of the engine; and the last number of an
    /// alert.
    #[must_use]
    pub fn save(&self) -> (Vec<u8>, Vec<u8>, u64) {
        // A vector takes everything.
        let counts = self.intakes.iter().map(|intake| intake.name.clone()).zip(self.counts.iter().copied());
        let counts = counts.chain([(String::new(), self.former)]).collect();
        let kept = Kept { counts, alerts: self.alerts, skipped: self.skipped, told_lost: self.told_lost };
        let mut counters = postcard::to_allocvec(&kept).unwrap_or_default();
        if let Some(copies) = &self.copies {
            counters.extend(copies.save(intake::slots(&self.intakes).into_iter().map(|(_, name)| name).collect()));
        }
        (counters, self.engine.snapshot(), self.told.checked_seq(&self.engine))
    }

    /// Counts a line that is left out, since we ended with it again and again.
    pub fn skip(&mut self, intake: u8) {
        if let Some(counts) = self.counts.get_mut(usize::from(intake)) {
            counts.lines += 1;
        }
        self.skipped += 1;
    }

    fn all_counts(&self) -> Counts {
        let mut all = self.former;
        self.counts.iter().for_each(|counts| all.add(counts));
        all
    }

    /// How well we see at `now`, and when to look again. `is_history_failing`: alerts are told that are not written.
    pub fn health(&mut self, now: Tick, is_history_failing: bool) -> (Health, Option<Tick>) {
        let is_readable = self.intakes.iter().any(|intake| intake.counters.is_readable());
        self.unreadable_since = if is_readable { None } else { self.unreadable_since.or(Some(now)) };
        let is_whole = self.intakes.iter().all(|intake| intake.counters.is_whole());
        self.partly_since = if is_whole { None } else { self.partly_since.or(Some(now)) };
        let netns = if self.vouched_prefixes.is_empty() { self.all_netns.holds(now) } else { Netns::Own };
        let is_doubted = |intake: &Info| intake.is_kmsg && netns != Netns::Own;
        let facts = Facts {
            unreadable_since: self.unreadable_since,
            partly_since: self.partly_since,
            is_denied: self.intakes.iter().any(|intake| intake.counters.is_denied()),
            last_loss: self.intakes.iter().filter_map(|intake| intake.counters.last_loss()).max(),
            is_history_failing,
            is_vouched: self.intakes.iter().any(|intake| intake.vouches && !is_doubted(intake)),
            netns: if self.intakes.iter().any(|intake| is_doubted(intake)) { netns } else { Netns::Own },
        };
        health::judge(&facts, now)
    }

    /// What is done, in a line for whoever asks the service manager.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        let names: Vec<_> = self.intakes.iter().map(|intake| intake.name.as_str()).collect();
        format!("reading {}: {} packets, {} alerts", names.join(" "), self.all_counts().packets, self.alerts)
    }

    /// Counters for `Status()`.
    #[must_use]
    pub fn status(&self) -> Vec<(&'static str, Value)> {
        let counters = |count: fn(&Counters) -> u64| self.intakes.iter().map(|intake| count(&intake.counters)).collect::<Vec<_>>();
        let sum = |count: fn(&Counters) -> u64| Value::Number(counters(count).iter().sum());
        let all = self.all_counts();
        let total = |count: fn(&Counts) -> u64| Value::Number(count(&all));
        let engine = self.engine.status();
        let number = |number: usize| Value::Number(number as u64);
        let mut status = vec![
            ("intakes", Value::List(self.intakes.iter().map(|intake| intake.name.clone()).collect())),
            ("intakes_why", Value::Text(self.why.clone())),
            ("lines", total(|counts| counts.lines)),
            ("packets", total(|counts| counts.packets)),
            ("packets_copied", total(|counts| counts.copies)),
            ("packets_unverified", total(|counts| counts.unverified)),
            ("packets_other_prefix", total(|counts| counts.other_prefix)),
            ("packets_trusted", Value::Number(engine.trusted)),
            ("packets_ignored", Value::Number(engine.ignored)),
            ("lines_skipped", Value::Number(self.skipped)),
            ("lines_lost", sum(Counters::lost)),
            ("lines_too_long", sum(Counters::too_long)),
            ("intake_overruns", sum(Counters::overruns)),
            ("intake_truncations", sum(Counters::truncations)),
            ("intake_rotations", sum(Counters::rotations)),
            ("intake_restarts", sum(Counters::restarts)),
            ("intake_malformed", sum(Counters::malformed)),
            ("alerts", Value::Number(self.alerts)),
            ("incidents_open", number(engine.incidents.open)),
            ("incidents_closed", number(engine.incidents.closed)),
            ("incidents_evicted", Value::Number(engine.incidents.evicted)),
            ("sources_folded", Value::Number(engine.incidents.folded)),
            ("findings_lost", Value::Number(engine.incidents.lost_findings)),
            ("sources", number(engine.far.kept + engine.near.kept)),
            ("sources_on_probation", number(engine.far.fresh + engine.near.fresh)),
            ("sources_evicted", Value::Number(engine.far.evicted + engine.near.evicted)),
            ("sources_today", Value::Number(engine.background.sources_today)),
            ("sources_usual_day", Value::Number(engine.background.sources_usual)),
            ("sources_refused", Value::Number(engine.far.refused + engine.near.refused)),
            ("rules", number(engine.signatures.rules)),
            ("rule_hits", Value::Number(engine.signatures.packets)),
            ("rule_prefix_hits", Value::Number(engine.signatures.prefix_packets)),
            ("rule_counters_evicted", Value::Number(engine.signatures.counters_evicted)),
        ];
        for kind in MalformedKind::ALL {
            status.push((malformed_key(kind), Value::Number(all.malformed(kind))));
        }
        let each = |count: fn(&Counts) -> u64| Value::Numbers(self.counts.iter().map(count).collect());
        status.extend([
            ("each_readable", Value::Numbers(counters(|counters| counters.is_readable().into()))),
            ("each_files_left_out", Value::Numbers(counters(Counters::left_out))),
            ("each_lines", each(|counts| counts.lines)),
            ("each_packets", each(|counts| counts.packets)),
            ("each_packets_copied", each(|counts| counts.copies)),
            ("each_packets_unverified", each(|counts| counts.unverified)),
            ("each_packets_other_prefix", each(|counts| counts.other_prefix)),
            ("each_lost", Value::Numbers(counters(Counters::lost))),
            ("each_too_long", Value::Numbers(counters(Counters::too_long))),
            ("each_not_netfilter", each(|counts| counts.malformed(MalformedKind::NotNetfilter))),
            ("each_malformed", each(Counts::all_malformed)),
            ("each_malformed_too_long", each(|counts| counts.malformed(MalformedKind::TooLong))),
            ("each_malformed_no_address", each(|counts| counts.malformed(MalformedKind::NoAddress))),
            ("each_malformed_bad_address", each(|counts| counts.malformed(MalformedKind::BadAddress))),
            ("each_malformed_bad_value", each(|counts| counts.malformed(MalformedKind::BadValue))),
            ("each_malformed_no_protocol", each(|counts| counts.malformed(MalformedKind::NoProtocol))),
        ]);
        status
    }
}

/// A clock that was set back further than this has made the past unusable.
const MAX_AHEAD: Duration = Duration::from_secs(3600);

/// The engine of a checkpoint, if it can go on at `now`.
fn restore(parameters: firebell_engine::engine::Config, rules: RuleSet, state: &[u8], now: Tick) -> Result<Engine, String> {
    let engine = Engine::restore(parameters, rules, state).map_err(|error| error.to_string())?;
    let ahead = engine.now().since(now);
    if ahead > MAX_AHEAD {
        return Err(format!("the clock was set back by {} minutes", ahead.as_secs() / 60));
    }
    Ok(engine)
}

/// The rules that the configuration names; a file with a mistake is left out and told.
fn rules(config: &Config) -> RuleSet {
    let Loaded { rules, problems } = Loaded::read(&config.signatures, None);
    for problem in problems {
        warn!("{problem}; this file is left out");
    }
    rules.set(&config.signatures)
}

/// Only the administrator can change these files, so nobody else makes us talk.
fn tell(complaints: &[Complaint]) {
    for complaint in complaints {
        warn!("{complaint}");
    }
}

fn malformed_key(kind: MalformedKind) -> &'static str {
    match kind {
        MalformedKind::NotNetfilter => "lines_not_netfilter",
        MalformedKind::TooLong => "malformed_too_long",
        MalformedKind::NoAddress => "malformed_no_address",
        MalformedKind::BadAddress => "malformed_bad_address",
        MalformedKind::BadValue => "malformed_bad_value",
        MalformedKind::NoProtocol => "malformed_no_protocol",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{
        convert,
        intake::{Batch, Counters},
    };
    use firebell_shared::alert::{OriginWord, Phase};
    use std::path::Path;

    const LINE: &str = "IN=eth0 OUT= MAC=52:54:00:00:00:0a:52:54:00:00:00:42:08:00 SRC=198.51.100.66 DST=198.51.100.10 LEN=44 TOS=0x00 PREC=0x00 TTL=41 ID=7 \
         PROTO=TCP SPT=40000 DPT=";

    fn info(vouches: bool, is_kmsg: bool) -> Arc<Info> {
        Arc::new(Info { name: "test".into(), vouches, is_kmsg, files: 0, groups: Vec::new(), counters: Counters::default() })
    }

    fn watch(config: &str, info: Arc<Info>, all_netns: &str, is_replay: bool) -> Watch {
        let config = Config::parse(Path::new("t.toml"), config).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let setting = dir.path().join("nf_log_all_netns");
        std::fs::write(&setting, all_netns).unwrap();
        let recorded = Recorded::new(ReplayClock::new(2026, 0), Tick::from_secs(1_763_800_000));
        Watch::new(&config, [0; 16], vec![info], AllNetns::open_at(&setting), recorded, is_replay)
    }

    /// Ten ports in ten seconds; `line` gives each line for a port.
    fn scan(watch: &mut Watch, time: impl Fn(u64) -> Time, line: impl Fn(u64) -> String) -> Vec<Alert> {
        let mut batch = Batch::default();
        for port in 1..=10 {
            batch.push(0, time(port), line(port).as_bytes(), b"");
        }
        let mut lines = batch.lines();
        while let Some(next) = lines.next() {
            watch.line(next, lines.clone(), Tick::from_secs(2_000_000_000));
        }
        std::iter::from_fn(|| watch.next_alert()).collect()
    }

    #[test]
    fn lost_records_are_one_alert_however_many_follow() {
        let (info, now) = (info(true, true), Tick::from_secs(1_763_800_000));
        let mut watch = watch("", Arc::clone(&info), "0\n", false);
        for n in 1..=5 {
            info.counters.add_lost(10, now);
            watch.notice_losses(Tick::from_secs(1_763_800_000 + n));
        }
        let alerts: Vec<Alert> = std::iter::from_fn(|| watch.next_alert()).collect();
        assert_eq!(alerts.len(), 1);
        assert_eq!((alerts[0].kind.as_str(), alerts[0].severity.get(), alerts[0].source.as_str()), ("visibility", 2, ""));
    }

    fn live(port: u64) -> Time {
        Time::At(Tick::from_secs(1_763_800_000 + port))
    }

    fn kmsg(priority: u32, prefix: &str) -> impl Fn(u64) -> String {
        move |port| format!("{priority},{port},{port}000000,-;{prefix}{LINE}{port} WINDOW=1024 RES=0x00 SYN URGP=0 ")
    }

    fn count(watch: &Watch, key: &str) -> u64 {
        watch
            .status()
            .into_iter()
            .find_map(|(name, value)| if let (true, Value::Number(number)) = (name == key, value) { Some(number) } else { None })
            .unwrap()
    }

    #[test]
    fn a_scan_in_the_kernel_log_is_an_alert_that_the_kernel_vouches_for() {
        let mut watch = watch("", info(true, true), "0\n", false);
        let alerts = scan(&mut watch, live, kmsg(4, "DROP "));
        let first = alerts.first().expect("an alert");
        assert_eq!((first.kind.as_str(), first.source.as_str()), ("syn-scan", "198.51.100.66"));
        assert_eq!((first.details.origin, first.severity.get()), (OriginWord::Kernel, 3));
        assert_eq!((count(&watch, "packets"), count(&watch, "packets_unverified")), (10, 0));
    }

    #[test]
    fn what_a_program_writes_to_the_kernel_log_is_not_vouched_for() {
        let mut watch = watch("", info(true, true), "0\n", false);
        let alerts = scan(&mut watch, live, kmsg(12, "DROP "));
        assert_eq!(count(&watch, "packets_unverified"), 10);
        assert!(alerts.iter().all(|alert| alert.details.origin == OriginWord::Unverified && alert.severity.get() <= 2), "{alerts:?}");
    }

    #[test]
    fn while_other_namespaces_may_log_only_vouched_prefixes_are_believed() {
        let mut plain = watch("", info(true, true), "1\n", false);
        scan(&mut plain, live, kmsg(4, "DROP "));
        assert_eq!(count(&plain, "packets_unverified"), 10);
        assert!(plain.health(Tick::from_secs(5), false).0.reason.contains("nf_log_all_netns is 1"));

        let config = "[intake]\nvouched-prefixes = [\"FBDEMO \"]";
        let mut ours = watch(config, info(true, true), "1\n", false);
        let alerts = scan(&mut ours, live, kmsg(4, "FBDEMO "));
        assert_eq!((count(&ours, "packets_unverified"), alerts.is_empty()), (0, false));
        assert_eq!(ours.health(Tick::from_secs(5), false).0.state, health::State::Ok);
        let mut others = watch(config, info(true, true), "1\n", false);
        scan(&mut others, live, kmsg(4, "FBDEMOX "));
        assert_eq!(count(&others, "packets_unverified"), 10);
        let mut forged = watch(config, info(true, true), "1\n", false);
        scan(&mut forged, live, kmsg(12, "FBDEMO "));
        assert_eq!(count(&forged, "packets_unverified"), 10, "a vouched prefix vouches for no program");
    }

    #[test]
    fn with_prefixes_configured_other_lines_are_left_alone() {
        let mut watch = watch("[intake]\nprefixes = [\"MINE\"]", info(true, true), "0\n", false);
        assert!(scan(&mut watch, live, kmsg(4, "DROP ")).is_empty());
        assert_eq!((count(&watch, "packets"), count(&watch, "packets_other_prefix")), (0, 10));
        assert!(!scan(&mut watch, live, kmsg(4, "MINE ")).is_empty());
    }

    #[test]
    fn a_list_that_changes_while_firebell_runs_is_in_force_a_minute_later() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("bad.txt");
        std::fs::write(&list, "203.0.113.0/24\n").unwrap();
        let mut watch = watch(&format!("[lists]\nreputation-files = [{list:?}]"), info(true, true), "0\n", false);
        let mut at = |secs: u64, port: u64| {
            let mut batch = Batch::default();
            batch.push(0, Time::At(Tick::from_secs(secs)), kmsg(4, "DROP ")(port).as_bytes(), b"");
            watch.line(batch.lines().next().unwrap(), std::iter::empty(), Tick::from_secs(secs));
            std::iter::from_fn(|| watch.next_alert()).last().map(|alert| (alert.severity.get(), alert.details.why))
        };
        let before = (1..=10).filter_map(|port| at(1_763_800_000 + port, port)).last().unwrap();
        assert_eq!(before.0, 3);
        std::fs::write(&list, "203.0.113.0/24\n198.51.100.66\n").unwrap();
        let after = (1..=20).filter_map(|port| at(1_763_800_060 + port, 20 + port)).last().unwrap();
        assert!(after.0 == 4 && after.1.contains("reputed bad"), "{after:?}");
    }

    fn rule(port: u16) -> String {
        format!(
            "[[rule]]\nid = \"port-{port}\"\ntitle = \"Port {port}\"\nseverity = 4\nconfidence = \"sure\"\ncategory = \"probe\"\nwhy = \"A test.\"\n\
             [rule.match]\nproto = \"tcp\"\ndport = {port}\n"
        )
    }

    #[test]
    fn rules_are_reloaded_as_a_whole_and_a_mistake_leaves_all_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("a.toml", &rule(5));
        let config = format!("[signatures]\nshipped = false\nfolders = [{:?}]", dir.path());
        let mut watch = watch(&config, info(true, true), "0\n", false);
        let config = Config::parse(Path::new("f.toml"), &config).unwrap();
        let mut secs = 1_763_800_000;
        let mut at = |watch: &mut Watch, port: u64| {
            secs += 100;
            let mut batch = Batch::default();
            batch.push(0, Time::At(Tick::from_secs(secs)), kmsg(4, "DROP ")(port).as_bytes(), b"");
            watch.line(batch.lines().next().unwrap(), std::iter::empty(), Tick::from_secs(secs));
            std::iter::from_fn(|| watch.next_alert()).last().map(|alert| alert.details.signatures)
        };
        assert_eq!(at(&mut watch, 5), Some(vec!["port-5: Port 5 x1".to_owned()]));

        write("a.toml", &rule(7));
        write("b.toml", &rule(6).replace("severity = 4", "severity = 9"));
        let problems = watch.reload(&config).unwrap_err();
        assert!(problems.contains("b.toml:4:12: 9 is not a severity"), "{problems}");
        assert_eq!(watch.rule_hits().iter().map(|(id, packets, _)| (id.as_str(), *packets)).collect::<Vec<_>>(), [("port-5", 1)]);

        write("b.toml", &(rule(6) + &rule(5)));
        assert!(watch.reload(&config).unwrap().starts_with("3 rules from 2 files"));
        at(&mut watch, 6);
        let hits = watch.rule_hits();
        assert_eq!(
            hits.iter().map(|(id, packets, _)| (id.as_str(), *packets)).collect::<Vec<_>>(),
            [("port-7", 0), ("port-6", 1), ("port-5", 1)]
        );
        assert!(hits[0].2 == 0 && hits[1].2 > hits[2].2, "{hits:?}");
    }

    #[test]
    fn a_rule_file_with_a_mistake_is_left_out_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.toml"), rule(5)).unwrap();
        std::fs::write(dir.path().join("b.toml"), "[[rule]]\n").unwrap();
        let watch = watch(&format!("[signatures]\nshipped = false\nfolders = [{:?}]", dir.path()), info(true, true), "0\n", false);
        assert_eq!(count(&watch, "rules"), 1);
    }

    #[test]
    fn trusted_sources_and_ignored_packets_are_counted_and_silent() {
        let mut trusting = watch("[lists]\ntrusted = [\"198.51.100.66\"]", info(true, true), "0\n", false);
        assert!(scan(&mut trusting, live, kmsg(4, "DROP ")).is_empty());
        assert_eq!(count(&trusting, "packets_trusted"), 10);
        let mut ignoring = watch("[[ignore]]\nprotocol = \"tcp\"\nports = [\"1-10\"]", info(true, true), "0\n", false);
        assert!(scan(&mut ignoring, live, kmsg(4, "DROP ")).is_empty());
        assert_eq!(count(&ignoring, "packets_ignored"), 10);
    }

    #[test]
    fn lines_that_are_no_packets_are_counted_by_kind() {
        let mut watch = watch("", info(true, true), "0\n", false);
        scan(&mut watch, live, |_| "6,1,1,-;usb 1-1: new device".into());
        scan(&mut watch, live, |_| "4,1,1,-;DROP IN=eth0 OUT= SRC=198.51.100.300 DST=198.51.100.10 LEN=40".into());
        assert_eq!((count(&watch, "lines"), count(&watch, "packets"), count(&watch, "lines_not_netfilter")), (20, 0, 10));
        assert_eq!(count(&watch, "malformed_bad_address"), 10);
    }

    #[test]
    fn what_became_of_the_lines_is_counted_for_each_intake_and_said_after_an_hour() {
        let (first, second) = (info(true, true), info(false, false));
        let config = Config::parse(Path::new("t.toml"), "").unwrap();
        let recorded = Recorded::new(ReplayClock::new(2026, 0), Tick::ZERO);
        let dir = tempfile::tempdir().unwrap();
        let setting = dir.path().join("nf_log_all_netns");
        std::fs::write(&setting, "0\n").unwrap();
        let intakes = vec![Arc::clone(&first), second];
        let mut watch = Watch::new(&config, [0; 16], intakes, AllNetns::open_at(&setting), recorded, false);
        let begin = Tick::from_secs(1_763_800_000);
        assert_eq!(watch.tell_losses(begin), begin.after(Duration::from_secs(3600)));
        let mut batch = Batch::default();
        for (intake, line) in [
            (0, kmsg(4, "DROP ")(1)),
            (0, "6,1,1,-;usb 1-1: new device".into()),
            (1, format!("{LINE}2")),
            (1, "DROP IN=eth0 OUT= SRC=198.51.100.300 DST=198.51.100.10 LEN=40".into()),
        ] {
            batch.push(intake, Time::At(begin), line.as_bytes(), b"");
        }
        batch.lines().for_each(|line| watch.line(line, std::iter::empty(), begin));
        first.counters.add_lost(7, begin);
        let each = |key: &str| watch.status().into_iter().find_map(|(name, value)| (name == key).then_some(value)).unwrap();
        for (key, numbers) in [
            ("each_lines", [2, 2]),
            ("each_packets", [1, 1]),
            ("each_packets_unverified", [0, 1]),
            ("each_not_netfilter", [1, 0]),
            ("each_malformed", [0, 1]),
            ("each_lost", [7, 0]),
        ] {
            assert_eq!(each(key), Value::Numbers(numbers.into()), "{key}");
        }
        let numbers: Vec<Numbers> = watch.numbers().collect();
        assert_eq!(numbers, [Numbers { lost: 7, malformed: 0, unverified: 0 }, Numbers { lost: 0, malformed: 1, unverified: 0 }]);
    }

    #[test]
    fn a_replay_without_calendar_is_put_where_its_file_was_written() {
        let mut watch = watch("", info(true, false), "0\n", true);
        let alerts = scan(&mut watch, |_| Time::Stamped, kmsg(4, "DROP "));
        let first = alerts.first().expect("an alert");
        assert!((1_763_800_000_000_000..1_763_800_011_000_000).contains(&first.time_usec), "{}", first.time_usec);
    }

    #[test]
    fn at_the_end_of_a_replay_the_last_state_is_told_and_the_incident_stays_open() {
        let mut watch = watch("", info(true, false), "0\n", true);
        let alerts = scan(&mut watch, |_| Time::Stamped, |port| kmsg(4, "DROP ")(port));
        assert_eq!(alerts.last().map(|alert| alert.details.packets), Some(7));
        assert_eq!(watch.deadline(), None, "time of a log does not pass while nothing is read");
        let now = Tick::from_secs(5000);
        watch.finish(now);
        let last: Vec<_> = std::iter::from_fn(|| watch.next_alert()).collect();
        assert_eq!(last.iter().map(|alert| (alert.details.phase, alert.details.packets)).collect::<Vec<_>>(), [(Phase::Updated, 10)]);
        let close = watch.deadline().expect("it closes some time");
        watch.advance(close);
        let end: Vec<_> = std::iter::from_fn(|| watch.next_alert()).collect();
        assert_eq!(end.iter().map(|alert| alert.details.phase).collect::<Vec<_>>(), [Phase::Closed]);
        assert!((3000..4000).contains(&close.since(now).as_secs()), "{close:?}");
    }

    #[test]
    fn no_line_is_later_than_now_and_none_earlier_than_the_one_before() {
        let mut watch = watch("", info(true, true), "0\n", false);
        let mut batch = Batch::default();
        for time in [100, 5000, 50] {
            batch.push(0, Time::At(Tick::from_secs(time)), kmsg(4, "DROP ")(time).as_bytes(), b"");
        }
        let mut ticks = Vec::new();
        for line in batch.lines() {
            watch.line(line, std::iter::empty(), Tick::from_secs(200));
            ticks.push(watch.last.as_micros() / 1_000_000);
        }
        assert_eq!(ticks, [100, 200, 200]);
    }

    /// A watch that goes on with what another one has saved.
    pub(crate) fn go_on(saved: &Saved, now: Tick) -> Watch {
        let config = Config::parse(Path::new("t.toml"), "").unwrap();
        let recorded = Recorded::new(ReplayClock::new(2026, 0), Tick::from_secs(1_763_800_000));
        let dir = tempfile::tempdir().unwrap();
        let setting = dir.path().join("nf_log_all_netns");
        std::fs::write(&setting, "0\n").unwrap();
        Watch::go_on(&config, [9; 16], vec![info(true, true)], AllNetns::open_at(&setting), recorded, false, saved, now)
    }

    fn after(saved: &Saved, now: Tick) -> Watch {
        let mut watch = go_on(saved, now);
        watch.number_after(50, 500);
        watch
    }

    pub(crate) fn checkpoint(watch: &Watch) -> Checkpoint {
        let (counters, engine, last_seq) = watch.save();
        Checkpoint { counters, engine, last_seq, ..Checkpoint::default() }
    }

    fn saved(watch: &Watch, told: Vec<Arc<Alert>>) -> Saved {
        Saved { checkpoint: checkpoint(watch), starts: 1, told, imported_to: 0 }
    }

    fn told_as(id: u64, revision: u32, source: &str, packets: u64) -> Arc<Alert> {
        let mut alert = convert::alert(&convert::tests::finding());
        (alert.id, alert.source) = (id, source.into());
        (alert.details.seq, alert.details.revision, alert.details.packets) = (400 + id, revision, packets);
        Arc::new(alert)
    }

    const LATER: Tick = Tick::from_secs(1_763_800_100);

    #[test]
    fn after_a_restart_incidents_go_on_with_their_numbers_as_if_there_had_been_none() {
        let second = |watch: &mut Watch| {
            let mut alerts = scan(watch, |port| live(port + 40), |port| kmsg(4, "DROP ")(port + 100));
            watch.advance(Tick::from_secs(1_763_800_200));
            alerts.extend(std::iter::from_fn(|| watch.next_alert()));
            let said = alerts
                .iter()
                .map(|alert| (alert.id, alert.details.revision, alert.details.packets, alert.summary.clone()))
                .collect::<Vec<_>>();
            (said, count(watch, "lines"), alerts[0].details.seq)
        };
        let mut steady = watch("", info(true, true), "0\n", false);
        scan(&mut steady, live, kmsg(4, "DROP "));
        let mut restarted = after(&saved(&steady, vec![]), LATER);
        let ((expected, lines, _), (said, lines_again, seq)) = (second(&mut steady), second(&mut restarted));
        assert!(expected.iter().any(|(id, revision, packets, _)| (*id, *packets) == (1, 20) && *revision > 1), "{expected:?}");
        assert_eq!((said, lines_again), (expected, lines));
        assert_eq!(seq, 501, "numbers of alerts go on behind all that was told");
    }

    #[test]
    fn what_was_told_behind_the_checkpoint_is_not_told_twice() {
        let first = watch("", info(true, true), "0\n", false);
        let begin = saved(&first, vec![]);
        let mut lost = after(&begin, LATER);
        let told = scan(&mut lost, live, kmsg(4, "DROP "));
        let newest = told.last().unwrap();
        let mut again = after(&Saved { told: vec![Arc::new(newest.clone())], ..begin }, LATER);
        assert_eq!(scan(&mut again, live, kmsg(4, "DROP ")), []);
        again.advance(Tick::from_secs(1_763_800_200));
        let news: Vec<_> = std::iter::from_fn(|| again.next_alert()).collect();
        assert!(!news.is_empty() && news.iter().all(|alert| alert.id == newest.id && alert.details.revision > newest.details.revision));
    }

    #[test]
    fn a_revision_that_says_more_than_when_it_was_told_is_told_as_a_new_one() {
        let begin = saved(&watch("", info(true, true), "0\n", false), vec![]);
        let mut again = after(&Saved { told: vec![told_as(1, 5, "198.51.100.66", 9)], ..begin }, LATER);
        assert_eq!(scan(&mut again, live, kmsg(4, "DROP ")), []);
        again.advance(Tick::from_secs(1_763_800_200));
        let news: Vec<_> =
            std::iter::from_fn(|| again.next_alert()).map(|alert| (alert.id, alert.details.revision, alert.details.packets)).collect();
        assert_eq!(news, [(1, 6, 10)]);
    }

    #[test]
    fn a_number_that_was_told_for_another_incident_is_not_used_for_this_one() {
        let begin = saved(&watch("", info(true, true), "0\n", false), vec![]);
        let id = scan(&mut after(&begin, LATER), live, kmsg(4, "DROP "))[0].id;
        let mut again =
            after(&Saved { told: vec![told_as(id, 9, "203.0.113.9", 9), told_as(id + 3, 1, "203.0.113.8", 9)], ..begin }, LATER);
        let alerts = scan(&mut again, live, kmsg(4, "DROP "));
        assert!(!alerts.is_empty() && alerts.iter().all(|alert| alert.id == id + 4), "{alerts:?}");
    }

    #[test]
    fn a_state_that_is_no_use_begins_anew_and_the_counters_go_on() {
        let mut first = watch("", info(true, true), "0\n", false);
        let id = scan(&mut first, live, kmsg(4, "DROP "))[0].id;
        let good = saved(&first, vec![]);
        let mut of_another_version = good.clone();
        of_another_version.checkpoint.engine[0] += 1;
        let yesterday = Tick::from_secs(1_763_800_000 - 86_400);
        for (saved, now) in [(&of_another_version, LATER), (&good, yesterday)] {
            let mut next = after(saved, now);
            let alerts = scan(&mut next, live, kmsg(4, "DROP "));
            assert!(alerts[0].id == 51 && alerts[0].id != id && alerts[0].details.revision == 1, "{alerts:?}");
            assert_eq!(count(&next, "lines"), 20);
        }
        let a_moment_ago = Tick::from_secs(1_763_799_990);
        assert!(after(&good, a_moment_ago).last() > a_moment_ago, "a little is made up for");
    }
}
