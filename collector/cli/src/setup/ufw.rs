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
const BEFORE: &str = "/etc/ufw/before.rules";
const BEFORE6: &str = "/etc/ufw/before6.rules";
const AFTER: &str = "/etc/ufw/after.rules";
const AFTER6: &str = "/etc/ufw/after6.rules";
const FILES: [&str; 4] = [BEFORE, BEFORE6, AFTER, AFTER6];

/// A chain that may get a block.
struct Chain {
    file: &'static str,
    name: &'static str,
    is_v6: bool,
    /// For what passes through to another machine.
    is_forward: bool,
    /// For what connection tracking calls invalid, where that alone is refused there.
    is_invalid: bool,
}

const fn chain(file: &'static str, name: &'static str, is_v6: bool, is_forward: bool, is_invalid: bool) -> Chain {
    Chain { file, name, is_v6, is_forward, is_invalid }
}

const CHAINS: [Chain; 8] = [
    chain(BEFORE, "ufw-before-input", false, false, true),
    chain(BEFORE, "ufw-before-forward", false, true, true),
    chain(BEFORE6, "ufw6-before-input", true, false, true),
    chain(BEFORE6, "ufw6-before-forward", true, true, true),
    chain(AFTER, "ufw-after-input", false, false, false),
    chain(AFTER, "ufw-after-forward", false, true, false),
    chain(AFTER6, "ufw6-after-input", true, false, false),
    chain(AFTER6, "ufw6-after-forward", true, true, false),
];

impl Chain {
    fn is_for(&self, need: &Need) -> bool {
        let only_invalid = need.kinds.iter().all(|kind| *kind == Kind::TcpFin);
        (if self.is_v6 { need.v6 } else { need.v4 })
            && (if self.is_forward { need.is_forward } else { need.is_input })
            && only_invalid == self.is_invalid
    }
}

/// The blocks that are missing.
pub(super) fn add(needs: &[Need]) -> anyhow::Result<Vec<Change>> {
    let (mut files, mut shown) = (Vec::new(), String::new());
    for path in FILES {
        let former = fs::read_to_string(path);
        let mut text = None;
        for chain in CHAINS.iter().filter(|chain| chain.file == path) {
            let Some(need) = needs.iter().find(|need| chain.is_for(need)) else { continue };
            let former = former.as_ref().map_err(|error| anyhow!("{path}: {error}"))?;
            if has_block(former, chain.name) {
                continue;
            }
            let block = block(chain, need.verdict());
            let changed = with_block(text.as_deref().unwrap_or(former), &block);
            text = Some(changed.with_context(|| format!("{path} has no COMMIT after *filter"))?);
            shown += &format!("{path}, before COMMIT:\n{block}");
        }
        files.extend(text.map(|text| (PathBuf::from(path), text)));
    }
    if files.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Change::new(format!("{shown}ufw reload"), move || {
        files.iter().try_for_each(|(path, text)| replace(path, text))?;
        reload()
    })])
}

/// Tells ufw to load its files.
pub(super) fn reload() -> anyhow::Result<()> {
    change("ufw", &["reload"], b"")
}

/// One rule: what gets here in `after` is refused next; in `before` it stands first, before invalid packets are dropped.
fn block(chain: &Chain, verdict: &str) -> String {
    let Chain { name: chain, is_v6, is_invalid, .. } = *chain;
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

/// There is a block of ours for this chain.
fn has_block(text: &str, chain: &str) -> bool {
    text.split(BEGIN).skip(1).any(|rest| rest.split(' ').nth(1) == Some(chain))
}

/// Takes the first block away.
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
    for path in FILES {
        let Ok(text) = fs::read_to_string(path) else { continue };
        let mut former = without_block(&text);
        while let Some(more) = former.as_deref().and_then(without_block) {
            former = Some(more);
        }
        files.extend(former.map(|former| (PathBuf::from(path), former)));
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
        let block = block(&CHAINS[4], "DROP");
        let changed = with_block(text, &block).unwrap();
        assert!(
            changed.contains("# do not delete COMMIT\n# firebell setup: begin")
                && changed.ends_with("# firebell setup: end\nCOMMIT\n# end\n")
        );
        assert_eq!(without_block(&changed).unwrap(), text);
        assert!(has_block(&changed, "ufw-after-input") && !has_block(&changed, "ufw-after-forward"));
        let both = with_block(&changed, &super::block(&CHAINS[5], "DROP")).unwrap();
        assert!(has_block(&both, "ufw-after-forward") && has_block(&both, "ufw-after-input"));
        assert_eq!(without_block(&without_block(&both).unwrap()).unwrap(), text);
        assert_eq!(without_block(text), None);
        assert_eq!(with_block("*nat\nCOMMIT\n", &block), None);
    }
}
