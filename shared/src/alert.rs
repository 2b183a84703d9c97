//! The `Alert` signal: `(t id, t time_usec, y severity, s kind, s source, s summary, a{sv} details)`.
//!
//! [`Alert`] is what both sides work with; [`Alert::to_wire`] and [`Alert::from_wire`] are the only
//! places that know how it travels. The reader trusts nobody: unknown keys are ignored (a newer
//! collector may send more), wrong types and values are errors, lists and strings are cut to their bounds.
//! As JSON, for the history and for people, it has the same names and words.

use crate::{severity::Severity, text};
use serde::{Deserialize, Serialize, de};
use std::collections::HashMap;
use zbus::wire::{OwnedVariant, Variant};

/// Lists in an alert have at most this many entries.
pub const MAX_ENTRIES: usize = 16;

/// The alert as D-Bus carries it, signature `(ttysssa{sv})`.
pub type Wire = (u64, u64, u8, String, String, String, HashMap<String, OwnedVariant>);

/// One revision of one incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The incident. Stays the same over all its revisions; below 2^53.
    pub id: u64,
    /// When this revision was made, microseconds since the Unix epoch.
    pub time_usec: u64,
    /// How bad it is by now.
    pub severity: Severity,
    /// One of [`crate::kind::KINDS`].
    pub kind: String,
    /// Address, or network (`/24`, `/48`, `/64`) of a roll-up; empty for a set or our own host.
    pub source: String,
    /// One plain sentence.
    pub summary: String,
    /// Everything else.
    pub details: Details,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* } default $default:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The word on the bus.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads the word on the bus.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl Default for $name {
            fn default() -> Self { Self::$default }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| de::Error::unknown_variant(&word, &[$($word),*]))
            }
        }
    };
}

words! {
    /// What happened to the incident with this revision.
    Phase {
        /// It is new.
        Opened = "opened",
        /// It grew.
        Updated = "updated",
        /// Its severity rose.
        Escalated = "escalated",
        /// It has been quiet for long enough.
        Closed = "closed",
        /// The same source began again.
        Reopened = "reopened",
        /// It became part of another one, see [`Details::merged_into`].
        Merged = "merged",
    } default Opened
}

words! {
    /// What the firewall did with the packets.
    Action {
        /// Thrown away without an answer.
        Dropped = "dropped",
        /// Refused with an answer.
        Rejected = "rejected",
        /// Let through.
        Accepted = "accepted",
        /// The log does not say.
        Unknown = "unknown",
    } default Unknown
}

words! {
    /// Advice for the agent: how to tell it.
    Delivery {
        /// A notification of its own.
        Popup = "popup",
        /// A line in the next digest.
        Digest = "digest",
        /// Only kept in the history.
        Log = "log",
    } default Log
}

words! {
    /// Who vouches for the log lines behind the alert.
    OriginWord {
        /// The kernel itself.
        Kernel = "kernel",
        /// Nobody: any user may have written the lines.
        Unverified = "unverified",
    } default Unverified
}

words! {
    /// How sure it is that the source named is the one who sent.
    Attribution {
        /// Many packets that fit together.
        Plausible = "plausible",
        /// Packets that anybody can send with a forged address.
        Spoofable = "spoofable",
        /// One of several sources, at most one of them real.
        DecoySet = "decoy-set",
        /// The log line itself may be forged.
        ForgedLinePossible = "forged-line-possible",
    } default Spoofable
}

/// The details of an [`Alert`], a{sv} on the bus.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// Rises with every revision of any incident; below 2^53.
    pub seq: u64,
    /// Counts the revisions of this incident, from 1.
    pub revision: u32,
    /// What this revision says.
    pub phase: Phase,
    /// The incident that this one became part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<u64>,
    /// Logged packets.
    pub packets: u64,
    /// Distinct (destination, protocol, port).
    pub contacts: u32,
    /// Destination ports as ranges, `22-25,80`.
    pub ports: String,
    /// Destination addresses, the first few.
    pub targets: Vec<String>,
    /// Source addresses, the first few, where there are several.
    pub sources: Vec<String>,
    /// `tcp`, `udp`, `icmp`, …
    pub protocol: String,
    /// First packet, microseconds since the Unix epoch.
    pub first_seen: u64,
    /// Last packet, microseconds since the Unix epoch.
    pub last_seen: u64,
    /// What the firewall did.
    pub action: Action,
    /// Who vouches for the lines.
    pub origin: OriginWord,
    /// How sure the source is.
    pub attribution: Attribution,
    /// The scanner that was recognised, or empty.
    pub tool: String,
    /// Rules that fitted, the best first, each as `id: title xN` with the number of packets.
    pub signatures: Vec<String>,
    /// Title of the best of these rules that is more than a hint and says something about the incident as a whole, or empty.
    pub known: String,
    /// Only what [`Details::known`] says sends such packets; otherwise it is likely.
    pub known_surely: bool,
    /// MITRE ATT&CK technique ids.
    pub attack: Vec<String>,
    /// Interface the packets came in by.
    pub interface: String,
    /// Log prefix.
    pub prefix: String,
    /// MAC address of the last hop, where it was logged.
    pub mac: String,
    /// User behind our own packets, where it was logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// How to tell it.
    pub delivery: Delivery,
    /// Why we say so: detectors, scores, thresholds.
    pub why: String,
    /// What to do.
    pub advice: String,
    /// When somebody said that the incident is dealt with, microseconds since the Unix epoch; gone when it becomes worse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<u64>,
    /// What somebody wrote down about it, or empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// It comes from another history, or from an earlier state of this one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
}

