//! The loop: news in, popups out.

mod answer;
mod press;
mod stillness;
mod takeover;

use crate::{
    backoff::Backoff,
    buttons::Press,
    clock::Clock,
    collector::{self, News, Position, Sight, Word},
    config::Config,
    control::Request,
    hidden::Hidden,
    kept::Kept,
    ledger::{Command, Failure, Key, Ledger},
    program::Program,
    seen::Seen,
    server::{Server, Signal},
    state::StateFile,
    terminal::Terminal,
    words::Words,
};
use anyhow::Context as _;
use press::NoPage;
use std::{collections::VecDeque, env, future, path::PathBuf, time::Duration};
use stillness::Stillness;
use tokio::{
    signal::unix::{self, SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
    time::Instant,
};
use tracing::{debug, info, warn};

/// So long after the session bus went away its socket may be missing before we take the session for over.
const SESSION_OVER: Duration = Duration::from_secs(5);

/// Clicks that wait while we wait for the server.
const MAX_PRESSES: usize = 16;

/// Where popups go.
pub(crate) enum Desktop {
    /// The session's notification server.
    Server(Server),
    /// Standard output.
    Terminal(Terminal),
    /// A program that is run for each popup.
    Program(Program),
}

/// What an agent begins with.
pub(crate) struct Start {
    pub(crate) config: Config,
    /// The file that was named on the command line, to be read again on request.
    pub(crate) config_path: Option<PathBuf>,
    pub(crate) words: Words,
    pub(crate) desktop: Desktop,
    pub(crate) seen: Seen,
    pub(crate) hidden: Hidden,
    /// When there was a digest last.
    pub(crate) digest_file: StateFile,
    /// What is asked over the session bus; nobody asks a terminal.
    pub(crate) requests: mpsc::Receiver<Request>,
    /// For the next connection to it.
    pub(crate) ask: mpsc::Sender<Request>,
}

/// Runs until the session is over.
///
/// # Errors
/// When another agent took our name, or the terminal is gone.
pub(crate) async fn run(start: Start) -> anyhow::Result<()> {
    let (tell, mut news) = mpsc::channel(4);
    let position = start.seen.read();
    let collector = tokio::spawn(collector::listen(tell, position.clone()));
    // A terminal that is closed ends us, as it does everybody.
    let mut hangups = match start.desktop {
        Desktop::Server(_) | Desktop::Program(_) => Some(signal(SignalKind::hangup())?),
        Desktop::Terminal(_) => None,
    };
    let mut requests = start.requests;
    let mut agent = Agent {
        ledger: Ledger::new(start.config.rules(), start.words),
        config_path: start.config_path,
        desktop: start.desktop,
        seen: start.seen,
        kept: Kept::nowhere(),
        history: position.map(|position| position.history).unwrap_or_default(),
        hidden: start.hidden,
        stillness: Stillness::new(start.config.quiet(), start.digest_file),
        position: None,
        sight: None,
        ask: start.ask,
        start: Clock::start(),
        has_said_no_server: false,
        failures: 0,
        complaint: String::new(),
        has_sound: start.config.has_sound(),
        presses: VecDeque::new(),
        pages: JoinSet::new(),
    };
    agent.begin_stillness().await;
    agent.take_over().await;
    let result = agent.work(&mut news, &mut requests, &mut hangups).await;
    collector.abort();
    result
}

struct Agent {
    ledger: Ledger,
    config_path: Option<PathBuf>,
    desktop: Desktop,
    seen: Seen,
    /// Which popups are on the screen.
    kept: Kept,
    /// The collector's history that the ledger's incidents are of; empty before there is one.
    history: String,
    hidden: Hidden,
    stillness: Stillness,
    /// How far the ledger has heard. It is written down when nothing waits that would be lost.
    position: Option<Position>,
    /// What was heard of the collector last.
    sight: Option<Sight>,
    ask: mpsc::Sender<Request>,
    /// The zero of the ledger's time.
    start: Clock,
    has_said_no_server: bool,
    failures: u64,
    /// Why a popup was not shown the last time.
    complaint: String,
    /// The user wants to hear of the worst.
    has_sound: bool,
    /// Clicks that nothing was done about yet.
    presses: VecDeque<Press>,
    /// Pages that are on their way to the browser.
    pages: JoinSet<Result<(), NoPage>>,
}

/// What woke us.
enum Event {
    Word(Option<Word>),
    Signal(Option<Signal>),
    Request(Request),
    Page(Result<(), NoPage>),
    Hangup,
    /// Whether it is to be quiet may have changed.
    Stillness,
    Deadline,
}

impl Agent {
    async fn work(
        &mut self,
        news: &mut mpsc::Receiver<Word>,
        requests: &mut mpsc::Receiver<Request>,
        hangups: &mut Option<unix::Signal>,
    ) -> anyhow::Result<()> {
        loop {
            // Somebody may click while a popup is being shown.
            loop {
                while let Some(press) = self.presses.pop_front() {
                    self.press(press);
                }
                let Some(command) = self.ledger.next(self.start.elapsed()) else { break };
                self.perform(command).await?;
            }
            // Only now: what was not shown before a crash is told again. What is not known to be on the screen neither.
            let keep_at = self.keep();
            let position = self.position.as_ref().filter(|_| !self.ledger.is_holding());
            let write_at = position.and_then(|position| self.seen.write(position, self.start.elapsed(), keep_at)).or(keep_at);
            let deadline = self.ledger.deadline().into_iter().chain(write_at).min().map(|at| self.start.deadline(at));
            // Only waiting happens in here: a call that is cancelled half-way would break the connection.
            let event = tokio::select! {
                word = news.recv() => Event::Word(word),
                signal = self.desktop.signal() => Event::Signal(signal),
                Some(request) = requests.recv() => Event::Request(request),
                Some(Ok(page)) = self.pages.join_next() => Event::Page(page),
                () = hangup(hangups) => Event::Hangup,
                () = self.stillness.changed() => Event::Stillness,
                () = sleep_until(deadline) => Event::Deadline,
            };
            match event {
                Event::Word(Some(Word::News(news))) => self.take(news),
                Event::Word(Some(Word::Sight(sight))) => {
                    debug!(?sight, "collector");
                    self.sight = Some(sight.clone());
                    self.ledger.see(sight, self.start.elapsed());
                }
                // It listens for as long as we do.
                Event::Word(None) => anyhow::bail!("the listener to the collector ended"),
                Event::Signal(Some(signal)) => self.heed(signal),
                Event::Signal(None) => {
                    self.ledger.server_gone();
                    match reconnect(&self.ask).await? {
                        Some(server) => {
                            self.stillness.watch(&server);
                            self.kept.forget();
                            self.kept = Kept::beside(server.bus());
                            self.desktop = Desktop::Server(server);
                        }
                        None => return Ok(()),
                    }
                    self.heed(Signal::Back);
                }
                Event::Request(request) => self.answer(request).await?,
                Event::Page(Ok(())) => {}
                Event::Page(Err(no_page)) => self.no_page(no_page),
                Event::Hangup => match self.reload() {
                    Ok(in_force) => info!("reloaded: {in_force}"),
                    Err(error) => warn!("nothing is reloaded: {error}"),
                },
                Event::Stillness => self.keep_still(),
                Event::Deadline => {}
            }
        }
    }

    fn take(&mut self, news: News) {
        if news.starts_anew {
            debug!("the collector's history starts anew");
            self.ledger.start_anew(self.start.elapsed());
        }
        for alert in &news.alerts {
            debug!(id = alert.id, seq = alert.details.seq, kind = %alert.kind, phase = alert.details.phase.as_str(), "alert");
            let is_muted = self.hidden.hides(alert);
            self.ledger.observe(alert, self.start.elapsed(), news.is_late, is_muted);
        }
        if self.history != news.position.history {
            self.history.clone_from(&news.position.history);
        }
        self.position = Some(news.position);
        debug!(counters = ?self.ledger.counters(), "books");
    }

    async fn perform(&mut self, command: Command) -> anyhow::Result<()> {
        let (key, replaces, popup) = match command {
            Command::Close { id } => {
                match &mut self.desktop {
                    Desktop::Server(server) => server.close(id).await,
                    Desktop::Terminal(_) => {}
                    Desktop::Program(program) => {
                        if let Err((failure, why)) = program.close(id).await {
                            self.complain(failure, &why);
                        }
                    }
                }
                return Ok(());
            }
            Command::Show { key, replaces, popup } => (key, replaces, popup),
        };
        let result = match &mut self.desktop {
            Desktop::Server(server) => server.show(self.ledger.words(), &popup, replaces, self.has_sound).await,
            Desktop::Terminal(terminal) => {
                Ok(terminal.show(self.ledger.words(), &popup, replaces).context("cannot write to standard output")?)
            }
            Desktop::Program(program) => program.show(&popup, replaces).await,
        };
        // What the server said before it answered comes first: it may have restarted, or somebody closed the
        // popup that we replace.
        tokio::task::yield_now().await;
        let mut closed = Vec::new();
        while let Some(signal) = self.desktop.waiting_signal() {
            if let Signal::Closed(id) = signal {
                closed.push(id);
            }
            self.heed(signal);
        }
        let now = self.start.elapsed();
        match result {
            Ok(id) => {
                self.ledger.shown(key, id, now);
                if key == Key::Digest {
                    self.stillness.note_digest();
                }
                // A new popup can be gone before we know its id. One that we replace was closed before it came back.
                if id != replaces && closed.contains(&id) {
                    self.ledger.popup_closed(id);
                }
            }
            Err((failure, why)) => {
                self.complain(failure, &why);
                self.ledger.failed(key, failure, now);
            }
        }
        Ok(())
    }

    fn heed(&mut self, signal: Signal) {
        match signal {
            Signal::Closed(id) => self.ledger.popup_closed(id),
            // Who clicks faster than we can act gets what can be done.
            Signal::Pressed(press) if self.presses.len() < MAX_PRESSES => self.presses.push_back(press),
            Signal::Pressed(_) => {}
            Signal::Gone => self.ledger.server_gone(),
            Signal::Back => {
                if self.has_said_no_server {
                    info!("there is a notification server now");
                    self.has_said_no_server = false;
                }
                self.ledger.server_back(self.start.elapsed());
            }
        }
    }

    /// Says what the server does not do; each thing once, or at the 1st, 2nd, 4th, ... time.
    fn complain(&mut self, failure: Failure, why: &str) {
        why.clone_into(&mut self.complaint);
        match failure {
            Failure::NoServer if self.has_said_no_server => {}
            Failure::NoServer => {
                warn!("no notification server in this session; popups wait until there is one ({why})");
                self.has_said_no_server = true;
            }
            Failure::Refused | Failure::Excess | Failure::Silent => {
                self.failures += 1;
                if self.failures.is_power_of_two() {
                    warn!(failures = self.failures, "{} did not show a popup: {why}", self.desktop.name());
                }
            }
        }
    }
}

impl Drop for Agent {
    /// Whatever ends us: the popups stay, and the next agent has them.
    fn drop(&mut self) {
        self.kept.hurry();
        self.keep();
    }
}

impl Desktop {
    /// The next signal of the server; `None` when its bus is gone. The others have none.
    async fn signal(&mut self) -> Option<Signal> {
        match self {
            Self::Server(server) => server.signal().await,
            Self::Terminal(_) | Self::Program(_) => future::pending().await,
        }
    }

    fn waiting_signal(&mut self) -> Option<Signal> {
        match self {
            Self::Server(server) => server.waiting_signal(),
            Self::Terminal(_) | Self::Program(_) => None,
        }
    }

    /// For messages.
    fn name(&self) -> String {
        match self {
            Self::Server(_) => "the notification server".to_owned(),
            Self::Terminal(_) => "standard output".to_owned(),
            Self::Program(program) => program.name(),
        }
    }
}

/// The next SIGHUP, where it means something.
async fn hangup(hangups: &mut Option<unix::Signal>) {
    match hangups {
        Some(hangups) => drop(hangups.recv().await),
        None => future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => future::pending().await,
    }
}

/// Connects to the session bus again. `None`: the session is over.
async fn reconnect(ask: &mpsc::Sender<Request>) -> anyhow::Result<Option<Server>> {
    warn!("the session bus closed the connection; trying again");
    let lost = Instant::now();
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
    loop {
        tokio::time::sleep(backoff.next_wait()).await;
        match Server::connect(ask.clone()).await {
            Ok(server) => {
                info!("connected to the session bus again");
                return Ok(Some(server));
            }
            Err(zbus::Error::NameTaken) => anyhow::bail!("another firebell-notifier took over in this session"),
            Err(error) => debug!(%error, "no session bus"),
        }
        if lost.elapsed() >= SESSION_OVER && bus_socket().is_some_and(|socket| !socket.exists()) {
            info!("the session bus is gone; the session is over");
            return Ok(None);
        }
    }
}

/// The session bus's socket, where it is one in the file system and its address is a plain one.
fn bus_socket() -> Option<PathBuf> {
    match env::var("DBUS_SESSION_BUS_ADDRESS") {
        Ok(address) => socket_path(&address),
        Err(_) => Some(PathBuf::from(env::var_os("XDG_RUNTIME_DIR")?).join("bus")),
    }
}

/// Source: D-Bus Specification, "Server Addresses". Several addresses or escapes: not a plain one.
fn socket_path(address: &str) -> Option<PathBuf> {
    if address.contains([';', '%']) {
        return None;
    }
    address.strip_prefix("unix:")?.split(',').find_map(|pair| pair.strip_prefix("path=")).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_path_address_tells_whether_the_session_is_over() {
        assert_eq!(socket_path("unix:path=/run/user/1000/bus"), Some("/run/user/1000/bus".into()));
        assert_eq!(socket_path("unix:path=/tmp/x,guid=123"), Some("/tmp/x".into()));
        for address in ["unix:abstract=/tmp/x", "tcp:host=localhost", "unix:path=/a;unix:path=/b", "unix:path=/a%20b", ""] {
            assert_eq!(socket_path(address), None);
        }
    }
}
