//! What undo has to know and cannot see.
//!
//! In a folder of root's own: the collector's folder belongs to the user `firebell`, and what root does must not follow what
//! another user may write.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

const FOLDER: &str = "/var/lib/firebell-setup";
const FILE: &str = "/var/lib/firebell-setup/state.json";

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// What firewalld logged before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) firewalld_log_denied: Option<String>,
}

impl State {
    /// Nothing where there is no file.
    pub(super) fn read() -> anyhow::Result<Self> {
        match fs::read(FILE) {
            Ok(bytes) => {
                let state: Self = serde_json::from_slice(&bytes).context(FILE)?;
                let known = |value: &String| ["all", "unicast", "broadcast", "multicast", "off"].contains(&value.as_str());
                anyhow::ensure!(state.firewalld_log_denied.iter().all(known), "{FILE}: firewalld knows no such value");
                Ok(state)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).context(FILE),
        }
    }

    /// Writes it; nothing to know is no file.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        if *self == Self::default() {
            for result in [fs::remove_file(FILE), fs::remove_dir(FOLDER)] {
                match result {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error).context(FOLDER),
                    _ => {}
                }
            }
            return Ok(());
        }
        if !Path::new(FOLDER).exists() {
            fs::DirBuilder::new().mode(0o700).create(FOLDER).context(FOLDER)?;
        }
        let text = serde_json::to_string_pretty(self)? + "\n";
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(FILE).context(FILE)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).context(FILE)
    }
}
