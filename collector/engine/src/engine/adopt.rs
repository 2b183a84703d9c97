//! Other parameters for an engine that runs: it forgets nothing by them.

use super::Engine;
use crate::{class::Verdicts, config::Config, detect::Limits, lists::Mute};

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
}
