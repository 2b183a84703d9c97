//! Programs that a test starts, listens to and ends.

use anyhow::{Context, Result, bail};
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A running program; dropping it ends it.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    heard: Arc<Heard>,
    /// Goes away after the program.
    kept: Option<tempfile::TempDir>,
}

/// One line that a program wrote.
#[derive(Debug, Clone)]
pub struct Line {
    /// The line without its end; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// Whether it came on standard error.
    pub is_stderr: bool,
}

#[derive(Debug, Default)]
struct Heard {
    lines: Mutex<Vec<Line>>,
    more: Condvar,
}

impl Program {
    /// Starts `command`; `name` is for messages.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().with_context(|| format!("starting {name}"))?;
        let heard = Arc::new(Heard::default());
        if let Some(out) = child.stdout.take() {
            listen(out, false, &heard);
        }
        if let Some(err) = child.stderr.take() {
            listen(err, true, &heard);
        }
        Ok(Self { name: name.to_owned(), child, heard, kept: None })
    }

    /// Keeps a folder that the program uses until it has ended.
    #[must_use]
    pub fn keeping(mut self, folder: tempfile::TempDir) -> Self {
        self.kept = Some(folder);
        self
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Every line so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.heard.lock().clone()
    }

    /// Waits for the first line that `wanted` accepts, the ones already written included.
    ///
    /// # Errors
    /// When none came within `limit`, with everything that was said instead.
    pub fn wait_for(&self, limit: Duration, wanted: impl Fn(&Line) -> bool) -> Result<Line> {
        let end = Instant::now() + limit;
        let mut lines = self.heard.lock();
        loop {
            if let Some(line) = lines.iter().find(|line| wanted(line)) {
                return Ok(line.clone());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("{} did not say it within {limit:?}; it said:\n{}", self.name, joined(&lines));
            }
            lines = self.heard.more.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Memory of its own, in KiB: what it has allocated, not its code, of which more or less is there as it was built.
    ///
    /// # Errors
    /// When it has ended.
    pub fn own_memory(&self) -> Result<u64> {
        self.status("RssAnon:")
    }

    /// All of its memory that is there, in KiB, code and libraries included.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_memory(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// A number of `/proc/PID/status`.
    fn status(&self, key: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let value = status.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next());
        Ok(value.with_context(|| format!("no {key}"))?.parse()?)
    }

    /// Asks it to end (SIGTERM), waits at most five seconds, and gives its status and everything it said.
    ///
    /// # Errors
    /// When it does not end; then it is killed.
    pub fn stop(mut self) -> Result<(ExitStatus, String)> {
        self.ask_to_end();
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok((status, joined(&self.heard.lock())));
            }
            if Instant::now() > end {
                bail!("{} does not end on SIGTERM; it said:\n{}", self.name, joined(&self.heard.lock()));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it as a crash would (SIGKILL), and waits until it has.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn ask_to_end(&mut self) {
        // While it has not been waited for, its pid names nobody else.
        if self.is_running()
            && let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw)
        {
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.ask_to_end();
        for _ in 0..200 {
            if !self.is_running() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(stream: impl Read + Send + 'static, is_stderr: bool, heard: &Arc<Heard>) {
    let heard = Arc::clone(heard);
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut bytes = Vec::new();
        while matches!(stream.read_until(b'\n', &mut bytes), Ok(1..)) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
            heard.lock().push(Line { text, is_stderr });
            heard.more.notify_all();
            bytes.clear();
        }
    });
}

fn joined(lines: &[Line]) -> String {
    lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// `command` as another user, with that user's groups; as it is when we are that user.
///
/// # Errors
/// When there is no such user.
pub fn as_user(user: &str, program: &Path) -> Result<Command> {
    let me = run(Command::new("id").arg("-nu"))?;
    if me.trim() == user {
        return Ok(Command::new(program));
    }
    let gid = run(Command::new("id").args(["-g", user]))?;
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}")).arg(format!("--regid={}", gid.trim())).args(["--init-groups", "--"]).arg(program);
    Ok(command)
}

/// Runs a command to its end and gives what it wrote to standard output.
///
/// # Errors
/// When it cannot be started or fails, with what it wrote to standard error.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("running {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The folder with `firebelld`, `firebell-notifier` and `firebell`, built as this test is.
///
/// # Errors
/// When they do not build.
pub fn built() -> Result<PathBuf> {
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut done = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = done.as_ref() {
        return Ok(folder.clone());
    }
    // target/PROFILE/deps/this-test, target/PROFILE/examples/this, or target/PROFILE/this
    let this = std::env::current_exe()?;
    let is_below = this.parent().is_some_and(|folder| folder.ends_with("deps") || folder.ends_with("examples"));
    let folder = this.ancestors().nth(if is_below { 2 } else { 1 }).context("this program is not in target/PROFILE")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository()).args(["build", "-q", "--workspace", "--bins"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    run(&mut cargo)?;
    Ok(done.insert(folder.to_owned()).clone())
}

/// Writes a program that everybody may start.
///
/// Another program writes it: a child that a test beside this one starts just then would inherit the open file, and what
/// is open for writing cannot be started (ETXTBSY).
///
/// # Errors
/// When it cannot be written.
pub fn write_program(path: &Path, script: &str) -> Result<()> {
    run(Command::new("sh").args(["-c", "printf %s \"$1\" >\"$2\" && chmod 755 \"$2\"", "sh", script]).arg(path)).map(drop)
}

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}
