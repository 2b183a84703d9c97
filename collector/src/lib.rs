//! The privileged part of firebell: reads the firewall log, emits alerts on the system bus.

pub mod accounts;
pub mod bus;
pub mod clock;
pub mod config;
pub mod convert;
pub mod copies;
pub mod digest;
pub mod evidence;
pub mod explain;
pub mod exports;
pub mod health;
pub mod hiding;
pub mod history;
pub mod intake;
pub mod lists;
pub mod losses;
pub mod manager;
pub mod privilege;
pub mod remark;
pub mod rules;
pub mod sandbox;
pub mod store;
mod told;
pub mod watch;
