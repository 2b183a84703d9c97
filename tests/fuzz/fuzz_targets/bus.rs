//! Any body of a message: arguments of calls, alerts that an agent hears, the list of what is muted.
#![no_main]

use firebell_shared::{
    alert::{Alert, MAX_ENTRIES, Wire},
    mutes::Mutes,
};
use libfuzzer_sys::fuzz_target;
use std::collections::HashMap;
use zbus::wire::{
    Endian, OwnedVariant,
    serialized::{Context, Data},
};

fuzz_target!(|input: &[u8]| {
    let Some((first, body)) = input.split_first() else { return };
    let endian = if first & 1 == 0 { Endian::Little } else { Endian::Big };
    let data = Data::new(body, Context::new(endian, 0));

    // What ListAlerts takes, and every method with a number, a text and a time.
    let _ = data.deserialize::<(u64, u32, HashMap<String, OwnedVariant>)>();
    let _ = data.deserialize::<(String, u64)>();
    let _ = data.deserialize::<(u64, String)>();

    if let Ok((wire, _)) = data.deserialize::<Wire>()
        && let Ok(alert) = Alert::from_wire(wire)
    {
        let details = &alert.details;
        for text in [&alert.kind, &alert.source, &alert.summary, &details.prefix, &details.why, &details.advice, &details.interface] {
            assert!(text.len() <= 512 && !text.chars().any(char::is_control), "{text:?}");
        }
        for list in [&details.targets, &details.sources, &details.signatures, &details.attack] {
            assert!(list.len() <= MAX_ENTRIES);
        }
        assert_eq!(Alert::from_wire(alert.to_wire()), Ok(alert), "what was read is sent and read as the same");
    }

    if let Ok(text) = std::str::from_utf8(body)
        && let Some(mutes) = Mutes::from_text(text)
    {
        assert_eq!(Mutes::from_text(&mutes.to_text()).map(|mutes| mutes.to_text()), Some(mutes.to_text()));
    }
});
