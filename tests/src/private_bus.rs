//! Private buses, and a place where the tests' own services live.

use crate::{program::Program, rig::CannotRun};
use anyhow::{Context, Result, bail};
use std::{
    future::Future,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
    sync::{LazyLock, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;

/// A bus on a socket of its own, that lets in every user, where anybody may own any name and send anything: what our policy forbids, too.
#[derive(Debug)]
pub struct PrivateBus {
    folder: tempfile::TempDir,
    daemon: Mutex<Option<Program>>,
}

impl PrivateBus {
    /// Starts one.
    ///
    /// # Errors
    /// [`CannotRun`] without `dbus-daemon`.
    pub fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir()?;
        let socket = folder.path().join("bus");
        let config = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context=\"default\"><allow user=\"*\"/>\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            socket.display()
        );
        std::fs::write(folder.path().join("bus.conf"), config)?;
        let bus = Self { folder, daemon: Mutex::new(None) };
        bus.resume()?;
        Ok(bus)
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }

    /// Ends the daemon; with it every connection and the socket.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&self) -> Result<()> {
        if let Some(daemon) = self.daemon.lock().unwrap_or_else(PoisonError::into_inner).take() {
            daemon.stop()?;
        }
        if self.socket().exists() {
            std::fs::remove_file(self.socket())?;
        }
        Ok(())
    }

    /// Starts it again at the same address.
    ///
    /// # Errors
    /// When it does not start.
    pub fn resume(&self) -> Result<()> {
        let config = self.folder.path().join("bus.conf");
        let mut command = Command::new("dbus-daemon");
        command.args(["--nofork", "--nopidfile", "--nosyslog"]).arg(format!("--config-file={}", config.display()));
        let daemon = match Program::start("dbus-daemon", &mut command) {
            Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) => {
                return Err(CannotRun("no dbus-daemon".to_owned()).into());
            }
            daemon => daemon?,
        };
        *self.daemon.lock().unwrap_or_else(PoisonError::into_inner) = Some(daemon);
        until(Duration::from_secs(5), || std::os::unix::net::UnixStream::connect(self.socket()).is_ok().then_some(()))
            .context("dbus-daemon does not listen")
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn connect(&self) -> Result<zbus::Connection> {
        Ok(wait(zbus::connection::Builder::address(self.address().as_str()).build())?)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("bus")
    }
}

/// Runs `future` to its end. Connections made here live on a thread of their own, so a test may block.
pub fn wait<F: Future>(future: F) -> F::Output {
    static SERVICES: LazyLock<Option<Handle>> = LazyLock::new(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let handle = runtime.handle().clone();
        thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        Some(handle)
    });
    match SERVICES.as_ref() {
        Some(handle) => handle.block_on(future),
        None => std::process::abort(),
    }
}

/// Asks again and again until there is an answer.
///
/// # Errors
/// When there is none within `limit`.
pub fn until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if Instant::now() >= end {
            bail!("it did not happen within {limit:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}
