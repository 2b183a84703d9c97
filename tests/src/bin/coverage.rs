//! Writes `docs/COVERAGE.md` and `docs/COMPARISON.md`, and the logs behind them. `tests/rigs/coverage` is the way to call it.

use anyhow::{Context as _, Result, bail};
use firebell_tests::{
    coverage::{comparison, document, rows},
    program::repository,
};
use std::{
    env, fs,
    io::{self, BufWriter, Write as _},
};

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => out.write_all(document::write()?.as_bytes())?,
        ["--comparison"] => out.write_all(comparison::write()?.as_bytes())?,
        ["--write"] => {
            for (name, text) in [("COVERAGE", document::write()?), ("COMPARISON", comparison::write()?)] {
                let path = repository().join(format!("docs/{name}.md"));
                fs::write(&path, text).with_context(|| path.display().to_string())?;
            }
        }
        ["--names"] => rows::names()?.iter().try_for_each(|name| writeln!(out, "{name}"))?,
        ["--log", name] => rows::write(name, &mut out)?,
        other => bail!("unknown arguments {other:?}: nothing, --comparison, --write, --names, or --log NAME"),
    }
    Ok(out.flush()?)
}
