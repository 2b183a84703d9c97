//! Which line of the log belongs to an alert.

use crate::history::network_of;
use firebell_shared::alert::Alert;
use memchr::memmem;
use std::net::IpAddr;

/// Is this the line of a packet that the alert is about? Time that passes makes alerts too, also of others than who sent the line at hand.
#[must_use]
pub fn is_of(alert: &Alert, line: &[u8]) -> bool {
    let Some(sender) = sender(line) else { return false };
    let mut named = std::iter::once(&alert.source).chain(&alert.details.sources).filter(|source| !source.is_empty()).peekable();
    // An alert about this machine itself names nobody.
    named.peek().is_none() || named.any(|source| network_of(source).is_some_and(|network| network.contains(&sender)))
}

/// Who sent the packet of this line. What stands before `IN=` is the prefix, which says whatever somebody wanted it to say.
fn sender(line: &[u8]) -> Option<IpAddr> {
    let fields = line.get(memmem::find(line, b"IN=")?..)?;
    let rest = fields.get(memmem::find(fields, b" SRC=")? + 5..)?;
    let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
    std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert;

    #[test]
    fn a_line_belongs_to_the_alert_that_names_its_sender() {
        let mut alert = convert::alert(&convert::tests::finding());
        let line = |source: &str| format!("4,1,1,-;DROP SRC=192.0.2.9 IN=eth0 OUT= SRC={source} DST=198.51.100.10 LEN=44").into_bytes();
        assert!(is_of(&alert, &line("198.51.100.66")) && !is_of(&alert, &line("192.0.2.9")) && !is_of(&alert, b""));
        alert.source = "198.51.100.0/24".into();
        assert!(is_of(&alert, &line("198.51.100.7")) && !is_of(&alert, &line("198.51.101.7")));
        (alert.source, alert.details.sources) = (String::new(), vec!["192.0.2.1".into(), "192.0.2.2".into()]);
        assert!(is_of(&alert, &line("192.0.2.2")) && !is_of(&alert, &line("192.0.2.3")));
        alert.details.sources.clear();
        assert!(is_of(&alert, &line("192.0.2.3")) && !is_of(&alert, b"IN=eth0 SRC=x"));
    }
}