/// A message that is no alert.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The severity is out of range.
    #[error(transparent)]
    Severity(#[from] crate::severity::BadSeverity),
    /// A detail has the wrong type or an unknown word.
    #[error("detail `{0}` is not of the type or value that the contract names")]
    Detail(&'static str),
    /// An id or a sequence number is 2^53 or more.
    #[error("`{0}` is not below 2^53")]
    TooLarge(&'static str),
}

impl Alert {
    /// The incident goes on: it has neither ended nor become part of another one.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self.details.phase, Phase::Closed | Phase::Merged)
    }

    /// The alert as the bus carries it, every list and string within its bounds.
    #[must_use]
    pub fn to_wire(&self) -> Wire {
        let d = &self.details;
        let mut map = HashMap::with_capacity(32);
        let mut put = |key: &str, value: Variant<'_>| {
            // A variant fails to be owned only when it holds a file descriptor; ours hold none.
            if let Ok(value) = value.try_to_owned() {
                map.insert(key.to_owned(), value);
            }
        };
        put("seq", d.seq.into());
        put("revision", d.revision.into());
        put("phase", d.phase.as_str().into());
        if let Some(id) = d.merged_into {
            put("merged_into", id.into());
        }
        put("packets", d.packets.into());
        put("contacts", d.contacts.into());
        put("ports", cut(&d.ports).into());
        put("targets", cut_list(&d.targets).into());
        put("sources", cut_list(&d.sources).into());
        put("protocol", cut(&d.protocol).into());
        put("first_seen", d.first_seen.into());
        put("last_seen", d.last_seen.into());
        put("action", d.action.as_str().into());
        put("origin", d.origin.as_str().into());
        put("attribution", d.attribution.as_str().into());
        put("tool", cut(&d.tool).into());
        put("signatures", cut_list(&d.signatures).into());
        put("known", cut(&d.known).into());
        put("known_surely", d.known_surely.into());
        put("attack", cut_list(&d.attack).into());
        put("interface", cut(&d.interface).into());
        put("prefix", cut(&d.prefix).into());
        put("mac", cut(&d.mac).into());
        if let Some(uid) = d.uid {
            put("uid", uid.into());
        }
        put("delivery", d.delivery.as_str().into());
        put("why", cut(&d.why).into());
        put("advice", cut(&d.advice).into());
        if let Some(time_usec) = d.acknowledged {
            put("acknowledged", time_usec.into());
        }
        if !d.note.is_empty() {
            put("note", cut(&d.note).into());
        }
        if d.imported {
            put("imported", true.into());
        }
        (self.id, self.time_usec, self.severity.get(), cut(&self.kind), cut(&self.source), cut(&self.summary), map)
    }

    /// Reads what the bus carried.
    ///
    /// # Errors
    /// [`WireError`] for a severity, id or detail outside the contract. Missing details take their
    /// defaults, unknown ones are ignored, long ones are cut.
    pub fn from_wire(wire: Wire) -> Result<Self, WireError> {
        let (id, time_usec, severity, kind, source, summary, map) = wire;
        let r = Reader(&map);
        let details = Details {
            seq: below_2_53("seq", r.get("seq")?)?,
            revision: r.get("revision")?,
            phase: r.word("phase", Phase::from_word)?,
            merged_into: r.optional("merged_into")?,
            packets: r.get("packets")?,
            contacts: r.get("contacts")?,
            ports: r.text("ports")?,
            targets: r.list("targets")?,
            sources: r.list("sources")?,
            protocol: r.text("protocol")?,
            first_seen: r.get("first_seen")?,
            last_seen: r.get("last_seen")?,
            action: r.word("action", Action::from_word)?,
            origin: r.word("origin", OriginWord::from_word)?,
            attribution: r.word("attribution", Attribution::from_word)?,
            tool: r.text("tool")?,
            signatures: r.list("signatures")?,
            known: r.text("known")?,
            known_surely: r.get("known_surely")?,
            attack: r.list("attack")?,
            interface: r.text("interface")?,
            prefix: r.text("prefix")?,
            mac: r.text("mac")?,
            uid: r.optional("uid")?,
            delivery: r.word("delivery", Delivery::from_word)?,
            why: r.text("why")?,
            advice: r.text("advice")?,
            acknowledged: r.optional("acknowledged")?,
            note: r.text("note")?,
            imported: r.get("imported")?,
        };
        Ok(Self {
            id: below_2_53("id", id)?,
            time_usec,
            severity: Severity::try_from(severity)?,
            kind: cut(&kind),
            source: cut(&source),
            summary: cut(&summary),
            details,
        })
    }
}

