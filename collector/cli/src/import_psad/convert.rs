//! A rule of psad or Snort, keyword by keyword, as one of ours.

use super::{
    Imported, Reason, Refusal,
    addresses::Addresses,
    lines::{self, Direction, Rule, unquoted},
    numbers::{Between, Numbers},
    quoted, quoted_list,
    variables::Variables,
};
use firebell_shared::text::safe;
use std::{collections::HashMap, fmt::Write as _};

/// Bounds of our language: bytes of a title, entries of a list.
const MAX_TITLE: usize = 120;
const MAX_REFERENCES: usize = 16;
/// A keyword with several ways to match (`flags:*SF`) becomes so many rules at most.
const MAX_ALTERNATIVES: usize = 16;

/// Conditions that must all hold: names and values of `[rule.match]`.
type Conditions = Vec<(&'static str, String)>;

/// Turns a file of rules into ours.
pub(super) fn signatures(bytes: &[u8], mut variables: Variables) -> Imported {
    let mut imported = Imported::default();
    let mut seen: HashMap<u32, usize> = HashMap::new();
    for (number, line) in lines::logical(bytes) {
        if imported.is_full(number) {
            break;
        }
        let line = String::from_utf8_lossy(&line);
        if variables.read_line(&line) {
            continue;
        }
        let rule = match Rule::parse(&line) {
            Ok(rule) => rule,
            Err(refusal) => {
                imported.refuse(number, "", &refusal);
                continue;
            }
        };
        let Some(id) = rule_number(&rule) else {
            imported.refuse(number, "", &Refusal::new(Reason::Number, ""));
            continue;
        };
        let whose = format!("rule {id}: ");
        if let Some(before) = seen.insert(id, number) {
            imported.refuse(number, &whose, &Refusal::new(Reason::Number, format!("{id} is that of line {before}")));
            continue;
        }
        match Converter::new(&rule, &variables).and_then(|converter| converter.finish(id, number)) {
            Ok((toml, notes)) => {
                imported.toml += &toml;
                imported.converted += 1;
                imported.weakened += usize::from(!notes.is_empty());
                for note in notes {
                    imported.note(number, format!("{whose}{note}; it becomes a hint"));
                }
            }
            Err(refusal) => {
                // fwsnort looks into the payload in the kernel, and names the rule in its log prefix.
                if refusal.reason == Reason::Payload {
                    let _ = write!(
                        imported.toml,
                        "\n# Line {number}: only as the name of a log prefix.\n[[sid]]\nnumber = {id}\ntitle = {}\n",
                        quoted(&title(&rule, id))
                    );
                }
                imported.refuse(number, &whose, &refusal);
            }
        }
    }
    imported
}

/// psad knows a rule by its sid, or by its psad_id where it was made from several.
fn rule_number(rule: &Rule<'_>) -> Option<u32> {
    rule.option("sid").or_else(|| rule.option("psad_id"))?.parse().ok()
}

fn title(rule: &Rule<'_>, id: u32) -> String {
    let text = rule.option("msg").map(unquoted).unwrap_or_default();
    let text = text.trim();
    if text.is_empty() { format!("Rule {id}") } else { safe(text.as_bytes(), MAX_TITLE) }
}

/// A rule while its keywords are read.
struct Converter<'a> {
    rule: &'a Rule<'a>,
    proto: Proto,
    src: Addresses,
    dst: Addresses,
    sport: Numbers,
    dport: Numbers,
    /// Ours are the source's when the file says `$HOME_NET`: then our own packets are meant too.
    is_from_home: bool,
    is_same_address: bool,
    flags: Option<Flags>,
    needs_ack: bool,
    conditions: Conditions,
    /// Several ways in which one keyword can match.
    ways: Vec<Conditions>,
    count: Option<String>,
    notes: Vec<String>,
    /// Something beside protocol, addresses, ports, a SYN and an everyday ICMP type is asked for.
    is_telling: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proto {
    Tcp,
    Udp,
    UdpLite,
    Icmp,
    Any,
}

impl Proto {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::UdpLite => "udplite",
            Self::Icmp => "icmp",
            Self::Any => "ip",
        }
    }
}

