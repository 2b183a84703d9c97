//! What the service manager hears of us: that we are ready, how we are, and that the loop which detects is alive.
//!
//! A message is one datagram of `NAME=value` lines to the socket in `$NOTIFY_SOCKET` (sd_notify(3)). That is all of the
//! protocol which is used, so it stands here instead of a crate, which would bring unsafe code into this process.

use std::{
    ffi::OsStr,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// So long the bus may take at the start. Then we are ready all the same: lines are read, and systemd would end us after 90 s.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the line of status follows the counters.
const STATUS_EVERY: Duration = Duration::from_secs(30);

/// The service manager, where one has started us.
#[derive(Debug)]
pub struct Manager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    /// It ends us when it hears nothing for so long.
    watchdog: Option<Duration>,
    is_ready: AtomicBool,
    begun: Instant,
}

impl Manager {
    /// The one that the environment names: `NOTIFY_SOCKET` (a path, or `@name` for an abstract one), `WATCHDOG_USEC` and
    /// `WATCHDOG_PID` (sd_watchdog_enabled(3)). Nobody where it names none, or one that cannot be used: that is no reason not
    /// to watch.
    #[must_use]
    pub fn of_environment() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value: &std::ffi::OsString| !value.is_empty());
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| *usec > 0 && is_for_us).map(Duration::from_micros);
        let address = variable("NOTIFY_SOCKET").and_then(|name| address(&name));
        Self::new(address, watchdog)
    }

    fn new(address: Option<SocketAddr>, watchdog: Option<Duration>) -> Self {
        let socket = address.and_then(|address| {
            let socket = UnixDatagram::unbound().ok()?;
            // Nobody may hold up the loop.
            socket.set_nonblocking(true).ok()?;
            Some((socket, address))
        });
        let watchdog = watchdog.filter(|_| socket.is_some());
        Self { socket, watchdog, is_ready: AtomicBool::new(false), begun: Instant::now() }
    }

    /// We are on the bus. Told once.
    pub fn ready(&self) {
        if !self.is_ready.swap(true, Relaxed) {
            self.tell("READY=1");
        }
    }

    /// We are about to end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// What nobody receives is lost; the next message comes.
    fn tell(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        // A socket of a virtual machine's host (vsock): no service has that.
        _ => None,
    }
}

/// What the loop tells the manager as long as it goes round.
#[derive(Debug)]
pub struct Life {
    fed: Option<Instant>,
    told: Option<Instant>,
    status: String,
}

impl Life {
    /// Nothing was told yet.
    #[must_use]
    pub fn new() -> Self {
        Self { fed: None, told: None, status: String::new() }
    }

    /// Tells that the loop is alive, when it is time to. With `is_news`, and now and then, the line of `status` too. Gives the
    /// time until it has to be told again; nothing where nobody waits for it.
    pub fn show(&mut self, manager: &Manager, is_news: bool, status: impl FnOnce() -> String) -> Option<Duration> {
        manager.socket.as_ref()?;
        if !manager.is_ready.load(Relaxed) && manager.begun.elapsed() > PATIENCE {
            manager.ready();
        }
        if is_news || self.told.is_none_or(|told| told.elapsed() >= STATUS_EVERY) {
            self.told = Some(Instant::now());
            let status = status();
            if status != self.status {
                manager.tell(&format!("STATUS={status}"));
                self.status = status;
            }
        }
        // Three times in each span: what is late once is not dead.
        let every = manager.watchdog? / 3;
        if self.fed.is_none_or(|fed| fed.elapsed() >= every) {
            manager.tell("WATCHDOG=1");
            self.fed = Some(Instant::now());
        }
        self.fed.map(|fed| every.saturating_sub(fed.elapsed()))
    }
}

impl Default for Life {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> Vec<String> {
        let (mut all, mut bytes) = (Vec::new(), [0; 512]);
        while let Ok(len) = socket.recv(&mut bytes) {
            all.push(String::from_utf8(bytes[..len].to_vec()).unwrap());
        }
        all
    }

    #[test]
    fn a_manager_at_a_path_and_one_with_an_abstract_name_hear_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("firebell-test-{}", std::process::id());
        for (bound, named) in [
            (SocketAddr::from_pathname(&path).unwrap(), path.to_str().unwrap().to_owned()),
            (SocketAddr::from_abstract_name(&name).unwrap(), format!("@{name}")),
        ] {
            let socket = UnixDatagram::bind_addr(&bound).unwrap();
            socket.set_nonblocking(true).unwrap();
            let manager = Manager::new(address(OsStr::new(&named)), Some(Duration::from_secs(3600)));
            manager.ready();
            manager.ready();
            let mut life = Life::new();
            let left = life.show(&manager, true, || "well".into()).unwrap();
            assert!((Duration::from_secs(1000)..=Duration::from_secs(1200)).contains(&left));
            life.show(&manager, true, || "well".into());
            life.show(&manager, false, || "not asked for".into());
            life.show(&manager, true, || "ill".into());
            manager.stopping();
            assert_eq!(heard(&socket), ["READY=1", "STATUS=well", "WATCHDOG=1", "STATUS=ill", "STOPPING=1"], "{named}");
        }
    }

    #[test]
    fn without_a_manager_or_one_that_is_gone_nothing_happens() {
        let mut life = Life::new();
        assert_eq!(life.show(&Manager::new(None, Some(Duration::from_secs(1))), true, || "well".into()), None);
        assert!(address(OsStr::new("vsock:2:1234")).is_none() && address(OsStr::new("relative")).is_none());
        let gone = Manager::new(address(OsStr::new("/nonexistent/notify")), None);
        gone.ready();
        assert_eq!(life.show(&gone, true, || "well".into()), None);
    }
}