fn below_2_53(name: &'static str, number: u64) -> Result<u64, WireError> {
    if number < crate::names::MAX_ID { Ok(number) } else { Err(WireError::TooLarge(name)) }
}

fn cut(string: &str) -> String {
    text::safe(string.as_bytes(), text::MAX_FIELD)
}

fn cut_list(list: &[String]) -> Vec<String> {
    list.iter().take(MAX_ENTRIES).map(|entry| cut(entry)).collect()
}

/// Reads details, one key at a time.
struct Reader<'a>(&'a HashMap<String, OwnedVariant>);

impl<'a> Reader<'a> {
    fn optional<T: TryFrom<&'a Variant<'a>>>(&self, key: &'static str) -> Result<Option<T>, WireError> {
        self.0.get(key).map(|value| T::try_from(&**value).map_err(|_| WireError::Detail(key))).transpose()
    }

    fn get<T: TryFrom<&'a Variant<'a>> + Default>(&self, key: &'static str) -> Result<T, WireError> {
        Ok(self.optional(key)?.unwrap_or_default())
    }

    fn text(&self, key: &'static str) -> Result<String, WireError> {
        Ok(self.optional::<&str>(key)?.map(cut).unwrap_or_default())
    }

    fn word<T: Default>(&self, key: &'static str, read: fn(&str) -> Option<T>) -> Result<T, WireError> {
        self.optional::<&str>(key)?.map_or_else(|| Ok(T::default()), |word| read(word).ok_or(WireError::Detail(key)))
    }

    fn list(&self, key: &'static str) -> Result<Vec<String>, WireError> {
        let Some(value) = self.0.get(key) else { return Ok(Vec::new()) };
        let Variant::Array(array) = &**value else { return Err(WireError::Detail(key)) };
        array.iter().take(MAX_ENTRIES).map(|entry| <&str>::try_from(entry).map(cut).map_err(|_| WireError::Detail(key))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Alert {
        Alert {
            id: 7,
            time_usec: 1_763_800_000_000_000,
            severity: Severity::AIMED,
            kind: "syn-scan".into(),
            source: "198.51.100.66".into(),
            summary: "SYN scan of 1000 TCP ports".into(),
            details: Details {
                seq: 9,
                revision: 2,
                phase: Phase::Escalated,
                merged_into: Some(3),
                packets: 1996,
                contacts: 1000,
                ports: "22-25,80".into(),
                targets: vec!["198.51.100.10".into()],
                protocol: "tcp".into(),
                origin: OriginWord::Kernel,
                attribution: Attribution::Plausible,
                delivery: Delivery::Popup,
                uid: Some(1000),
                acknowledged: Some(1_763_800_000_000_001),
                note: "the new printer".into(),
                ..Details::default()
            },
        }
    }

    #[test]
    fn an_alert_survives_the_wire() {
        assert_eq!(Alert::from_wire(example().to_wire()), Ok(example()));
    }

    #[test]
    fn as_json_an_alert_has_the_names_and_words_of_the_bus() {
        let (alert, wire) = (example(), example().to_wire());
        let json = serde_json::to_value(&alert.details).unwrap();
        let mut names: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        let mut on_the_bus: Vec<_> = wire.6.into_keys().collect();
        names.sort();
        on_the_bus.sort();
        assert_eq!(names, on_the_bus);
        assert_eq!((&json["phase"], &json["attribution"]), (&"escalated".into(), &"plausible".into()));
        let mut json = serde_json::to_value(&alert).unwrap();
        json["details"]["of_a_newer_version"] = 1.into();
        assert_eq!(serde_json::from_value::<Alert>(json.clone()).unwrap(), alert);
        json["severity"] = 9.into();
        assert!(serde_json::from_value::<Alert>(json).is_err());
    }

    #[test]
    fn hostile_messages_are_errors_or_cut_and_never_more() {
        let mut wire = example().to_wire();
        wire.2 = 9;
        assert!(matches!(Alert::from_wire(wire), Err(WireError::Severity(_))));
        let mut wire = example().to_wire();
        wire.6.insert("packets".into(), Variant::from("many").try_to_owned().unwrap());
        assert_eq!(Alert::from_wire(wire), Err(WireError::Detail("packets")));
        let mut wire = example().to_wire();
        wire.0 = 1 << 53;
        assert_eq!(Alert::from_wire(wire), Err(WireError::TooLarge("id")));
        let mut wire = example().to_wire();
        wire.5 = "\u{202e}".repeat(100_000);
        wire.6.insert("unknown".into(), Variant::from(1_u8).try_to_owned().unwrap());
        wire.6.insert("targets".into(), Variant::from(vec!["x"; 5000]).try_to_owned().unwrap());
        let alert = Alert::from_wire(wire).unwrap();
        assert!(alert.summary.len() <= text::MAX_FIELD);
        assert_eq!(alert.details.targets.len(), MAX_ENTRIES);
    }
}
