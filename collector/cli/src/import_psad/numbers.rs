//! Sets of numbers: ports with lists, ranges and `!`, and the values of keywords.

use super::{Reason, Refusal, quoted};

/// Ranges that one condition of our language may have.
const MAX_RANGES: usize = 64;
/// How deep lists may stand in lists.
const MAX_DEPTH: usize = 8;

/// A set of numbers from 0 to a largest one, as sorted ranges that do not touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    max: u32,
    ranges: Vec<(u32, u32)>,
}

/// How the file writes a range `a<>b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// With both ends: `dsize` (Snort `sp_dsize_check.c`).
    Inclusive,
    /// Without them: the others (Snort `sp_icmp_type_check.c`).
    Exclusive,
}

impl Numbers {
    fn all(max: u32) -> Self {
        Self { max, ranges: vec![(0, max)] }
    }

    fn range(max: u32, low: u32, high: u32) -> Self {
        Self { max, ranges: if low <= high { vec![(low, high.min(max))] } else { Vec::new() } }
    }

    pub(super) fn is_all(&self) -> bool {
        self.ranges == [(0, self.max)]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    fn complement(&self) -> Self {
        let mut ranges = Vec::new();
        let mut next = Some(0);
        for (low, high) in &self.ranges {
            if let Some(start) = next
                && start < *low
            {
                ranges.push((start, low - 1));
            }
            next = high.checked_add(1).filter(|next| *next <= self.max);
        }
        ranges.extend(next.map(|start| (start, self.max)));
        Self { max: self.max, ranges }
    }

    fn union(mut self, other: &Self) -> Self {
        self.ranges.extend(&other.ranges);
        self.ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(self.ranges.len());
        for (low, high) in self.ranges {
            match joined.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => joined.push((low, high)),
            }
        }
        Self { max: self.max, ranges: joined }
    }

    fn without(&self, other: &Self) -> Self {
        self.complement().union(other).complement()
    }

    /// Ports: `any`, `80`, `1:1024`, `:1024`, `1024:`, `[80,443,!8080:8090]`, each with `!` before it.
    pub(super) fn ports(text: &str) -> Result<Self, Refusal> {
        Self::ports_within(text, 0)
    }

    fn ports_within(text: &str, depth: usize) -> Result<Self, Refusal> {
        let wrong = || Refusal::new(Reason::Value, format!("port {text}"));
        let text = text.trim();
        if depth > MAX_DEPTH {
            return Err(wrong());
        }
        if let Some(rest) = text.strip_prefix('!') {
            return Ok(Self::ports_within(rest, depth + 1)?.complement());
        }
        let inside = text.strip_prefix('[').map_or(Ok(None), |rest| rest.strip_suffix(']').map(Some).ok_or_else(wrong))?;
        if inside.is_some() || has_commas(text) {
            let (mut with, mut but) = (None::<Self>, Self { max: 0xffff, ranges: Vec::new() });
            for item in split_list(inside.unwrap_or(text)) {
                match item.trim().strip_prefix('!') {
                    Some(item) => but = but.union(&Self::ports_within(item, depth + 1)?),
                    None => {
                        let item = Self::ports_within(item, depth + 1)?;
                        with = Some(with.map_or_else(|| item.clone(), |with| with.union(&item)));
                    }
                }
            }
            return Ok(with.unwrap_or_else(|| Self::all(0xffff)).without(&but));
        }
        if text == "any" {
            return Ok(Self::all(0xffff));
        }
        let number = |text: &str, missing: u16| if text.is_empty() { Ok(missing) } else { text.parse().map_err(|_| wrong()) };
        let (low, high) = match text.split_once(':') {
            Some((low, high)) => (number(low.trim(), 0)?, number(high.trim(), 0xffff)?),
            None => text.parse().map(|port: u16| (port, port)).map_err(|_| wrong())?,
        };
        Ok(Self::range(0xffff, low.into(), high.into()))
    }

