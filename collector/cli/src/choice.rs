//! Which packets of a log are looked at.

use crate::times;
use clap::Args;
use firebell_collector::history::network_of;
use firebell_engine::{packet::Packet, tick::Tick};
use ipnet::IpNet;
use std::ops::RangeInclusive;

/// Values that one condition may have.
const MAX_VALUES: usize = 256;

/// Options that choose packets. What is left out is counted, and neither judged nor printed.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Chosen {
    /// Only packets from then on: 2026-11-22, "2026-11-22 08:15" (UTC), 2026-11-22T08:15+01:00, or 30m, 6h, 7d ago.
    #[arg(long, value_name = "TIME", value_parser = times::moment)]
    since: Option<Tick>,
    /// Only packets before then.
    #[arg(long, value_name = "TIME", value_parser = times::moment)]
    until: Option<Tick>,
    /// Only packets from this address or network; several may be given.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    source: Vec<IpNet>,
    /// Only packets with this field: FIELD=VALUE,... or FIELD!=VALUE,... for src, dst, spt, dpt, proto, type, in, out, prefix, uid.
    #[arg(long = "where", value_name = "CONDITION", value_parser = condition)]
    conditions: Vec<Condition>,
}

impl Chosen {
    /// From when, and until when.
    pub(crate) fn moments(&self) -> (Option<Tick>, Option<Tick>) {
        (self.since, self.until)
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    network_of(text).map(|network| network.trunc()).ok_or_else(|| format!("'{text}' is no address and no network"))
}

/// One field, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    field: Field,
    is_negated: bool,
    values: Values,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Src,
    Dst,
    Spt,
    Dpt,
    Proto,
    Type,
    In,
    Out,
    Prefix,
    Uid,
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Values {
    Networks(Vec<IpNet>),
    Numbers(Vec<RangeInclusive<u32>>),
    Texts(Vec<String>),
}

fn condition(text: &str) -> Result<Condition, String> {
    let (name, values) = text.split_once('=').ok_or("expected FIELD=VALUE or FIELD!=VALUE")?;
    let (name, is_negated) = name.strip_suffix('!').map_or((name, false), |name| (name, true));
    let field = match name.trim() {
        "src" => Field::Src,
        "dst" => Field::Dst,
        "spt" => Field::Spt,
        "dpt" => Field::Dpt,
        "proto" => Field::Proto,
        "type" => Field::Type,
        "in" => Field::In,
        "out" => Field::Out,
        "prefix" => Field::Prefix,
        "uid" => Field::Uid,
        other => return Err(format!("'{other}' is none of src, dst, spt, dpt, proto, type, in, out, prefix, uid")),
    };
    let words: Vec<&str> = values.split(',').map(str::trim).collect();
    if words.len() > MAX_VALUES {
        return Err(format!("more than {MAX_VALUES} values"));
    }
    let values = match field {
        Field::Src | Field::Dst => Values::Networks(words.into_iter().map(network).collect::<Result<_, _>>()?),
        Field::Spt | Field::Dpt => Values::Numbers(words.into_iter().map(|word| range(word, 65_535)).collect::<Result<_, _>>()?),
        Field::Type => Values::Numbers(words.into_iter().map(|word| range(word, 255)).collect::<Result<_, _>>()?),
        Field::Uid => Values::Numbers(words.into_iter().map(|word| range(word, u32::MAX)).collect::<Result<_, _>>()?),
        Field::Proto => Values::Numbers(words.into_iter().map(protocol).collect::<Result<_, _>>()?),
        Field::In | Field::Out | Field::Prefix => Values::Texts(words.into_iter().map(str::to_owned).collect()),
    };
    Ok(Condition { field, is_negated, values })
}

fn range(text: &str, most: u32) -> Result<RangeInclusive<u32>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if first <= last && last <= most => Ok(first..=last),
        _ => Err(format!("'{text}' is no number or range up to {most}")),
    }
}

/// By the names of the log, or by the numbers of IANA.
fn protocol(text: &str) -> Result<RangeInclusive<u32>, String> {
    let number = match text.to_ascii_lowercase().as_str() {
        "icmp" => 1,
        "tcp" => 6,
        "udp" => 17,
        "esp" => 50,
        "ah" => 51,
        "icmpv6" => 58,
        "udplite" => 136,
        _ => return range(text, 255),
    };
    Ok(number..=number)
}