impl<'a> Converter<'a> {
    fn new(rule: &'a Rule<'a>, variables: &Variables) -> Result<Self, Refusal> {
        if !["alert", "log", "drop", "reject", "sdrop", "block"].contains(&rule.action) {
            return Err(Refusal::new(Reason::Action, rule.action));
        }
        let proto = [Proto::Tcp, Proto::Udp, Proto::UdpLite, Proto::Icmp, Proto::Any]
            .into_iter()
            .find(|proto| proto.as_str().eq_ignore_ascii_case(rule.proto))
            .ok_or_else(|| Refusal::new(Reason::Protocol, rule.proto))?;
        let addresses = |text| Addresses::parse(&variables.expand(text)?);
        let ports = |text| -> Result<Numbers, Refusal> {
            let ports = Numbers::ports(&variables.expand(text)?)?;
            if matches!(proto, Proto::Icmp | Proto::Any) && !ports.is_all() {
                return Err(Refusal::new(Reason::Value, format!("port {text} of {}", proto.as_str())));
            }
            if ports.is_empty() { Err(Refusal::new(Reason::Never, format!("port {text}"))) } else { Ok(ports) }
        };
        let mut converter = Self {
            rule,
            proto,
            src: addresses(rule.src)?,
            dst: addresses(rule.dst)?,
            sport: ports(rule.sport)?,
            dport: ports(rule.dport)?,
            is_from_home: rule.src.contains("$HOME_NET") && !rule.src.contains('!'),
            is_same_address: false,
            flags: None,
            needs_ack: false,
            conditions: Vec::new(),
            ways: vec![Vec::new()],
            count: None,
            notes: Vec::new(),
            is_telling: false,
        };
        // What looks into the payload is told as that, whatever else is wrong with it.
        if let Some((name, _)) = rule.options.iter().find(|(name, _)| is_payload(name)) {
            return Err(Refusal::new(Reason::Payload, name));
        }
        for (name, value) in &rule.options {
            converter.keyword(name, value)?;
        }
        Ok(converter)
    }

    fn keyword(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        match name {
            // What tells of the rule, and what is done about a match.
            "msg" | "sid" | "psad_id" | "psad_dl" | "psad_derived_sids" | "reference" | "classtype" | "rev" | "gid" | "metadata"
            | "priority" | "logto" | "tag" | "session" | "resp" | "react" | "target" | "stateless" => {}
            "flags" => self.flags(value)?,
            "flow" => self.flow(value)?,
            "sameip" => {
                self.is_same_address = true;
                self.is_telling = true;
            }
            "itype" => self.number("icmp-type", name, value, 0xff, Proto::Icmp)?,
            "icode" => self.number("icmp-code", name, value, 0xff, Proto::Icmp)?,
            "icmp_id" => self.number("icmp-id", name, value, 0xffff, Proto::Icmp)?,
            "icmp_seq" => self.number("icmp-seq", name, value, 0xffff, Proto::Icmp)?,
            "window" => self.number("window", name, value, 0xffff, Proto::Tcp)?,
            "seq" => self.number("seq", name, value, u32::MAX, Proto::Tcp)?,
            "ack" => self.number("ack", name, value, u32::MAX, Proto::Tcp)?,
            "ttl" => self.number("ttl", name, value, 0xff, self.proto)?,
            "id" => self.number("id", name, value, 0xffff, self.proto)?,
            "psad_ip_len" => self.number("len", name, value, 0xffff, self.proto)?,
            "ip_proto" => self.ip_proto(value)?,
            "tos" => self.tos(value)?,
            "dsize" | "psad_dsize" => {
                if self.proto == Proto::Any {
                    return Err(Refusal::new(Reason::Keyword, format!("{name} of ip")));
                }
                let size = Numbers::value(name, value, 0xffff, Between::Inclusive)?;
                self.condition("payload", size.toml()?);
            }
            "fragoffset" => {
                let offset = Numbers::value(name, value, 0x1fff, Between::Exclusive)?;
                // The log says nothing where the offset is 0.
                let later = Numbers::value(name, ">0", 0x1fff, Between::Exclusive)?;
                if offset == later {
                    self.condition("frag", "\"1-8191\"".to_owned());
                } else if value.trim_start_matches(['>', '=']).trim().parse::<u32>().is_ok_and(|least| least > 0) {
                    self.condition("frag", offset.toml()?);
                } else {
                    return Err(Refusal::new(Reason::Keyword, format!("{name}:{value}")));
                }
            }
            "fragbits" => self.fragbits(value)?,
            "ipopts" => self.ipopts(value)?,
            "detection_filter" | "threshold" => self.threshold(name, value)?,
            "flowbits" | "flowint" | "xbits" | "hostbits" | "activates" | "activated_by" | "count" | "stream_size" | "noalert" => {
                return Err(Refusal::new(Reason::State, name));
            }
            _ => return Err(Refusal::new(Reason::Keyword, name)),
        }
        Ok(())
    }

