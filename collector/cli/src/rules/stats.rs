//! `firebell rules stats`: what the rules of the running collector have found.

use super::{Form, show};
use crate::{Failure, live::ask, times};
use clap::Args;
use firebell_engine::tick::Tick;
use serde_json::json as value;
use std::io::Write as _;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Also the rules that have fitted nothing yet.
    #[arg(long)]
    all: bool,
    /// text for people, json for one document.
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// Asks, and prints.
///
/// # Errors
/// There is no collector on the bus, or it does not tell this user.
pub(super) fn run(out: &mut Vec<u8>, arguments: &Arguments) -> Result<(), Failure> {
    let mut hits = ask(async |collector| collector.rule_hits().await)?;
    let all = hits.len();
    hits.retain(|(_, packets, _)| arguments.all || *packets > 0);
    hits.sort_by(|(a_id, a, _), (b_id, b, _)| b.cmp(a).then_with(|| a_id.cmp(b_id)));
    match arguments.output {
        Form::Json => {
            let time = |micros: u64| (micros > 0).then(|| times::rfc3339(Tick::from_micros(micros)));
            let rules: Vec<_> =
                hits.iter().map(|(id, packets, last)| value!({ "id": id, "packets": packets, "last": time(*last) })).collect();
            show::json(out, &value!({ "rules": rules, "in_force": all }));
        }
        Form::Text => {
            for (id, packets, last) in &hits {
                let last = if *last == 0 { "-".to_owned() } else { times::plain(Tick::from_micros(*last)) };
                // Writing into memory does not fail.
                let _ = writeln!(out, "{packets:>12}  {last:<19}  {id}");
            }
            let _ = writeln!(out, "{} in force, {} with packets", show::plural(all, "rule"), hits.iter().filter(|hit| hit.1 > 0).count());
        }
    }
    Ok(())
}
