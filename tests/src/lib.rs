//! What the tests of the whole need: networks that log, desktops, and the real programs between them.

pub mod bus;
pub mod corpus;
pub mod coverage;
pub mod difference;
pub mod fake_collector;
pub mod fake_server;
pub mod private_bus;
pub mod program;
pub mod replay;
pub mod rig;
pub mod rsyslog;
pub mod session;
pub mod stage;
pub mod terminal;