    fn condition(&mut self, name: &'static str, value: String) {
        self.is_telling = true;
        self.conditions.push((name, value));
    }

    fn number(&mut self, ours: &'static str, theirs: &str, value: &str, max: u32, proto: Proto) -> Result<(), Refusal> {
        if self.proto != proto {
            return Err(Refusal::new(Reason::Keyword, format!("{theirs} of {}", self.proto.as_str())));
        }
        self.condition(ours, Numbers::value(theirs, value, max, Between::Exclusive)?.toml()?);
        Ok(())
    }

    fn ip_proto(&mut self, value: &str) -> Result<(), Refusal> {
        let named = ["icmp", "igmp", "tcp", "udp", "gre", "esp", "ah", "sctp"].iter().zip(["1", "2", "6", "17", "47", "50", "51", "132"]);
        let value = named
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(value.trim_start_matches('!').trim()))
            .map_or_else(|| value.to_owned(), |(_, number)| format!("{}{number}", if value.starts_with('!') { "!" } else { "" }));
        self.number("ip-proto", "ip_proto", &value, 0xff, Proto::Any)
    }

    /// The kernel prints the byte in two parts, and leaves out the lowest bit (`nf_log_syslog.c`, `IPTOS_TOS`, `IPTOS_PREC`).
    fn tos(&mut self, value: &str) -> Result<(), Refusal> {
        let tos: u8 = value.trim().parse().map_err(|_| Refusal::new(Reason::Value, format!("tos:{value}")))?;
        if tos & 1 != 0 {
            return Err(Refusal::new(Reason::Keyword, format!("tos:{value}")));
        }
        self.condition("tos", (tos & 0x1e).to_string());
        self.condition("prec", (tos & 0xe0).to_string());
        Ok(())
    }

    fn ipopts(&mut self, value: &str) -> Result<(), Refusal> {
        // Type bytes, as psad's ip_options and the Snort manual name them.
        const OPTIONS: [(&str, u8); 23] = [
            ("eol", 0),
            ("nop", 1),
            ("rr", 7),
            ("expm", 10),
            ("mtu", 11),
            ("mtur", 12),
            ("ts", 68),
            ("traceroute", 82),
            ("sec", 130),
            ("lsrr", 131),
            ("lsrre", 132),
            ("esec", 133),
            ("extsec", 133),
            ("comsec", 134),
            ("satid", 136),
            ("ssrr", 137),
            ("extproto", 145),
            ("addrext", 147),
            ("ralert", 148),
            ("sbrdcast", 149),
            ("nsapaddr", 150),
            ("dpktstate", 151),
            ("umcast", 152),
        ];
        let kind = OPTIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(value)).map(|(_, kind)| kind);
        let kind = kind.ok_or_else(|| Refusal::new(Reason::Keyword, format!("ipopts:{value}")))?;
        self.condition("ip-option", format!("[{kind}]"));
        Ok(())
    }

    /// `[!*+]MDR`: more fragments, do not fragment, reserved.
    fn fragbits(&mut self, value: &str) -> Result<(), Refusal> {
        const BITS: [(char, &str); 3] = [('M', "mf"), ('D', "df"), ('R', "ce")];
        let wrong = || Refusal::new(Reason::Value, format!("fragbits:{value}"));
        let (bits, how): (String, String) = value.chars().filter(|c| !c.is_ascii_whitespace()).partition(char::is_ascii_alphabetic);
        if bits.is_empty() || bits.chars().any(|bit| !BITS.iter().any(|(known, _)| *known == bit)) {
            return Err(wrong());
        }
        let (named, others): (Vec<_>, Vec<_>) = BITS.into_iter().partition(|(bit, _)| bits.contains(*bit));
        let all = |bits: &[(char, &'static str)], is_set: bool| -> Conditions {
            bits.iter().map(|(_, name)| (*name, is_set.to_string())).collect()
        };
        match how.as_str() {
            "" => self.conditions.extend(all(&named, true).into_iter().chain(all(&others, false))),
            "+" => self.conditions.extend(all(&named, true)),
            "!" => self.conditions.extend(all(&named, false)),
            "*" => self.any_of(&named.iter().map(|(_, name)| vec![(*name, "true".to_owned())]).collect::<Vec<_>>())?,
            _ => return Err(wrong()),
        }
        self.is_telling = true;
        Ok(())
    }

    fn flags(&mut self, value: &str) -> Result<(), Refusal> {
        if self.proto != Proto::Tcp {
            return Err(Refusal::new(Reason::Keyword, format!("flags of {}", self.proto.as_str())));
        }
        self.flags = Some(Flags::parse(value)?);
        Ok(())
    }

    /// A condition that is not looked at, or only in part; said once.
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    fn flow(&mut self, value: &str) -> Result<(), Refusal> {
        for word in value.split(',').map(str::trim) {
            match word {
                "stateless" | "no_stream" => {}
                // A segment of an open connection always has ACK; psad looks for no more either.
                "established" => {
                    self.needs_ack = self.proto == Proto::Tcp;
                    self.note("flow:established is looked for only as the flag ACK".to_owned());
                }
                "to_server" | "to_client" | "from_server" | "from_client" | "not_established" | "only_stream" => {
                    self.note(format!("flow:{word} is not looked at"));
                }
                "no_frag" => self.condition("fragment", "false".to_owned()),
                "only_frag" => self.condition("fragment", "true".to_owned()),
                _ => return Err(Refusal::new(Reason::Value, format!("flow:{word}"))),
            }
        }
        Ok(())
    }

    /// `track by_src, count 5, seconds 60`; `threshold` has also `type limit|threshold|both`.
    fn threshold(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let wrong = || Refusal::new(Reason::Value, format!("{name}:{value}"));
        let words = |key: &str| value.split(',').find_map(|part| part.trim().strip_prefix(key).map(str::trim));
        if words("type ") == Some("limit") {
            // That limits how often it is told, not what matches.
            return Ok(());
        }
        let track = match words("track ").ok_or_else(wrong)? {
            "by_src" => "src",
            "by_dst" => "dst",
            _ => return Err(wrong()),
        };
        let count: u32 = words("count ").and_then(|count| count.parse().ok()).ok_or_else(wrong)?;
        let seconds: u32 = words("seconds ").and_then(|seconds| seconds.parse().ok()).ok_or_else(wrong)?;
        // "After more than" and "every".
        let at_least = if name == "detection_filter" { count.saturating_add(1) } else { count };
        if at_least < 2 {
            return Ok(());
        }
        if at_least > 0xffff || !(1..=86_400).contains(&seconds) {
            return Err(wrong());
        }
        self.count = Some(format!("[rule.count]\nat-least = {at_least}\nwithin = \"{seconds}s\"\nper = \"{track}\"\n"));
        Ok(())
    }

    /// A ping, its answer, "unreachable" and "time exceeded" with the codes that they have (RFC 792, RFC 1812) tell no more than a port.
    fn is_everyday_icmp(&self) -> bool {
        let value = |name: &str| self.conditions.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        let last_code = match value("icmp-type") {
            Some("0" | "8") => 0,
            Some("3") => 15,
            Some("11") => 1,
            _ => return false,
        };
        let is_known_code = value("icmp-code").is_none_or(|code| code.parse::<u8>().is_ok_and(|code| code <= last_code));
        is_known_code && self.conditions.iter().all(|(name, _)| matches!(*name, "icmp-type" | "icmp-code"))
    }

    /// One of `ways` must hold, beside all else.
    fn any_of(&mut self, ways: &[Conditions]) -> Result<(), Refusal> {
        if self.ways.len() * ways.len() > MAX_ALTERNATIVES {
            return Err(Refusal::new(Reason::Value, format!("more than {MAX_ALTERNATIVES} ways to match")));
        }
        self.ways = self.ways.iter().flat_map(|before| ways.iter().map(move |way| before.iter().chain(way).cloned().collect())).collect();
        Ok(())
    }

    /// The rule, or rules, as TOML, and what is not looked at.
    fn finish(mut self, id: u32, line: usize) -> Result<(String, Vec<String>), Refusal> {
        if self.is_same_address {
            // The sender is a relation then; a list of senders is as good on the other side.
            if self.dst.is_any() {
                self.dst = std::mem::take(&mut self.src);
            } else if !self.src.is_any() && self.src != self.dst {
                return Err(Refusal::new(Reason::Keyword, "sameip with two lists of addresses"));
            }
            // psad leaves out the loopback interface, where it is the rule.
            self.conditions.push(("in", format!("{{ regex = {} }}", quoted("^([^l]|l[^o]|lo.)"))));
        }
        if let Some(flags) = self.flags.clone() {
            self.is_telling |= !flags.is_plain_syn();
            self.any_of(&flags.ways(self.needs_ack))?;
        } else if self.needs_ack {
            self.conditions.push(("flags", "{ set = [\"ACK\"] }".to_owned()));
        }
        self.is_telling &= !self.is_everyday_icmp();
        if self.proto == Proto::Any && !self.is_same_address && self.src.is_any() && self.dst.is_any() && !self.is_telling {
            return Err(Refusal::new(Reason::Value, "it fits every packet"));
        }
        let both = self.rule.direction == Direction::Both && (self.src != self.dst || self.sport != self.dport);
        let mut toml = String::new();
        let mut n = 0;
        for is_back in [false, true] {
            if is_back && !both {
                break;
            }
            for way in &self.ways {
                n += 1;
                let suffix = if n == 1 { String::new() } else { format!("-{n}") };
                self.write(&mut toml, id, &suffix, line, is_back, way)?;
            }
        }
        Ok((toml, self.notes))
    }

    fn write(&self, out: &mut String, id: u32, suffix: &str, line: usize, is_back: bool, way: &Conditions) -> Result<(), Refusal> {
        let level = self.rule.option("psad_dl").map(|level| level.parse::<u8>().ok().filter(|level| *level <= 5)).unwrap_or(Some(2));
        let level = level.ok_or_else(|| Refusal::new(Reason::Value, "psad_dl"))?;
        let is_hint = !self.is_telling || !self.notes.is_empty();
        // A hint is no more severe.
        let severity = if is_hint { level.clamp(1, 2) } else { level.max(1) };
        let (references, cves) = references(self.rule);
        // Writing to a String cannot fail.
        let _ = write!(out, "\n# Line {line}.\n[[rule]]\nid = \"sid-{id}{suffix}\"\ntitle = {}\n", quoted(&title(self.rule, id)));
        let _ = writeln!(out, "severity = {}\nconfidence = \"{}\"", severity, if is_hint { "hint" } else { "likely" });
        let class = self.rule.option("classtype").unwrap_or_default();
        let _ = writeln!(out, "category = \"{}\"", category(class));
        if !cves.is_empty() {
            let _ = writeln!(out, "cve = {}", quoted_list(cves.iter().map(String::as_str)));
        }
        if !references.is_empty() {
            let _ = writeln!(out, "references = {}", quoted_list(references.iter().map(String::as_str)));
        }
        let mut why = format!("Imported rule {id}");
        if !class.is_empty() {
            let _ = write!(why, " ({})", safe(class.as_bytes(), 60));
        }
        why += ".";
        for note in &self.notes {
            let _ = write!(why, " Of its conditions, {note}.");
        }
        let _ = writeln!(out, "why = {}", quoted(&safe(why.as_bytes(), 500)));
        if level == 0 {
            out.push_str("enabled = false\n");
        }
        out.push_str("[rule.match]\n");
        let mut put = |name: &str, value: &str| {
            let _ = writeln!(out, "{name} = {value}");
        };
        if self.proto != Proto::Any {
            put("proto", &quoted(self.proto.as_str()));
        }
        let (src, dst, sport, dport) =
            if is_back { (&self.dst, &self.src, &self.dport, &self.sport) } else { (&self.src, &self.dst, &self.sport, &self.dport) };
        if self.is_same_address {
            put("src", "\"dst\"");
            if !self.dst.is_any() {
                put("dst", &self.dst.toml());
            }
        } else {
            for (name, addresses) in [("src", src), ("dst", dst)] {
                if !addresses.is_any() {
                    put(name, &addresses.toml());
                }
            }
        }
        for (name, ports) in [("sport", sport), ("dport", dport)] {
            if !ports.is_all() {
                put(name, &ports.toml()?);
            }
        }
        for (name, value) in self.conditions.iter().chain(way) {
            put(name, value);
        }
        // psad looks at what was logged in every chain; without this ours leaves out our own packets.
        if self.is_from_home || self.rule.direction == Direction::Both {
            put("direction", "[\"in\", \"out\", \"forward\"]");
        }
        out.push_str(self.count.as_deref().unwrap_or_default());
        Ok(())
    }
}

