//! An incident from what was told of it.

use super::{Incident, MAX_ENTRIES, Told, Who};
use crate::{
    class::{Layer, Service},
    contacts::ONE,
    detect::scan_kind,
    finding::{Action, Finding, Kind, Source},
    tick::Tick,
};

impl Incident {
    /// Is what was told of it, or more: no number is below the one that was told, and the next revision is the one after it.
    pub(crate) fn level(&mut self, told: &Finding, now: Tick) {
        self.revision = told.revision;
        self.told = Told { at: told.at.min(now), severity: told.severity, contacts: told.contacts, packets: told.packets };
        (self.first, self.last) = (self.first.min(told.first), self.last.max(told.last.min(now)));
        if let (Who::One(name), Source::Address(address)) = (&mut self.who, told.source) {
            *name = address;
        }
        if told.packets <= self.packets && told.contacts <= self.contact_count() {
            return;
        }
        self.steady_below = None;
        self.packets = self.packets.max(told.packets);
        let layer = match told.protocol {
            6 => Layer::Tcp,
            17 => Layer::Udp,
            1 | 58 => Layer::Icmp,
            _ => Layer::Other,
        };
        match layer {
            Layer::Tcp => self.tcp.read(&told.ports),
            Layer::Udp => self.udp.read(&told.ports),
            Layer::Icmp | Layer::Other => self.protocol = told.protocol,
        }
        if let Some(count) = self.protocols.get_mut(layer as usize) {
            *count = (*count).max(told.contacts.into());
        }
        told.targets.iter().for_each(|target| self.add_target(*target));
        let named = if let Source::Address(address) = told.source { Some(address) } else { None };
        for source in named.into_iter().chain(told.sources.iter().copied()) {
            if !self.sources.contains(&source) && self.sources.len() < MAX_ENTRIES {
                self.add_source(source);
            }
        }
        // The text of its ports may have had no room for all of them.
        self.contacts = self.contacts.max(u64::from(told.contacts) * u64::from(ONE));
        self.is_estimated |= self.contact_count() < told.contacts;
        self.is_sweep |= told.kind == Kind::PortSweep;
        if let Some(count) = scan_kind::probe(told.kind).and_then(|probe| self.probes.get_mut(probe as usize)) {
            *count = (*count).max(u32::try_from(told.packets).unwrap_or(u32::MAX));
        }
        if self.action == Action::Unknown {
            self.action = told.action;
        }
        if self.packet_at_open == 0 {
            (self.packet_at_open, self.contacts_at_open) = (told.packets, told.contacts);
            self.gap = u64::try_from(self.duration().as_micros()).unwrap_or(u64::MAX) / told.packets.max(1);
        }
    }

    /// Has it asked for that, as far as is known?
    pub(crate) fn has_asked(&self, service: Service) -> bool {
        match service.layer {
            Layer::Tcp => self.tcp.contains(service.number),
            Layer::Udp => self.udp.contains(service.number),
            Layer::Icmp | Layer::Other => true,
        }
    }
}
