//! The other end: this program again, in a network namespace of its own, where it sends what it is told on its standard input.
//!
//! It ends when that is closed, so it does not outlive whoever started it, and the namespace goes with it.

use super::packets::{GATEWAY4, GATEWAY6, Scan, TARGETS4, TARGETS6};
use crate::programs;
use anyhow::{Context as _, anyhow, ensure};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sendto, socket_with};
use std::{
    fs,
    io::{self, BufRead as _, Write as _},
    net::{IpAddr, SocketAddrV4, SocketAddrV6},
    thread,
    time::Duration,
};

/// The interface at this end.
pub(super) const INTERFACE: &str = "out0";
/// Between two packets: the kernel's ring has time to be read.
const PAUSE: Duration = Duration::from_millis(1);

/// Says `here`, takes the hardware address of the other end, then sends a scan for each line and says how many packets that were.
///
/// # Errors
/// It is no namespace made for this, or something cannot be set up or sent.
pub(super) fn run() -> anyhow::Result<()> {
    // By hand in the machine's own network it would change that.
    let interfaces = fs::read_to_string("/proc/net/dev").context("/proc/net/dev")?;
    ensure!(interfaces.lines().skip(2).all(|line| line.trim_start().starts_with("lo:")), "--send is for `firebell test --live` itself");
    let mut lines = io::stdin().lock().lines();
    say("here")?;
    let mac = lines.next().context("nobody is there")??;
    ensure!(mac.len() == 17 && mac.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':'), "not a hardware address");
    let has_v6 = crate::firewall::gather::has_v6();
    ip(&["link", "set", INTERFACE, "up"])?;
    ip(&["addr", "add", "203.0.113.1/24", "dev", INTERFACE])?;
    ip(&["neigh", "replace", &GATEWAY4.to_string(), "lladdr", &mac, "dev", INTERFACE, "nud", "permanent"])?;
    ip(&["route", "add", TARGETS4, "via", &GATEWAY4.to_string()])?;
    if has_v6 {
        ip(&["-6", "addr", "add", "2001:db8:51::1/64", "dev", INTERFACE, "nodad"])?;
        ip(&["-6", "neigh", "replace", &GATEWAY6.to_string(), "lladdr", &mac, "dev", INTERFACE, "nud", "permanent"])?;
        ip(&["-6", "route", "add", TARGETS6, "via", &GATEWAY6.to_string()])?;
    }
    // Raw sockets of IPPROTO_RAW take packets with their headers (raw(7), ipv6(7)).
    let raw = |family| socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::RAW)).context("a raw socket");
    let (v4, v6) = (raw(AddressFamily::INET)?, if has_v6 { Some(raw(AddressFamily::INET6)?) } else { None });
    say("ready")?;
    for line in lines {
        let scan = Scan::from_line(&line?).context("no scan")?;
        for packet in scan.packets() {
            match scan.target {
                IpAddr::V4(target) => sendto(&v4, &packet, SendFlags::empty(), &SocketAddrV4::new(target, 0)),
                IpAddr::V6(target) => {
                    let socket = v6.as_ref().ok_or_else(|| anyhow!("no IPv6 here"))?;
                    sendto(socket, &packet, SendFlags::empty(), &SocketAddrV6::new(target, 0, 0, 0))
                }
            }
            .context("sending")?;
            thread::sleep(PAUSE);
        }
        say(&scan.count.to_string())?;
    }
    Ok(())
}

fn say(word: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{word}")?;
    out.flush()
}

/// Runs `ip`.
///
/// # Errors
/// What it complains of.
pub(super) fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let said = programs::run("ip", arguments, b"")?;
    ensure!(said.is_success, "ip {}: {}", arguments.join(" "), said.complaint());
    Ok(())
}