/// TCP flags as a rule asks for them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Flags {
    how: How,
    named: Vec<&'static str>,
    /// After a comma: not looked at.
    ignored: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Exactly,
    All,
    Any,
    None,
}

impl Flags {
    const NAMES: [&'static str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

    /// `[!*+]FSRPAUCE120[,mask]`: exactly these; `+` these and others; `*` one of these; `!` none of these.
    fn parse(text: &str) -> Result<Self, Refusal> {
        let wrong = || Refusal::new(Reason::Value, format!("flags:{text}"));
        let (flags, mask) = text.split_once(',').unwrap_or((text, ""));
        let (letters, how): (String, String) = flags.chars().filter(|c| !c.is_ascii_whitespace()).partition(char::is_ascii_alphanumeric);
        let how = match how.as_str() {
            "" => How::Exactly,
            "+" => How::All,
            "*" => How::Any,
            "!" => How::None,
            _ => return Err(wrong()),
        };
        let named = Self::letters(&letters).ok_or_else(wrong)?;
        if letters.is_empty() || (how != How::Exactly && named.is_empty()) {
            return Err(wrong());
        }
        Ok(Self { how, named, ignored: Self::letters(mask.trim()).ok_or_else(wrong)? })
    }

    fn letters(text: &str) -> Option<Vec<&'static str>> {
        let mut flags = Vec::new();
        for letter in text.chars() {
            let flag = match letter.to_ascii_uppercase() {
                'F' => "FIN",
                'S' => "SYN",
                'R' => "RST",
                'P' => "PSH",
                'A' => "ACK",
                'U' => "URG",
                // The two were reserved bits once.
                'E' | '2' => "ECE",
                'C' | '1' => "CWR",
                '0' | 'N' if text.len() == 1 => continue,
                _ => return None,
            };
            if !flags.contains(&flag) {
                flags.push(flag);
            }
        }
        Some(flags)
    }

