//! The texts of a packet that stay the same from line to line: log prefix, interface and MAC address.
//!
//! Most packets have those of the one before. So they are compared once, and whoever made something of them remembers for
//! which edition of the texts.

use crate::{bytes::Bytes, packet::Packet};

/// The texts of the last packet.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    prefix: Bytes<128>,
    interface: Bytes<16>,
    mac: Bytes<64>,
    edition: Edition,
}

/// Packets of one edition have the same texts. The default is that of none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edition(u64);

impl Texts {
    /// The edition of the packet's texts: that of the packet before, or a new one.
    pub(crate) fn edition(&mut self, packet: &Packet<'_>) -> Edition {
        let (interface, mac) = (interface(packet), mac(packet));
        if !(self.prefix.are(packet.prefix) && self.interface.are(interface) && self.mac.are(mac)) {
            self.learn(packet.prefix, interface, mac);
        }
        self.edition
    }

    #[cold]
    fn learn(&mut self, prefix: &[u8], interface: &[u8], mac: &[u8]) {
        self.edition.0 += 1;
        // One that is too long is never the same.
        if !(self.prefix.learn(prefix) && self.interface.learn(interface) && self.mac.learn(mac)) {
            self.prefix.forget();
        }
    }
}

/// The interface that a packet came in by, or went out by.
pub(crate) fn interface<'a>(packet: &Packet<'a>) -> &'a [u8] {
    packet.in_iface.filter(|name| !name.is_empty()).or(packet.out_iface).unwrap_or_default()
}

/// The MAC address as printed.
pub(crate) fn mac<'a>(packet: &Packet<'a>) -> &'a [u8] {
    packet.link.mac.or(packet.link.mac_src).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_one_edition_have_the_same_texts() {
        let long = [b'x'; 200];
        let wordings: [&[u8]; 6] = [b"", b"a", b"ab", b"b", long.get(..128).unwrap(), &long];
        let mut packets = Vec::new();
        for prefix in wordings {
            for name in wordings {
                for mac in [None, Some(&b""[..]), Some(&b"00:11"[..]), Some(&long[..])] {
                    let mut packet = Packet::blank(prefix);
                    (packet.in_iface, packet.link.mac) = (Some(name), mac);
                    packets.push(packet);
                    (packet.in_iface, packet.out_iface, packet.link.mac, packet.link.mac_src) = (Some(&b""[..]), Some(name), None, mac);
                    packets.push(packet);
                }
            }
        }
        let texts_of = |packet: &Packet<'_>| (packet.prefix.to_vec(), interface(packet).to_vec(), mac(packet).to_vec());
        let (mut texts, mut seen) = (Texts::default(), Vec::new());
        // One behind the other, each twice, and in two orders.
        for packet in packets.iter().chain(packets.iter().rev()).flat_map(|packet| [packet, packet]) {
            let (edition, own) = (texts.edition(packet), texts_of(packet));
            assert_ne!(edition, Edition::default());
            assert!(seen.iter().all(|(known, other)| *known != edition || *other == own));
            let is_kept = own.0.len() <= 128 && own.1.len() <= 16 && own.2.len() <= 64;
            assert!(!is_kept || seen.last().is_none_or(|(known, other)| (*other == own) == (*known == edition)));
            seen.push((edition, own));
        }
    }
}
