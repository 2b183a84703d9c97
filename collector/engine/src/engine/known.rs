//! Known packets (D14): what the rules say of a packet, and whose incident that goes to.

use super::{Engine, Facts, is_for_this_host};
use crate::{
    class::{Class, Probe},
    contacts::ONE,
    detect::{Detector, Verdict},
    finding::Action,
    incident::{Dossier, Sighting, Subject, Who},
    packet::Packet,
    score::Weight,
    signature::{self, Found, Rule, RuleHits, RuleSet, Scene},
    texts::Edition,
    tick::Tick,
};

impl Engine {
    /// Takes these rules for those before. Incidents that are open keep the hits of rules whose id is still there, and so does
    /// [`Engine::rule_hits`]; what counting rules have counted starts anew.
    pub fn replace_rules(&mut self, rules: RuleSet) {
        self.incidents.replace_rules(rules);
    }

    /// Every rule in force, and what it has found since the start.
    pub fn rule_hits(&self) -> impl Iterator<Item = (&Rule, RuleHits)> {
        self.incidents.signatures.rule_hits()
    }

    /// What the rules say of the packet.
    pub(super) fn look_up(&mut self, packet: &Packet<'_>, action: Action, texts: Edition, source: u64, tick: Tick) -> Found {
        let home = &self.home;
        let scene = || Scene { packet, home, action, is_for_us: is_for_this_host(packet), direction: signature::direction(packet) };
        self.incidents.signatures.look(packet, texts, scene, source, tick)
    }

    /// A packet that rules know goes to the incident of its source, or opens one. `is_counted`: the source has counted it.
    #[inline(never)]
    pub(super) fn watch_known(&mut self, packet: &Packet<'_>, facts: &Facts, is_counted: bool) {
        let verdict = signature::verdict(&facts.known);
        let sighting = facts.sighting(packet);
        if facts.class == Class::Outbound {
            if let Some(verdict) = verdict.filter(|_| !is_counted) {
                let subject = Subject::Group(self.hasher.mix(facts.key.origin() as u64, 20));
                self.group(facts, subject, Who::Own, verdict, &[], &sighting);
            }
            return;
        }
        let is_open = self.incidents.is_open(facts.key, facts.source);
        match (is_open, is_counted, verdict) {
            (true, false, _) => {
                self.incidents.add(facts.key, facts.source, &sighting, None, 0);
            }
            (false, _, Some(verdict)) => self.open_known(packet, facts, verdict, &sighting),
            _ => {}
        }
    }

    /// Opens the incident of a source of which no contact is remembered: this is no probe, or there was no room for it.
    fn open_known(&mut self, packet: &Packet<'_>, facts: &Facts, verdict: Verdict, sighting: &Sighting<'_, '_>) {
        let member = self.member(facts.key, packet.header.src);
        let dossier = Dossier {
            key: facts.key,
            address: member.address,
            is_near: facts.is_near,
            first: member.first,
            packets: member.packets.saturating_add(1),
            contacts: member.contacts.max(ONE),
            probes: [0; Probe::COUNT],
            is_sweep: false,
            services: member.services,
            score: Weight(0),
        };
        debug_assert!(verdict.detector == Detector::Signature);
        self.far.mark_incident(facts.key);
        self.near.mark_incident(facts.key);
        self.incidents.open(&dossier, verdict, sighting);
        self.forget_what_is_over();
    }
}
