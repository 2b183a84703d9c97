//! What the collector and the notifier must agree on, and nothing else.
//!
//! | module | agrees on |
//! |---|---|
//! | [`names`] | names, paths and actions on the bus |
//! | [`alert`] | the `Alert` signal: its types and its bounds |
//! | [`severity`] | the five levels |
//! | [`kind`] | the kinds of incident |
//! | [`mutes`] | what it means that a source is muted or trusted |
//! | [`services`] | what people call ports |
//! | [`text`] | how bytes from outside become text for people |
//! | [`config`] | how a configuration file is read, and how its errors look |
//! | `client` | the proxy of the collector (feature `client`) |

pub mod alert;
#[cfg(feature = "client")]
pub mod client;
pub mod config;
pub mod kind;
pub mod mutes;
pub mod names;
pub mod services;
pub mod severity;
pub mod text;
