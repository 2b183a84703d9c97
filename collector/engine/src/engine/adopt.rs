//! What an engine that runs takes over: other parameters, by which it forgets nothing, and incidents that were told.

use super::Engine;
use crate::{class::Verdicts, config::Config, detect::Limits, finding::Finding, lists::Mute, tick::Tick};

impl Engine {
    /// Goes by `config` from here on. Sources, counts, incidents and rules stay, and open incidents follow what is asked of them
    /// now. The tables keep their sizes: [`Config::max_sources`] and [`Config::max_near_sources`] count when an engine is made.
    pub fn adopt(&mut self, config: Config) {
        let limits = Limits::new(&config);
        let (old, new) = (self.limits.fast.half_life.step(self.now), limits.fast.half_life.step(self.now));
        for brief in self.far.briefs_mut().chain(self.near.briefs_mut()) {
            brief.score.restep(old, new);
        }
        self.limits = limits;
        self.verdicts = Verdicts::new(&config.accepted_words);
        self.home.adopt(&config.home);
        self.nobody_vouches = config.unverified_max_severity.is_none();
        self.mute = Mute::new(&config.lists);
        let detect = config.detect.clone();
        self.errands = detect.sweep.errand_ports;
        self.replies.adopt(detect.reply_scan, detect.backscatter);
        self.tries.adopt(detect.insistent_tries);
        self.decoys.adopt(detect.decoys);
        self.distributed.adopt(detect.distributed);
        self.floods.adopt(&detect.flood);
        self.egress.adopt(detect.egress);
        self.visibility.adopt(detect.visibility);
        self.incidents.adopt(config, limits, self.now);
    }
    /// Goes on at `now` with an incident from what was told of it last, in place of what is known of it here: that may be less or
    /// nothing, where lines were lost that came after the snapshot. It is told again when there is more to say, or when it is over.
    /// False: nothing goes on by it, since another incident is about the same or there is no room.
    pub fn take_up(&mut self, told: &Finding, now: Tick) -> bool {
        self.now = self.now.max(now);
        let is_near = told.address().is_some_and(|address| self.home.is_near(address));
        let is_taken = self.incidents.take_up(told, is_near, self.now);
        for key in self.incidents.by_id(told.id).filter(|incident| incident.is_open).into_iter().flat_map(|incident| &incident.members) {
            self.far.mark_incident(*key);
            self.near.mark_incident(*key);
        }
        self.forget_what_is_over();
        is_taken
    }
}
