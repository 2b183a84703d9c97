use super::*;
use proptest::prelude::*;
use std::fs;

/// A computer at 192.168.1.5 and fd00::5, with a printer, a telephone and a router beside it.
pub(crate) fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    // As the kernel writes it here: numbers of this computer's memory.
    let hex = |text: &str| format!("{:08X}", u32::from_ne_bytes(text.parse::<std::net::Ipv4Addr>().unwrap().octets()));
    let route = format!(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
         eth0\t{0}\t{1}\t0003\t0\t0\t0\t{0}\t0\t0\t0\neth0\t{2}\t{0}\t0001\t0\t0\t0\t{3}\t0\t0\t0\n",
        hex("0.0.0.0"),
        hex("192.168.1.1"),
        hex("192.168.1.0"),
        hex("255.255.255.0")
    );
    let zero = "0".repeat(32);
    for (path, text) in [
        ("etc/hosts", "127.0.0.1 localhost\n# 192.168.1.8 not-this\n192.168.1.7\tprinter printer.lan # upstairs\n::ffff:192.168.1.6 nas\n"),
        ("etc/avahi/hosts", "192.168.1.9 camera.local\n"),
        (
            "var/lib/misc/dnsmasq.leases",
            "1763800000 3e:11:22:33:44:55 192.168.1.20 my-phone\u{1b}[2J<b> *\n1763800000 00:80:77:00:00:02 192.168.1.21 * *\n",
        ),
        (
            "proc/net/arp",
            "IP address HW type Flags HW address Mask Device\n192.168.1.7 0x1 0x2 00:80:77:ab:cd:0f * eth0\n192.168.1.20 0x1 0x2 3e:11:22:33:44:55 * eth0\n192.168.1.30 0x1 0x0 00:00:00:00:00:00 * eth0\n",
        ),
        ("proc/net/route", &route),
        (
            "proc/net/fib_trie",
            "Main:\n  +-- 192.168.1.0/24 2 0 2\n     |-- 192.168.1.0\n        /24 link UNICAST\n     |-- 192.168.1.5\n        /32 host LOCAL\n     |-- 192.168.1.255\n        /32 link BROADCAST\n",
        ),
        ("proc/net/if_inet6", "fd000000000000000000000000000005 02 40 00 80 eth0\n"),
        (
            "proc/net/ipv6_route",
            &format!(
                "fd000000000000000000000000000000 40 {zero} 00 {zero} 00000100 0 0 1 eth0\n{zero} 00 {zero} 00 fd000000000000000000000000000001 00000400 0 0 3 eth0\n"
            ),
        ),
        ("usr/share/nmap/nmap-mac-prefixes", "# a list\n008077 Brother Industries\n008077ABC Somebody Small\n"),
        ("usr/share/hwdata/oui.txt", "OUI/MA-L\t\tOrganization\n\n00-11-22   (hex)\t\tCIMSYS Inc\n"),
    ] {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    home
}

#[test]
fn an_address_has_the_name_that_this_computer_knows() {
    let home = home();
    let names = Names::below(home.path());
    let called = |name: &str| Some(Name::Called(name.to_owned()));
    for (address, name) in [
        ("192.168.1.7", called("printer")),
        ("192.168.1.6", called("nas")),
        ("192.168.1.8", None),
        ("192.168.1.9", called("camera.local")),
        ("192.168.1.20", called(r"my-phone\x1b[2J<b>")),
        ("192.168.1.21", None),
        ("192.168.1.1", Some(Name::Router)),
        ("fd00::1", Some(Name::Router)),
        ("192.168.1.5", Some(Name::Ourselves)),
        ("::ffff:192.168.1.5", Some(Name::Ourselves)),
        ("fd00::5", Some(Name::Ourselves)),
        ("127.0.0.1", Some(Name::Ourselves)),
        ("192.168.1.255", None),
        ("203.0.113.7", None),
        ("192.168.1.0/24", None),
        ("printer", None),
        ("", None),
    ] {
        assert_eq!(names.name(address), name, "{address}");
        assert_eq!(Names::default().name(address), None);
    }
}

#[test]
fn a_device_on_our_wire_has_a_maker_and_nobody_else_has() {
    let home = home();
    let names = Names::below(home.path());
    let of = |name: &str| Some(Maker::Of(name.to_owned()));
    for (address, logged, maker) in [
        // From the neighbour table, and the longest prefix.
        ("192.168.1.7", "", of("Somebody Small")),
        ("192.168.1.7", "00:80:77:ab:cd:0f", of("Somebody Small")),
        // The address is the printer's, the packets came from elsewhere.
        ("192.168.1.7", "00:11:22:00:00:01", None),
        ("192.168.1.8", "00:11:22:00:00:01", of("CIMSYS Inc")),
        ("192.168.1.8", "00:80:77:00:00:01", of("Brother Industries")),
        ("192.168.1.20", "", Some(Maker::Hidden)),
        ("192.168.1.30", "", None),
        ("192.168.1.8", "00:99:99:00:00:01", None),
        ("192.168.1.8", "no address", None),
        ("fd00::280:77ff:fe00:1", "", of("Brother Industries")),
        ("fe80::280:77ff:fe00:1", "", of("Brother Industries")),
        // What comes over the router has the router's.
        ("203.0.113.7", "00:80:77:00:00:01", None),
        ("2001:db8::7", "00:80:77:00:00:01", None),
        ("192.168.1.5", "00:80:77:00:00:01", None),
        ("192.168.1.0/24", "00:80:77:00:00:01", None),
    ] {
        assert_eq!(names.maker(address, logged), maker, "{address} {logged}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_files_give_short_safe_names_or_none(files in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 5), mac: String) {
        let home = home();
        for (path, bytes) in ["etc/hosts", "proc/net/arp", "proc/net/route", "proc/net/fib_trie", "usr/share/nmap/nmap-mac-prefixes"].iter().zip(files) {
            // Behind an address or a prefix, so that some of it is taken.
            let line = [b"\n192.168.1.7 ".as_slice(), &bytes, b"\n008077 ", &bytes].concat();
            fs::write(home.path().join(path), line).unwrap();
        }
        let names = Names::below(home.path());
        let maker = match names.maker("192.168.1.7", &mac).or_else(|| names.maker("fe80::280:77ff:fe00:1", "")) {
            Some(Maker::Of(maker)) => maker,
            _ => String::new(),
        };
        let name = match names.name("192.168.1.7") {
            Some(Name::Called(name)) => name,
            _ => String::new(),
        };
        for text in [name, maker] {
            prop_assert!(text.len() <= 64);
            prop_assert_eq!(text::safe(text.as_bytes(), 64), text);
        }
    }
}
