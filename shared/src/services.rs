//! What people call ports: the one table of service names.
//!
//! Numbers and services: IANA "Service Name and Transport Protocol Port Number Registry", and for those that are not registered for
//! what everybody runs there (Docker, Redis Sentinel, Android debugging, Minecraft, ...) the manual of that software. The names are
//! the everyday ones: `SSH` rather than `ssh`, `remote desktop` rather than `ms-wbt-server`. A name holds for TCP and UDP alike, so a
//! port that means two unlike things is named for both or left out.

/// Port and name, the most telling first: where there is room for a few only, these are named.
pub const SERVICES: &[(u16, &str)] = &[
    (22, "SSH"),
    (3389, "remote desktop"),
    (445, "Windows shares"),
    (80, "HTTP"),
    (443, "HTTPS"),
    (23, "Telnet"),
    (21, "FTP"),
    (5900, "VNC"),
    (3306, "MySQL"),
    (5432, "PostgreSQL"),
    (25, "SMTP"),
    (53, "DNS"),
    (161, "SNMP"),
    (139, "NetBIOS"),
    (135, "Windows RPC"),
    (1433, "SQL Server"),
    (6379, "Redis"),
    (27017, "MongoDB"),
    (9200, "Elasticsearch"),
    (2375, "Docker"),
    (5060, "SIP"),
    (1900, "UPnP"),
    (2049, "NFS"),
    (631, "printing"),
    (389, "LDAP"),
    (110, "POP3"),
    (143, "IMAP"),
    (123, "NTP"),
    (69, "TFTP"),
    (8080, "HTTP proxy"),
    (2323, "Telnet"),
    (5555, "Android debugging"),
    // The others by their number.
    (7, "echo"),
    (9, "discard"),
    (11, "systat"),
    (13, "daytime"),
    (17, "quote of the day"),
    (19, "chargen"),
    (20, "FTP data"),
    (37, "time"),
    (43, "whois"),
    (49, "TACACS"),
    (67, "DHCP"),
    (68, "DHCP"),
    (70, "Gopher"),
    (79, "finger"),
    (88, "Kerberos"),
    (102, "Siemens S7"),
    (111, "RPC port mapper"),
    (113, "ident"),
    (119, "news"),
    (137, "NetBIOS names"),
    (138, "NetBIOS datagrams"),
    (162, "SNMP traps"),
    (177, "XDMCP"),
    (179, "BGP"),
    (427, "SLP"),
    (464, "Kerberos passwords"),
    (465, "SMTP over TLS"),
    (500, "IPsec"),
    (502, "Modbus"),
    (512, "rexec"),
    (513, "rlogin"),
    (514, "syslog or rsh"),
    (515, "printing"),
    (520, "RIP"),
    (546, "DHCPv6"),
    (547, "DHCPv6"),
    (548, "Apple file sharing"),
    (554, "RTSP cameras"),
    (587, "mail submission"),
    (623, "IPMI"),
    (636, "LDAP over TLS"),
    (853, "DNS over TLS"),
    (873, "rsync"),
    (902, "VMware"),
    (989, "FTP over TLS"),
    (990, "FTP over TLS"),
    (993, "IMAP over TLS"),
    (995, "POP3 over TLS"),
    (1080, "SOCKS proxy"),
    (1099, "Java RMI"),
    (1194, "OpenVPN"),
    (1434, "SQL Server"),
    (1521, "Oracle"),
    (1701, "L2TP"),
    (1723, "PPTP"),
    (1812, "RADIUS"),
    (1813, "RADIUS"),
    (1883, "MQTT"),
    (2181, "ZooKeeper"),
    (2222, "SSH"),
    (2376, "Docker"),
    (2379, "etcd"),
    (2380, "etcd"),
    (2404, "IEC 104"),
    (3050, "Firebird"),
    (3128, "HTTP proxy"),
    (3260, "iSCSI"),
    (3268, "Active Directory"),
    (3269, "Active Directory"),
    (3283, "Apple remote desktop"),
    (3478, "STUN"),
    (3690, "Subversion"),
    (3702, "WS-Discovery"),
    (4369, "Erlang"),
    (4500, "IPsec"),
    (4505, "Salt"),
    (4506, "Salt"),
    (4840, "OPC UA"),
    (4899, "Radmin"),
    (5061, "SIP over TLS"),
    (5222, "XMPP"),
    (5269, "XMPP"),
    (5353, "mDNS"),
    (5355, "LLMNR"),
    (5666, "Nagios"),
    (5671, "AMQP"),
    (5672, "AMQP"),
    (5683, "CoAP"),
    (5938, "TeamViewer"),
    (5984, "CouchDB"),
    (5985, "Windows remote management"),
    (5986, "Windows remote management"),
    (6000, "X11"),
    (6443, "Kubernetes"),
    (6667, "IRC"),
    (6697, "IRC over TLS"),
    (7547, "router management (TR-069)"),
    (8008, "HTTP"),
    (8009, "AJP"),
    (8086, "InfluxDB"),
    (8291, "MikroTik Winbox"),
    (8443, "HTTPS"),
    (8728, "MikroTik API"),
    (8883, "MQTT over TLS"),
    (9042, "Cassandra"),
    (9092, "Kafka"),
    (9100, "printing"),
    (9418, "Git"),
    (10000, "Webmin"),
    (10050, "Zabbix"),
    (10051, "Zabbix"),
    (10250, "Kubernetes"),
    (11211, "memcached"),
    (15672, "RabbitMQ"),
    (20000, "DNP3"),
    (25565, "Minecraft"),
    (26379, "Redis Sentinel"),
    (37215, "Huawei routers"),
    (37777, "Dahua cameras"),
    (44818, "EtherNet/IP"),
    (47808, "BACnet"),
    (50000, "SAP or Db2"),
    (51820, "WireGuard"),
];

/// What people call the port, if they call it anything.
#[must_use]
pub fn name(port: u16) -> Option<&'static str> {
    SERVICES.iter().find(|(known, _)| *known == port).map(|(_, name)| *name)
}

/// A list of ports for people: `22-25,80` as `22-25, 80 (HTTP)`. Ranges keep their numbers; what is no list stays as it is.
#[must_use]
pub fn told(list: &str) -> String {
    let named = |range: &str| match range.parse().ok().and_then(name) {
        Some(name) => format!("{range} ({name})"),
        None => range.to_owned(),
    };
    list.split(',').map(named).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_port_has_one_name_and_names_are_short_and_plain() {
        let ports: BTreeSet<u16> = SERVICES.iter().map(|(port, _)| *port).collect();
        assert_eq!(ports.len(), SERVICES.len());
        assert!(!ports.contains(&0));
        for (port, name) in SERVICES {
            assert!((3..=26).contains(&name.len()) && *name == crate::text::safe(name.as_bytes(), 64), "{port} {name}");
            assert!(!name.contains([',', '-']) || *name == "WS-Discovery" || name.contains("TR-069"), "{port} {name}");
        }
    }

    #[test]
    fn a_list_of_ports_is_told_with_the_names_that_people_know() {
        assert_eq!(told("22,3389"), "22 (SSH), 3389 (remote desktop)");
        assert_eq!(told("22-25,80,4444"), "22-25, 80 (HTTP), 4444");
        assert_eq!(told(""), "");
        assert_eq!(told("22,8…"), "22 (SSH), 8…");
    }
}
