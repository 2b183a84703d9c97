//! `firebell watch`: what goes on, while it goes on, on a whole screen.
//!
//! ```text
//! system bus <--> feed (thread) --News--> state --> draw --> terminal
//!                               <-Order--       <-- keys
//! ```
//! `state` and `draw` are pure.

mod draw;
mod feed;
mod state;

use crate::Failure;
use anyhow::Context as _;
use clap::Args;
use feed::{Feed, News};
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyEventKind},
};
use state::{State, Wish};
use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

/// The screen is drawn anew so often at least; a key is heeded at once.
const TICK: Duration = Duration::from_millis(250);

/// Shows incidents, rates, ports and health on a whole screen, as they change.
///
/// Arrows choose an incident, Enter shows all of it, / filters, o shows those that are over too, a acknowledges, m mutes its source for a day, q quits. Colours
/// only help, and NO_COLOR takes them away.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Begin with only those whose source, kind or summary has this in it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// Begin with those that are over, too.
    #[arg(short, long)]
    all: bool,
}

/// Shows, until somebody quits.
///
/// # Errors
/// This is no terminal, or the collector does not serve this user. One that is not there is waited for.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Failure::Other(anyhow::anyhow!("this needs a terminal; firebell alerts --follow does not")));
    }
    let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let feed = Feed::start().context("a thread for the bus")?;
    let mut state = State::new(arguments.filter.clone(), arguments.all, has_colours);
    let mut terminal = ratatui::try_init().context("the terminal")?;
    let result = show(&mut terminal, &mut state, &feed);
    ratatui::restore();
    result
}

fn show(terminal: &mut DefaultTerminal, state: &mut State, feed: &Feed) -> Result<(), Failure> {
    loop {
        terminal.draw(|frame| draw::screen(frame, state)).context("drawing")?;
        if event::poll(TICK).context("waiting for a key")?
            && let Event::Key(key) = event::read().context("reading a key")?
            && key.kind != KeyEventKind::Release
        {
            match state.press(key) {
                Some(Wish::Quit) => return Ok(()),
                Some(Wish::Order(order)) => state.ordered(feed.order(order)),
                None => {}
            }
        }
        while let Some(news) = feed.news() {
            match news {
                News::Refused(failure) => return Err(failure),
                news => state.take(news),
            }
        }
    }
}
