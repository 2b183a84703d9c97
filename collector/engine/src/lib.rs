//! Decides what a firewall log means: bytes and ticks in, findings out.
//!
//! This crate is pure. It opens nothing, asks no clock, waits for nothing and has no globals, so that
//! any incident replays from a file. A test in `firebell-tests` fails when that changes.
//!
//! The way of the data: [`packet`] → `class` (what is it) → `table` (who sent it, what did they ask before) →
//! `detect` (is that bad) → `incident` (one attack, one story) → [`finding`].

pub mod class;
pub mod config;
pub mod engine;
pub mod finding;
pub mod origin;
pub mod packet;
pub mod parameters;
pub mod parse;
pub mod record;
pub mod replay;
pub mod signature;
pub mod stamp;
pub mod tick;

mod address;
mod bytes;
mod cache;
mod contacts;
mod cursor;
mod detect;
mod hash;
mod incident;
mod incidents;
mod lists;
mod ports;
mod score;
mod snapshot;
mod table;
mod texts;
mod words;