    /// The value of a keyword: `7`, `!7`, `<7`, `>7`, `<=7`, `>=7`, `=7`, `3<>7`, `3-7`, `-7`, `3-`, and psad's `3:7`, `:7`, `3:`.
    pub(super) fn value(keyword: &str, text: &str, max: u32, between: Between) -> Result<Self, Refusal> {
        let wrong = || Refusal::new(Reason::Value, format!("{keyword}:{text}"));
        let number = |text: &str| -> Result<u32, Refusal> { text.trim().parse().map_err(|_| wrong()) };
        let trimmed = text.trim();
        if let Some(rest) = trimmed.strip_prefix('!') {
            return Ok(Self::value(keyword, rest.trim_start().trim_start_matches('!'), max, between)?.complement());
        }
        let nothing = Self { max, ranges: Vec::new() };
        if let Some((low, high)) = trimmed.split_once("<>") {
            let (low, high) = (number(low)?, number(high)?);
            return Ok(match between {
                Between::Inclusive => Self::range(max, low, high),
                Between::Exclusive if high > 0 && low < max => Self::range(max, low + 1, high - 1),
                Between::Exclusive => nothing,
            });
        }
        if let Some(rest) = trimmed.strip_prefix("<=") {
            return Ok(Self::range(max, 0, number(rest)?));
        }
        if let Some(rest) = trimmed.strip_prefix(">=") {
            return Ok(Self::range(max, number(rest)?, max));
        }
        if let Some(rest) = trimmed.strip_prefix('<') {
            return Ok(number(rest)?.checked_sub(1).map_or(nothing, |high| Self::range(max, 0, high)));
        }
        if let Some(rest) = trimmed.strip_prefix('>') {
            let low = number(rest)?;
            return Ok(if low < max { Self::range(max, low + 1, max) } else { nothing });
        }
        let trimmed = trimmed.strip_prefix('=').unwrap_or(trimmed);
        let (low, high) = match trimmed.split_once(['-', ':']) {
            Some((low, high)) => {
                (if low.trim().is_empty() { 0 } else { number(low)? }, if high.trim().is_empty() { max } else { number(high)? })
            }
            None => number(trimmed).map(|number| (number, number))?,
        };
        if low > max { Err(wrong()) } else { Ok(Self::range(max, low, high)) }
    }

    /// As our language writes it.
    pub(super) fn toml(&self) -> Result<String, Refusal> {
        if self.ranges.is_empty() {
            return Err(Refusal::new(Reason::Never, "no number is left"));
        }
        let rest = self.complement();
        if !rest.is_empty() && rest.ranges.len() < self.ranges.len() {
            return Ok(format!("{{ not = {} }}", rest.plain()?));
        }
        self.plain()
    }

    fn plain(&self) -> Result<String, Refusal> {
        if self.ranges.len() > MAX_RANGES {
            return Err(Refusal::new(Reason::Value, format!("more than {MAX_RANGES} ranges")));
        }
        let ranges: Vec<_> =
            self.ranges.iter().map(|(low, high)| if low == high { low.to_string() } else { quoted(&format!("{low}-{high}")) }).collect();
        Ok(match ranges.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        })
    }
}

/// The items of a list, whose own lists stay whole.
pub(super) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c: char| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .filter(|item| !item.trim().is_empty())
}

/// psad takes a list without brackets.
pub(super) fn has_commas(text: &str) -> bool {
    split_list(text).nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_with_lists_ranges_and_exceptions_are_the_ports_they_name() {
        for (text, toml) in [
            ("80", "80"),
            ("1:1024", "\"1-1024\""),
            (":1024", "\"0-1024\""),
            ("1024:", "\"1024-65535\""),
            ("!80", "{ not = 80 }"),
            ("!1:1024", "{ not = \"1-1024\" }"),
            ("[80,443,8080:8090]", "[80, 443, \"8080-8090\"]"),
            ("[80, 81, 82,!81]", "[80, 82]"),
            ("![80,443]", "{ not = [80, 443] }"),
            ("[!80,!443]", "{ not = [80, 443] }"),
            ("[[80,443],![8080]]", "[80, 443]"),
            ("80,443", "[80, 443]"),
        ] {
            assert_eq!(Numbers::ports(text).unwrap().toml().unwrap(), toml, "{text}");
        }
        assert!(Numbers::ports("any").unwrap().is_all() && Numbers::ports("0:65535").unwrap().is_all());
        assert!(Numbers::ports("!any").unwrap().is_empty() && Numbers::ports("9:8").unwrap().is_empty());
        for text in ["", "http", "65536", "-1", "[80", "80]", "[[[[[[[[[[80]]]]]]]]]]", "!!!!!!!!!!!!80"] {
            assert!(Numbers::ports(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_those_that_snort_and_psad_mean() {
        let toml = |text: &str, between| Numbers::value("ttl", text, 255, between).and_then(|numbers| numbers.toml());
        for (text, expected) in [
            ("7", "7"),
            ("=7", "7"),
            ("!7", "{ not = 7 }"),
            ("<7", "\"0-6\""),
            ("> 220", "\"221-255\""),
            ("<=7", "\"0-7\""),
            (">=7", "\"7-255\""),
            ("3-7", "\"3-7\""),
            ("3:7", "\"3-7\""),
            ("-7", "\"0-7\""),
            ("3-", "\"3-255\""),
            ("3<>7", "\"4-6\""),
        ] {
            assert_eq!(toml(text, Between::Exclusive).unwrap(), expected, "{text}");
        }
        assert_eq!(toml("3<>7", Between::Inclusive).unwrap(), "\"3-7\"");
        for text in ["", "x", "256", "7x", "<", "4294967296", "!"] {
            assert_eq!(toml(text, Between::Exclusive).unwrap_err().reason, Reason::Value, "{text}");
        }
        for text in ["<0", ">255", "9-3", "7<>8", "!0-255"] {
            assert_eq!(toml(text, Between::Exclusive).unwrap_err().reason, Reason::Never, "{text}");
        }
    }
}
