//! What changed in a document, for people.

use std::{collections::HashSet, fmt::Write as _};

/// Lines that are shown.
const SHOWN: usize = 200;

/// The lines of `before` that are gone, with `-`, and those of `now` that are new, with `+`, in order; equal lines count as
/// the same wherever they stand.
#[must_use]
pub fn difference(before: &str, now: &str) -> String {
    let (old, new): (HashSet<&str>, HashSet<&str>) = (before.lines().collect(), now.lines().collect());
    let mut gone: Vec<&str> = before.lines().filter(|line| !new.contains(line)).collect();
    gone.reverse();
    let mut out = String::new();
    let mut count = 0;
    let mut add = |sign: char, line: &str| {
        count += 1;
        if count <= SHOWN {
            // Writing into a string does not fail.
            let _ = writeln!(out, "{sign} {line}");
        }
    };
    for line in now.lines().filter(|line| !old.contains(line)) {
        // A row is known by its first cell.
        let name = |line: &str| line.split(" | ").next().map(str::to_owned);
        if let Some(at) = gone.iter().rposition(|old| name(old) == name(line)) {
            for old in gone.split_off(at).into_iter().rev() {
                add('-', old);
            }
        }
        add('+', line);
    }
    gone.into_iter().rev().for_each(|line| add('-', line));
    if count > SHOWN {
        let _ = writeln!(out, "and {} lines more", count - SHOWN);
    }
    if out.is_empty() {
        out.push_str("only the order of the lines\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_row_stands_beside_what_it_was() {
        let before = "head\n| a | 1 |\n| b | 2 |\n| c | 3 |\n";
        assert_eq!(difference(before, "head\n| a | 1 |\n| b | 4 |\n| d | 5 |\n"), "- | b | 2 |\n+ | b | 4 |\n+ | d | 5 |\n- | c | 3 |\n");
        assert_eq!(difference(before, "head\n| b | 2 |\n| a | 1 |\n| c | 3 |\n"), "only the order of the lines\n");
    }
}
