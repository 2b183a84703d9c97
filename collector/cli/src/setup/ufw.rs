//! ufw: a block in its own rule files, which it loads with `ufw reload` and at every boot.
//!
//! Not `ufw logging high`: up to `medium` it writes three lines a minute for all sources together, and from `high` on it also writes
//! every packet that it lets in.

use super::{ALL_BURST, ALL_RATE, Change, Kind, Need, REMEMBERED, SOURCE_BURST, SOURCE_RATE, SOURCES, change};
use anyhow::{Context as _, anyhow};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown},
    path::{Path, PathBuf},
};

const BEGIN: &str = "# firebell setup: begin (firebell setup --undo takes it away)\n";
const END: &str = "# firebell setup: end\n";
/// The files, the chain in each, and whether it is for IPv6 and for what connection tracking calls invalid.
const FILES: [(&str, &str, bool, bool); 4] = [
    ("/etc/ufw/before.rules", "ufw-before-input", false, true),
    ("/etc/ufw/before6.rules", "ufw6-before-input", true, true),
    ("/etc/ufw/after.rules", "ufw-after-input", false, false),
    ("/etc/ufw/after6.rules", "ufw6-after-input", true, false),
];

/// The blocks that are missing.
pub(super) fn add(needs: &[Need]) -> anyhow::Result<Vec<Change>> {
    let mut files = Vec::new();
    for (path, chain, is_v6, is_invalid) in FILES {
        let wanted: Vec<&Need> = needs
            .iter()
            .filter(|need| (if is_v6 { need.v6 } else { need.v4 }) && need.kinds.iter().any(|kind| (*kind == Kind::TcpFin) == is_invalid))
            .collect();
        let Some(need) = wanted.first() else { continue };
        // Where there are invalid packets only among others, the other block sees them too.
        let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
        if text.contains(BEGIN) {
            continue;
        }
        let block = block(chain, is_v6, is_invalid, need.verdict());
        let changed = with_block(&text, &block).with_context(|| format!("{path} has no COMMIT after *filter"))?;
        files.push((PathBuf::from(path), changed, block));
    }
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let text = files.iter().map(|(path, _, block)| format!("{}, before COMMIT:\n{block}", path.display())).collect::<String>();
    Ok(vec![Change::new(format!("{text}ufw reload"), move || {
        files.iter().try_for_each(|(path, text, _)| replace(path, text))?;
        reload()
    })])
}

fn reload() -> anyhow::Result<()> {
    change("ufw", &["reload"], b"")
}

/// One rule: what gets here in `after` is refused next; in `before` it stands first, before invalid packets are dropped.
fn block(chain: &str, is_v6: bool, is_invalid: bool, verdict: &str) -> String {
    let add = if is_invalid { format!("-I {chain} -m conntrack --ctstate INVALID ! -i lo") } else { format!("-A {chain}") };
    let mask = if is_v6 { "--hashlimit-srcmask 64 " } else { "" };
    let name = if is_invalid { "firebell_invalid" } else { "firebell" };
    let verdict = if is_invalid { "DROP" } else { verdict };
    format!(
        "{BEGIN}{add} -m pkttype --pkt-type unicast -m hashlimit --hashlimit-upto {SOURCE_RATE}/sec --hashlimit-burst {SOURCE_BURST} --hashlimit-mode srcip \
         {mask}--hashlimit-name {name} --hashlimit-htable-max {SOURCES} --hashlimit-htable-expire {} -m limit --limit {ALL_RATE}/sec --limit-burst {ALL_BURST} \
         -j LOG --log-tcp-sequence --log-tcp-options --log-ip-options --log-prefix \"firebell {verdict} \"\n{END}",
        REMEMBERED * 1_000
    )
}

/// Puts the block before the end of the table `filter`.
fn with_block(text: &str, block: &str) -> Option<String> {
    let table = text.find("*filter")?;
    let commit = table + text.get(table..)?.find("\nCOMMIT")? + 1;
    Some(format!("{}{block}{}", text.get(..commit)?, text.get(commit..)?))
}

/// Takes the block away.
fn without_block(text: &str) -> Option<String> {
    let begin = text.find(BEGIN)?;
    let end = begin + text.get(begin..)?.find(END)? + END.len();
    Some(format!("{}{}", text.get(..begin)?, text.get(end..)?))
}

/// Writes a file beside it and puts it in its place, with the rights of the old one.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let metadata = fs::symlink_metadata(path).with_context(|| path.display().to_string())?;
    if !metadata.is_file() {
        return Err(anyhow!("{} is no regular file", path.display()));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".firebell-new");
    let beside = PathBuf::from(beside);
    let _ = fs::remove_file(&beside);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(metadata.mode() & 0o7777).open(&beside)?;
    file.write_all(text.as_bytes())?;
    chown(&beside, Some(metadata.uid()), Some(metadata.gid()))?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(())
}

/// Takes the blocks away.
pub(super) fn undo() -> anyhow::Result<Vec<Change>> {
    let mut files = Vec::new();
    for (path, ..) in FILES {
        let Ok(text) = fs::read_to_string(path) else { continue };
        if let Some(former) = without_block(&text) {
            files.push((PathBuf::from(path), former));
        }
    }
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    Ok(vec![Change::new(format!("take our block out of {}; ufw reload", names.join(", ")), move || {
        files.iter().try_for_each(|(path, text)| replace(path, text))?;
        reload()
    })])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_goes_in_before_commit_and_out_to_the_byte() {
        let text = "*nat\n:X - [0:0]\nCOMMIT\n# a\n*filter\n:ufw-after-input - [0:0]\n-A x\n# do not delete COMMIT\nCOMMIT\n# end\n";
        let block = block("ufw-after-input", false, false, "DROP");
        let changed = with_block(text, &block).unwrap();
        assert!(
            changed.contains("# do not delete COMMIT\n# firebell setup: begin")
                && changed.ends_with("# firebell setup: end\nCOMMIT\n# end\n")
        );
        assert_eq!(without_block(&changed).unwrap(), text);
        assert_eq!(without_block(text), None);
        assert_eq!(with_block("*nat\nCOMMIT\n", &block), None);
    }
}
