//! The recorded scans in `tests/corpus`.

use anyhow::{Context as _, Result};
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

/// The forms in which each capture is kept.
pub const FORMS: [&str; 4] = ["kmsg", "syslog", "iso", "rfc5424"];

/// Where the corpus lies.
#[must_use]
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The names of all captures of `dev`, sorted: `ack`, `forward.nft-all`, `syn`, …
///
/// # Errors
/// When the directory cannot be read.
pub fn captures() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory().join("dev"))? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        names.extend(name.strip_suffix(".kmsg.log").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// The names of the captures of `more`, which are kept as kernel records only, sorted: `more/flags-rst`, …
///
/// # Errors
/// When the directory cannot be read.
pub fn more() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory().join("more"))? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        names.extend(name.trim_end_matches(".gz").strip_suffix(".kmsg.log").map(|name| format!("more/{name}")));
    }
    names.sort();
    Ok(names)
}

/// What is known of a capture.
#[derive(Clone, Debug)]
pub struct Label {
    /// Its name, as [`lines`] takes it.
    pub capture: String,
    /// What sent it.
    pub tool: String,
    /// The command that made it.
    pub command: String,
    /// What kind of scan or traffic it is.
    pub scan_type: String,
    /// `alert` (a scan or attack), `quiet` (harmless), `any` (a judgement call).
    pub expect: String,
}

/// The labels of a folder of the corpus: `dev`, `more` or `nmap`.
///
/// # Errors
/// When they cannot be read.
pub fn labels(folder: &str) -> Result<Vec<Label>> {
    let table = fs::read_to_string(directory().join(folder).join("labels.tsv"))?;
    let start = if folder == "dev" { String::new() } else { format!("{folder}/") };
    let label = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let column =
            |n: usize| columns.get(n).map(|text| (*text).to_owned()).with_context(|| format!("{folder}/labels.tsv: no column {n}: {line}"));
        let capture = format!("{start}{}", column(0)?.trim_end_matches(".kmsg.log"));
        Ok(Label { capture, tool: column(1)?, command: column(2)?, scan_type: column(3)?, expect: column(11)? })
    };
    table.lines().skip(1).map(label).collect()
}

/// The lines of one capture in one of [`FORMS`], without their newlines; `None` where it is not kept in that form.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn lines(capture: &str, form: &str) -> Result<Option<Vec<Vec<u8>>>> {
    let folder = if capture.contains('/') { "" } else { "dev/" };
    let path = directory().join(format!("{folder}{capture}.{form}.log"));
    let packed = path.with_extension("log.gz");
    let bytes = if path.exists() {
        fs::read(&path).with_context(|| path.display().to_string())?
    } else if packed.exists() {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(fs::File::open(&packed)?).read_to_end(&mut bytes).with_context(|| packed.display().to_string())?;
        bytes
    } else {
        return Ok(None);
    };
    Ok(Some(bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()))
}
