//! Writes `docs/COVERAGE.md`, and the logs behind it. `tests/rigs/coverage` is the way to call it.

use anyhow::{Context as _, Result, bail};
use firebell_tests::{
    coverage::{document, rows},
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
        ["--write"] => {
            let path = repository().join("docs/COVERAGE.md");
            fs::write(&path, document::write()?).with_context(|| path.display().to_string())?;
        }
        ["--names"] => rows::names()?.iter().try_for_each(|name| writeln!(out, "{name}"))?,
        ["--log", name] => rows::write(name, &mut out)?,
        other => bail!("unknown arguments {other:?}: nothing, --write, --names, or --log NAME"),
    }
    Ok(out.flush()?)
}