    /// All that is asked for is a connection request.
    fn is_plain_syn(&self) -> bool {
        matches!(self.how, How::Exactly | How::All) && self.named == ["SYN"]
    }

    /// The ways in which it can match.
    fn ways(mut self, needs_ack: bool) -> Vec<Conditions> {
        if needs_ack && self.how == How::Exactly && !self.named.contains(&"ACK") {
            self.named.push("ACK");
        }
        let list = |flags: &[&'static str]| quoted_list(flags.iter().copied());
        let also = if needs_ack && self.how != How::Exactly { Some("ACK") } else { None };
        let with = |mut set: Vec<&'static str>, clear: Vec<&'static str>| {
            set.extend(also.filter(|flag| !set.contains(flag)));
            let mut parts = Vec::new();
            for (name, flags) in [("set", &set), ("clear", &clear)] {
                if !flags.is_empty() {
                    parts.push(format!("{name} = {}", list(flags)));
                }
            }
            vec![("flags", format!("{{ {} }}", parts.join(", ")))]
        };
        match self.how {
            How::Exactly if self.ignored.is_empty() => vec![vec![("flags", list(&self.named))]],
            How::Exactly => {
                let looked_at = |flag: &&str| !self.ignored.contains(flag);
                let set: Vec<_> = self.named.iter().copied().filter(|flag| looked_at(flag)).collect();
                let clear = Self::NAMES.into_iter().filter(|flag| looked_at(flag) && !set.contains(flag)).collect();
                vec![with(set.clone(), clear)]
            }
            How::All => vec![with(self.named, Vec::new())],
            How::None => vec![with(Vec::new(), self.named)],
            // The first of them that is set, so that a packet is not counted twice.
            How::Any => (0..self.named.len())
                .map(|n| {
                    let (before, rest) = self.named.split_at(n);
                    with(rest.first().copied().into_iter().collect(), before.to_vec())
                })
                .collect(),
        }
    }
}

/// Keywords that look at what a log does not show, in Snort 2, Snort 3 and Suricata.
fn is_payload(name: &str) -> bool {
    const NAMES: [&str; 38] = [
        "content",
        "content-list",
        "uricontent",
        "urilen",
        "pcre",
        "regex",
        "byte_test",
        "byte_jump",
        "byte_extract",
        "byte_math",
        "isdataat",
        "bsize",
        "offset",
        "depth",
        "distance",
        "within",
        "nocase",
        "rawbytes",
        "fast_pattern",
        "startswith",
        "endswith",
        "file_data",
        "pkt_data",
        "raw_data",
        "base64_decode",
        "base64_data",
        "asn1",
        "cvs",
        "rpc",
        "ftpbounce",
        "sd_pattern",
        "replace",
        "cmd_data",
        "app-layer-event",
        "app-layer-protocol",
        "ja3_hash",
        "ja3s.hash",
        "filemagic",
    ];
    const FAMILIES: [&str; 16] =
        ["http", "dns", "tls", "ssl", "ssh", "smtp", "smb", "sip", "dce_", "gtp_", "modbus", "dnp3", "file", "krb5", "ftp", "mqtt"];
    NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family) && name.len() > family.len())
}

