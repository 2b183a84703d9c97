//! Variables of psad.conf and of Snort's configuration: `$HOME_NET`.

use super::{Reason, Refusal, lines};
use std::collections::HashMap;

/// What one text may become, in bytes, and by how many replacements: variables can name each other.
const MAX_TEXT: usize = 16 << 10;
const MAX_REPLACEMENTS: usize = 512;
/// So many variables are kept.
const MAX_VARIABLES: usize = 4096;

/// Names and values.
#[derive(Clone, Debug)]
pub(super) struct Variables(HashMap<String, String>);

/// Is this what a variable can be called?
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Variables {
    /// Those that psad.conf and snort.conf come with.
    pub(super) fn of_psad() -> Self {
        let home = [
            "HTTP_SERVERS",
            "SMTP_SERVERS",
            "DNS_SERVERS",
            "SQL_SERVERS",
            "TELNET_SERVERS",
            "SSH_SERVERS",
            "FTP_SERVERS",
            "SIP_SERVERS",
            "SNMP_SERVERS",
        ];
        let mut variables = Self(home.into_iter().map(|name| (name.to_owned(), "$HOME_NET".to_owned())).collect());
        for (name, value) in [
            ("HOME_NET", "any"),
            ("EXTERNAL_NET", "any"),
            ("HTTP_PORTS", "80"),
            ("SHELLCODE_PORTS", "!80"),
            ("ORACLE_PORTS", "1521"),
            ("SSH_PORTS", "22"),
            ("FTP_PORTS", "21"),
            ("SIP_PORTS", "[5060,5061]"),
        ] {
            variables.set(name, value);
        }
        variables
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        if self.0.len() < MAX_VARIABLES && is_name(name) && value.len() <= MAX_TEXT {
            self.0.insert(name.to_owned(), value.trim().to_owned());
        }
    }

    /// Takes over `NAME value;` lines.
    pub(super) fn read_psad_conf(&mut self, bytes: &[u8]) {
        for (_, line) in lines::logical(bytes) {
            let line = String::from_utf8_lossy(&line);
            if let Some((name, value)) = line.split_once(|c: char| c.is_ascii_whitespace())
                && let Some((value, _)) = value.split_once(';')
            {
                self.set(name, value);
            }
        }
    }

    /// Takes over `var NAME value`, `ipvar` and `portvar` of a rule file. False: it is none of these.
    pub(super) fn read_line(&mut self, line: &str) -> bool {
        let mut words = line.splitn(3, |c: char| c.is_ascii_whitespace());
        if !matches!(words.next(), Some("var" | "ipvar" | "portvar")) {
            return false;
        }
        if let (Some(name), Some(value)) = (words.next(), words.next()) {
            self.set(name, value);
        }
        true
    }

    /// `text` with the values in place of the names.
    pub(super) fn expand(&self, text: &str) -> Result<String, Refusal> {
        let mut out = text.to_owned();
        let mut from = 0;
        for _ in 0..MAX_REPLACEMENTS {
            let Some((start, rest)) =
                out.get(from..).and_then(|rest| rest.split_once('$')).map(|(before, rest)| (from + before.len(), rest))
            else {
                return Ok(out);
            };
            let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let name = rest.get(..length).unwrap_or_default();
            match self.0.get(name) {
                Some(value) => out.replace_range(start..=start + length, value),
                // firebell's own.
                None if matches!(name, "home" | "lan" | "internet") => from = start + 1,
                None => return Err(Refusal::new(Reason::Variable, format!("${name}"))),
            }
            if out.len() > MAX_TEXT {
                break;
            }
        }
        Err(Refusal::new(Reason::Variable, format!("{text} has no end")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_name_each_other_and_later_ones_win() {
        let mut variables = Variables::of_psad();
        variables.read_psad_conf(
            b"### comment\nHOME_NET                    10.0.0.0/8, 192.168.1.0/24;  ### ours\nIPT_SYSLOG_FILE /var/log/messages;\n",
        );
        assert_eq!(variables.expand("$HTTP_SERVERS").unwrap(), "10.0.0.0/8, 192.168.1.0/24");
        assert!(variables.read_line("portvar HTTP_PORTS [80,8080]"));
        assert!(!variables.read_line("alert tcp any any -> any any (sid:1;)"));
        assert_eq!(variables.expand("[!$HTTP_PORTS,$internet]").unwrap(), "[![80,8080],$internet]");
        assert_eq!(variables.expand("$NOBODY").unwrap_err(), Refusal::new(Reason::Variable, "$NOBODY"));
    }

    #[test]
    fn variables_that_grow_without_end_are_refused() {
        let mut variables = Variables::of_psad();
        variables.set("A", "$B$B$B$B$B$B$B$B");
        variables.set("B", "$C$C$C$C$C$C$C$C");
        variables.set("C", "$D$D$D$D$D$D$D$D");
        variables.set("D", "");
        variables.set("LOOP", "[1,$LOOP]");
        assert_eq!(variables.expand("$A").unwrap_err().reason, Reason::Variable);
        assert_eq!(variables.expand("$LOOP").unwrap_err().reason, Reason::Variable);
    }
}