impl Condition {
    fn is_met(&self, packet: &Packet<'_>) -> bool {
        let header = &packet.header;
        let is_in = match (&self.values, self.field) {
            (Values::Networks(networks), field) => {
                let address = if field == Field::Src { header.src } else { header.dst };
                networks.iter().any(|network| network.contains(&address))
            }
            (Values::Numbers(ranges), field) => {
                let number = match field {
                    Field::Spt => header.sport.map(u32::from),
                    Field::Dpt => header.dport.map(u32::from),
                    Field::Proto => header.proto.number.map(u32::from),
                    Field::Type => header.icmp_type.map(u32::from),
                    _ => packet.uid,
                };
                number.is_some_and(|number| ranges.iter().any(|range| range.contains(&number)))
            }
            (Values::Texts(texts), field) => {
                let text = match field {
                    Field::In => packet.in_iface.unwrap_or_default(),
                    Field::Out => packet.out_iface.unwrap_or_default(),
                    _ => packet.prefix,
                };
                texts.iter().any(|wanted| wanted.as_bytes() == text.trim_ascii())
            }
        };
        is_in != self.is_negated
    }
}

/// What was chosen.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    since: Option<Tick>,
    until: Option<Tick>,
    sources: Vec<IpNet>,
    conditions: Vec<Condition>,
    is_all: bool,
}

impl Chosen {
    pub(crate) fn choice(&self) -> Choice {
        let is_all = self.since.is_none() && self.until.is_none() && self.source.is_empty() && self.conditions.is_empty();
        Choice { since: self.since, until: self.until, sources: self.source.clone(), conditions: self.conditions.clone(), is_all }
    }
}

impl Choice {
    /// Nothing is left out.
    pub(crate) const fn is_all(&self) -> bool {
        self.is_all
    }

    /// Is this packet looked at? One without a calendar has no time to compare, and is left out where one is asked for.
    pub(crate) fn has(&self, packet: &Packet<'_>, tick: Tick) -> bool {
        self.is_all
            || (self.since.is_none_or(|since| tick >= since)
                && self.until.is_none_or(|until| tick < until && !times::is_uptime(tick))
                && (self.sources.is_empty() || self.sources.iter().any(|source| source.contains(&packet.header.src)))
                && self.conditions.iter().all(|condition| condition.is_met(packet)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firebell_engine::parse::parse;

    const LINE: &[u8] = b"DROP IN=eth0 OUT= SRC=203.0.113.66 DST=192.0.2.1 LEN=40 TOS=0x00 PREC=0x00 TTL=52 ID=8271 PROTO=TCP SPT=41126 DPT=22 WINDOW=1024 RES=0x00 SYN URGP=0";

    #[test]
    fn a_packet_is_chosen_by_every_condition() {
        let packet = parse(LINE).unwrap();
        for (text, is_met) in [
            ("src=203.0.113.0/24", true),
            ("src!=203.0.113.0/24", false),
            ("dst=10.0.0.0/8, 192.0.2.1", true),
            ("dpt=22", true),
            ("dpt=1-21,23-65535", false),
            ("spt!=0-1023", true),
            ("proto=TCP", true),
            ("proto=17,58", false),
            ("in=eth0", true),
            ("out=eth0", false),
            ("prefix=DROP", true),
            ("type=8", false),
            ("uid!=0", true),
        ] {
            assert_eq!(condition(text).unwrap().is_met(&packet), is_met, "{text}");
        }
        for text in ["dpt", "port=1", "dpt=65536", "dpt=9-1", "src=host", "proto=x", ""] {
            assert!(condition(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_without_a_calendar_is_in_no_range() {
        let packet = parse(LINE).unwrap();
        let at = |text: &str| times::moment(text).unwrap();
        let choice =
            |since: Option<&str>, until: Option<&str>| Chosen { since: since.map(at), until: until.map(at), ..Chosen::default() }.choice();
        let day = choice(Some("2026-11-22"), Some("2026-11-23"));
        assert!(day.has(&packet, at("2026-11-22T00:00:00Z")) && !day.has(&packet, at("2026-11-23T00:00:00Z")));
        assert!(!day.has(&packet, Tick::from_secs(100)) && !choice(None, Some("2026-11-23")).has(&packet, Tick::from_secs(100)));
        assert!(choice(None, None).is_all());
    }
}
