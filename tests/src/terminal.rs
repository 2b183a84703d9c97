//! A terminal of 80 columns and 24 lines, and pictures of it.

use crate::{program::run, rig::CannotRun};
use anyhow::{Context as _, Result};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What is to come is there within this.
const SECONDS: Duration = Duration::from_secs(20);
/// A letter of the picture, in points of SVG.
const LETTER: (f64, f64) = (8.0, 17.0);
/// Columns and lines.
const SIZE: (usize, usize) = (80, 24);

/// A terminal with a program on it. It ends when dropped.
#[derive(Debug)]
pub struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// Starts one whose shell does what `line` says; `folder` is for its socket.
    ///
    /// # Errors
    /// [`CannotRun`] without `tmux`.
    pub fn start(folder: &Path, line: &str) -> Result<Self> {
        if run(Command::new("tmux").arg("-V")).is_err() {
            return Err(CannotRun("no tmux (Debian: tmux)".to_owned()).into());
        }
        let terminal = Self { socket: folder.join("tmux") };
        let size = (SIZE.0.to_string(), SIZE.1.to_string());
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &size.0, "-y", &size.1, "sh", "-c", line])?;
        Ok(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        run(Command::new("tmux").arg("-S").arg(&self.socket).args(arguments).env_remove("TMUX").env("LC_ALL", "C.UTF-8"))
    }

    /// Presses keys, by the names that tmux(1) has for them.
    ///
    /// # Errors
    /// When it has ended.
    pub fn press(&self, keys: &[&str]) -> Result<()> {
        self.tmux(&[&["send-keys", "-t", "0"], keys].concat()).map(drop)
    }

    /// What stands there, with the codes of its looks.
    ///
    /// # Errors
    /// When it has ended.
    pub fn shown(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p", "-e", "-t", "0"])
    }

    /// Waits until all of it stands there, and gives what does.
    ///
    /// # Errors
    /// When it did not within twenty seconds, with what stood there instead.
    pub fn wait_for(&self, pieces: &[&str]) -> Result<String> {
        let mut shown = String::new();
        let outcome = crate::bus::wait_until("the screen", SECONDS, || {
            shown = self.shown()?;
            Ok(pieces.iter().all(|piece| shown.contains(piece)))
        });
        outcome.with_context(|| format!("{pieces:?} is not on\n{shown}"))?;
        Ok(shown)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The server may be gone already.
        let _ = self.tmux(&["kill-server"]);
    }
}

/// How letters look. Source: ECMA-48, section 8.3.117 (SGR).
#[derive(Clone, Copy, Default, PartialEq)]
struct Looks {
    is_bold: bool,
    is_dim: bool,
    is_reversed: bool,
    /// 0 to 15.
    colour: Option<usize>,
}

const PAPER: &str = "#16191d";
const INK: &str = "#e6e9ed";
const COLOURS: [&str; 16] = [
    "#3a424b", "#f2705a", "#6fbf73", "#e0bf4f", "#7ea6dc", "#c792ea", "#5fb3b3", "#e6e9ed", "#9aa5b1", "#ff8a80", "#8fd694", "#ffe082",
    "#a3c4f3", "#ddb6f2", "#84d2d2", "#ffffff",
];

impl Looks {
    fn adopt(&mut self, codes: &str) {
        let mut codes = codes.split(';').map(|code| code.parse::<usize>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.is_bold = true,
                2 => self.is_dim = true,
                7 => self.is_reversed = true,
                22 => (self.is_bold, self.is_dim) = (false, false),
                27 => self.is_reversed = false,
                30..=37 => self.colour = Some(code - 30),
                38 if codes.next() == Some(5) => self.colour = codes.next().filter(|colour| *colour < 16),
                39 => self.colour = None,
                90..=97 => self.colour = Some(code - 82),
                _ => {}
            }
        }
    }
}

/// What a terminal shows, as a picture that needs nothing else.
#[must_use]
pub fn svg(shown: &str) -> String {
    let (width, height) = (LETTER.0 * SIZE.0 as f64 + 24.0, LETTER.1 * SIZE.1 as f64 + 24.0);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"DejaVu Sans Mono,Liberation Mono,Menlo,Consolas,monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{PAPER}\"/>\n"
    );
    let mut looks = Looks::default();
    for (number, line) in shown.lines().take(SIZE.1).enumerate() {
        let (mut column, top) = (0, 12.0 + LETTER.1 * number as f64);
        for (at, part) in line.split("\u{1b}[").enumerate() {
            let text = if at == 0 {
                part
            } else if let Some((codes, text)) = part.split_once('m') {
                looks.adopt(codes);
                text
            } else {
                continue;
            };
            let length = text.chars().count();
            if length > 0 {
                piece(&mut out, looks, text, 12.0 + LETTER.0 * column as f64, top, LETTER.0 * length as f64);
            }
            column += length;
        }
    }
    out + "</svg>\n"
}

fn piece(out: &mut String, looks: Looks, text: &str, x: f64, y: f64, width: f64) {
    let ink = looks.colour.and_then(|colour| COLOURS.get(colour)).copied().unwrap_or(INK);
    let (ink, paper) = if looks.is_reversed { (PAPER, ink) } else { (ink, PAPER) };
    // Writing to a String does not fail, neither here nor below.
    if paper != PAPER {
        let _ = writeln!(out, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{paper}\"/>", LETTER.1);
    }
    let text = text.trim_end();
    if text.is_empty() {
        return;
    }
    let bold = if looks.is_bold { " font-weight=\"bold\"" } else { "" };
    let dim = if looks.is_dim { " opacity=\"0.65\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{x}\" y=\"{}\" textLength=\"{}\" fill=\"{ink}\"{bold}{dim}>{}</text>",
        y + 13.0,
        LETTER.0 * text.chars().count() as f64,
        // Those of several spaces that browsers would leave out.
        firebell_shared::text::escape_markup(text).replace(' ', "\u{a0}")
    );
}
