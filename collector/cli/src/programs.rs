//! Other programs: found in the system's own folders, started without a shell, bounded in time and in what they say.

use std::{
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Where programs are looked for, and nowhere else: `PATH` may be anybody's, and we may be root. The last is `NixOS`.
const FOLDERS: [&str; 5] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/run/current-system/sw/bin"];
/// The most that is read of what a program says, bytes: a rule set of 50,000 rules is half of it.
const MAX_OUTPUT: u64 = 32 << 20;
/// The longest that a program may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a program said that ended well or badly.
#[derive(Debug)]
pub(crate) struct Said {
    /// It ended with status 0.
    pub(crate) is_success: bool,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

impl Said {
    /// The first line of its complaint, fit to show.
    pub(crate) fn complaint(&self) -> String {
        let lines = self.err.split(|byte| *byte == b'\n').chain(self.out.split(|byte| *byte == b'\n'));
        let line = lines.map(<[u8]>::trim_ascii).find(|line| !line.is_empty()).unwrap_or(b"it does not say why");
        firebell_shared::text::safe(line, 300)
    }
}

/// Where the program `name` is.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// The program `name`, to be started: with an environment of its own, in `/`.
///
/// # Errors
/// `NotFound` where there is no such program.
pub(crate) fn command(name: &str) -> io::Result<Command> {
    let path = find(name).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is not installed")))?;
    let mut command = Command::new(path);
    command.env_clear().env("PATH", FOLDERS.join(":")).env("LC_ALL", "C").current_dir("/");
    Ok(command)
}

/// Runs the program `name` and gives what it said.
///
/// # Errors
/// `NotFound` where there is no such program, `TimedOut` where it took too long, `FileTooLarge` where it said too much.
pub(crate) fn run(name: &str, arguments: &[&str], input: &[u8]) -> io::Result<Said> {
    let mut child = command(name)?.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (sender, said) = mpsc::channel();
    for (is_error, stream) in [
        (false, child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>)),
        (true, child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>)),
    ] {
        let sender = sender.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let result = stream.map_or(Ok(0), |stream| stream.take(MAX_OUTPUT + 1).read_to_end(&mut bytes));
            // Nobody listens any more when time is up.
            let _ = sender.send((is_error, result.map(|_| bytes)));
        });
    }
    let (mut stdin, input) = (child.stdin.take(), input.to_owned());
    thread::spawn(move || {
        // A program that does not read on says why by its status.
        let _ = stdin.as_mut().map(|stdin| stdin.write_all(&input));
    });
    let end = Instant::now() + PATIENCE;
    let mut result = Said { is_success: false, out: Vec::new(), err: Vec::new() };
    let mut failure = None;
    for _ in 0..2 {
        match said.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok((_, Ok(bytes))) if bytes.len() as u64 > MAX_OUTPUT => {
                failure = Some(io::Error::new(io::ErrorKind::FileTooLarge, format!("{name} says more than {MAX_OUTPUT} bytes")));
                break;
            }
            Ok((is_error, Ok(bytes))) => *(if is_error { &mut result.err } else { &mut result.out }) = bytes,
            Ok((_, Err(error))) => failure = Some(error),
            Err(_) => {
                failure = Some(io::Error::new(io::ErrorKind::TimedOut, format!("{name} does not answer within {} s", PATIENCE.as_secs())));
                break;
            }
        }
    }
    if let Some(failure) = failure {
        let _ = child.kill();
        let _ = child.wait();
        return Err(failure);
    }
    // Both streams are closed, so it ends now or it hangs.
    loop {
        if let Some(status) = child.try_wait()? {
            result.is_success = status.success();
            return Ok(result);
        }
        if Instant::now() > end {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{name} does not end")));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gets_its_input_and_its_status_is_told() {
        let said = run("cat", &[], b"hello").unwrap();
        assert!(said.is_success && said.out == b"hello");
        let said = run("ls", &["/no/such/folder"], b"").unwrap();
        assert!(!said.is_success && said.complaint().contains("/no/such/folder"));
    }

    #[test]
    fn a_program_that_is_not_there_or_says_too_much_is_an_error() {
        assert_eq!(run("no-such-program", &[], b"").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(run("../bin/no", &[], b"").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(run("yes", &[], b"").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
