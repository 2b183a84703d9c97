//! The MITRE ATT&CK techniques that a rule may name: those that a firewall's log can have to do with.
//!
//! Source: MITRE ATT&CK for Enterprise, version 17 (attack.mitre.org), ids and names.

/// A technique: its id, as `T1595.002`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Technique(&'static str);

impl Technique {
    /// The technique with this id, if it is one of ours.
    #[must_use]
    pub fn new(id: &str) -> Option<Self> {
        TECHNIQUES.binary_search_by(|(known, _)| (*known).cmp(id)).ok().and_then(|at| TECHNIQUES.get(at)).map(|(id, _)| Self(id))
    }

    /// Its id.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.0
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        TECHNIQUES.iter().find(|(id, _)| *id == self.0).map_or("", |(_, name)| name)
    }
}

/// In order of their ids.
const TECHNIQUES: &[(&str, &str)] = &[
    ("T1001", "Data Obfuscation"),
    ("T1008", "Fallback Channels"),
    ("T1011", "Exfiltration Over Other Network Medium"),
    ("T1016", "System Network Configuration Discovery"),
    ("T1018", "Remote System Discovery"),
    ("T1020.001", "Traffic Duplication"),
    ("T1021", "Remote Services"),
    ("T1021.001", "Remote Desktop Protocol"),
    ("T1021.002", "SMB/Windows Admin Shares"),
    ("T1021.003", "Distributed Component Object Model"),
    ("T1021.004", "SSH"),
    ("T1021.005", "VNC"),
    ("T1021.006", "Windows Remote Management"),
    ("T1040", "Network Sniffing"),
    ("T1041", "Exfiltration Over C2 Channel"),
    ("T1046", "Network Service Discovery"),
    ("T1048", "Exfiltration Over Alternative Protocol"),
    ("T1049", "System Network Connections Discovery"),
    ("T1059", "Command and Scripting Interpreter"),
    ("T1068", "Exploitation for Privilege Escalation"),
    ("T1071", "Application Layer Protocol"),
    ("T1071.001", "Web Protocols"),
    ("T1071.002", "File Transfer Protocols"),
    ("T1071.003", "Mail Protocols"),
    ("T1071.004", "DNS"),
    ("T1071.005", "Publish/Subscribe Protocols"),
    ("T1072", "Software Deployment Tools"),
    ("T1078", "Valid Accounts"),
    ("T1090", "Proxy"),
    ("T1090.001", "Internal Proxy"),
    ("T1090.002", "External Proxy"),
    ("T1090.003", "Multi-hop Proxy"),
    ("T1095", "Non-Application Layer Protocol"),
    ("T1102", "Web Service"),
    ("T1104", "Multi-Stage Channels"),
    ("T1105", "Ingress Tool Transfer"),
    ("T1110", "Brute Force"),
    ("T1110.001", "Password Guessing"),
    ("T1110.003", "Password Spraying"),
    ("T1110.004", "Credential Stuffing"),
    ("T1119", "Automated Collection"),
    ("T1133", "External Remote Services"),
    ("T1135", "Network Share Discovery"),
    ("T1187", "Forced Authentication"),
    ("T1189", "Drive-by Compromise"),
    ("T1190", "Exploit Public-Facing Application"),
    ("T1200", "Hardware Additions"),
    ("T1203", "Exploitation for Client Execution"),
    ("T1205", "Traffic Signaling"),
    ("T1205.001", "Port Knocking"),
    ("T1205.002", "Socket Filters"),
    ("T1210", "Exploitation of Remote Services"),
    ("T1219", "Remote Access Tools"),
    ("T1485", "Data Destruction"),
    ("T1486", "Data Encrypted for Impact"),
    ("T1489", "Service Stop"),
    ("T1495", "Firmware Corruption"),
    ("T1496", "Resource Hijacking"),
    ("T1498", "Network Denial of Service"),
    ("T1498.001", "Direct Network Flood"),
    ("T1498.002", "Reflection Amplification"),
    ("T1499", "Endpoint Denial of Service"),
    ("T1499.001", "OS Exhaustion Flood"),
    ("T1499.002", "Service Exhaustion Flood"),
    ("T1499.003", "Application Exhaustion Flood"),
    ("T1499.004", "Application or System Exploitation"),
    ("T1505.003", "Web Shell"),
    ("T1530", "Data from Cloud Storage"),
    ("T1542.005", "TFTP Boot"),
    ("T1543", "Create or Modify System Process"),
    ("T1552.005", "Cloud Instance Metadata API"),
    ("T1552.007", "Container API"),
    ("T1557", "Adversary-in-the-Middle"),
    ("T1557.001", "LLMNR/NBT-NS Poisoning and SMB Relay"),
    ("T1557.002", "ARP Cache Poisoning"),
    ("T1557.003", "DHCP Spoofing"),
    ("T1562.004", "Disable or Modify System Firewall"),
    ("T1563", "Remote Service Session Hijacking"),
    ("T1565.002", "Transmitted Data Manipulation"),
    ("T1568", "Dynamic Resolution"),
    ("T1568.002", "Domain Generation Algorithms"),
    ("T1570", "Lateral Tool Transfer"),
    ("T1571", "Non-Standard Port"),
    ("T1572", "Protocol Tunneling"),
    ("T1573", "Encrypted Channel"),
    ("T1583.005", "Botnet"),
    ("T1584.005", "Botnet"),
    ("T1584.008", "Network Devices"),
    ("T1588", "Obtain Capabilities"),
    ("T1588.002", "Tool"),
    ("T1589", "Gather Victim Identity Information"),
    ("T1590", "Gather Victim Network Information"),
    ("T1590.002", "DNS"),
    ("T1590.004", "Network Topology"),
    ("T1590.005", "IP Addresses"),
    ("T1590.006", "Network Security Appliances"),
    ("T1592", "Gather Victim Host Information"),
    ("T1592.001", "Hardware"),
    ("T1592.002", "Software"),
    ("T1592.004", "Client Configurations"),
    ("T1595", "Active Scanning"),
    ("T1595.001", "Scanning IP Blocks"),
    ("T1595.002", "Vulnerability Scanning"),
    ("T1595.003", "Wordlist Scanning"),
    ("T1599", "Network Boundary Bridging"),
    ("T1599.001", "Network Address Translation Traversal"),
    ("T1600", "Weaken Encryption"),
    ("T1601", "Modify System Image"),
    ("T1602", "Data from Configuration Repository"),
    ("T1602.001", "SNMP (MIB Dump)"),
    ("T1602.002", "Network Device Configuration Dump"),
    ("T1609", "Container Administration Command"),
    ("T1610", "Deploy Container"),
    ("T1611", "Escape to Host"),
    ("T1612", "Build Image on Host"),
    ("T1613", "Container and Resource Discovery"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_technique_is_found_by_its_id_and_shaped_as_mitre_writes_it() {
        assert!(TECHNIQUES.windows(2).all(|two| two[0].0 < two[1].0));
        for (id, name) in TECHNIQUES {
            assert_eq!(Technique::new(id).map(|technique| (technique.id(), technique.name())), Some((*id, *name)));
            let digits = id.strip_prefix('T').unwrap();
            let (main, sub) = digits.split_once('.').unwrap_or((digits, "001"));
            assert!(main.len() == 4 && sub.len() == 3 && (main.to_owned() + sub).bytes().all(|byte| byte.is_ascii_digit()), "{id}");
        }
        assert_eq!(Technique::new("T9999"), None);
        assert_eq!(Technique::new("t1046"), None);
    }
}
