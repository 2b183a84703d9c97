//! Who it is: addresses, and what this computer knows about them.

use super::sentences::list;
use crate::{
    names::{Maker, Name},
    words::Words,
};
use firebell_shared::{
    alert::{Alert, MAX_ENTRIES},
    text,
};
use std::net::IpAddr;

/// The source, where it is one: an address or a network.
pub(super) fn source(alert: &Alert) -> String {
    text::safe(alert.source.trim().as_bytes(), 64)
}

/// What this computer calls the source, or nothing.
pub(super) fn name(words: &Words, alert: &Alert) -> String {
    match words.names().name(&alert.source) {
        Some(Name::Called(name)) => name,
        Some(Name::Router) => words.say("name-router", &[]),
        Some(Name::Ourselves) => words.say("name-self", &[]),
        None => String::new(),
    }
}

/// What device the source is, where it is in our own network and its maker is known.
pub(super) fn device(words: &Words, alert: &Alert, name: &str) -> Option<String> {
    Some(match words.names().maker(&alert.source, &alert.details.mac)? {
        Maker::Of(maker) if name.is_empty() => words.say("device", &[("maker", (&maker).into())]),
        Maker::Of(maker) => words.say("device-named", &[("name", name.into()), ("maker", (&maker).into())]),
        Maker::Hidden => words.say("device-random", &[]),
    })
}

/// Is this an address, or a network, that the Internet does not route?
pub(crate) fn is_near(source: &str) -> bool {
    match source.split('/').next().unwrap_or_default().parse() {
        Ok(IpAddr::V4(address)) => address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_unique_local() || address.is_unicast_link_local(),
        Err(_) => false,
    }
}

/// The first few addresses of a list. What is no address is not shown as one.
pub(super) fn listed(words: &Words, addresses: &[String]) -> String {
    let shown: Vec<String> = addresses.iter().filter_map(|a| a.parse::<IpAddr>().ok()).take(3).map(|a| a.to_string()).collect();
    if shown.is_empty() {
        return words.say("addresses-unlisted", &[]);
    }
    let shown = list(words, shown.into_iter());
    match addresses.len().saturating_sub(3) {
        0 => shown,
        // The collector cuts its lists there, so nobody knows how many more.
        _ if addresses.len() >= MAX_ENTRIES => words.say("list-others", &[("list", (&shown).into())]),
        rest => words.say("list-more", &[("list", (&shown).into()), ("n", rest.into())]),
    }
}
