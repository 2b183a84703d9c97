//! Decides what a firewall log means: bytes and ticks in, findings out.
//!
//! This crate is pure. It opens nothing, asks no clock, waits for nothing and has no globals, so that
//! any incident replays from a file. A test in `firebell-tests` fails when that changes.

pub mod finding;
pub mod origin;
pub mod packet;
pub mod parse;
pub mod record;
pub mod replay;
pub mod stamp;
pub mod tick;