fn category(class: &str) -> &'static str {
    match class {
        "trojan-activity" | "shellcode-detect" | "malware-cnc" | "successful-admin" | "successful-user" => "malware",
        "attempted-dos" | "successful-dos" | "denial-of-service" => "flood",
        "network-scan" => "scan",
        "not-suspicious" | "misc-activity" | "icmp-event" | "policy-violation" | "tcp-connection" => "information",
        _ => "probe",
    }
}

/// References as people write them, and the CVE numbers among them.
fn references(rule: &Rule<'_>) -> (Vec<String>, Vec<String>) {
    let (mut references, mut cves) = (Vec::new(), Vec::new());
    for (name, value) in &rule.options {
        let text = match name.as_str() {
            "psad_derived_sids" => format!("Snort sid {value}"),
            "reference" => {
                let Some((system, what)) = value.split_once(',') else { continue };
                let (system, what) = (system.trim().to_ascii_lowercase(), unquoted(what.trim()));
                if system == "cve"
                    && let Some(cve) = cve(&what)
                {
                    if !cves.contains(&cve) && cves.len() < MAX_REFERENCES {
                        cves.push(cve);
                    }
                    continue;
                }
                match system.as_str() {
                    "url" if what.contains("://") => what,
                    "url" => format!("http://{what}"),
                    "bugtraq" => format!("Bugtraq {what}"),
                    "arachnids" => format!("arachNIDS {what}"),
                    "nessus" => format!("Nessus {what}"),
                    "mcafee" => format!("McAfee {what}"),
                    _ => format!("{system} {what}"),
                }
            }
            _ => continue,
        };
        let text = safe(text.as_bytes(), 200);
        if references.len() < MAX_REFERENCES && !references.contains(&text) {
            references.push(text);
        }
    }
    (references, cves)
}

/// `1999-0265`, `CVE-1999-0265`, `CAN-2001-0540`.
fn cve(text: &str) -> Option<String> {
    let number = text.trim().trim_start_matches("CVE-").trim_start_matches("CAN-");
    let (year, serial) = number.split_once('-')?;
    let is_digits = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    (is_digits(year, 4..=4) && is_digits(serial, 4..=7)).then(|| format!("CVE-{number}"))
}
