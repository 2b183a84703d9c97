//! The tables of a rule file.

use super::value::{
    CategoryWord, ConfidenceWord, Cve, DistinctWord, Id, MatchTable, PerWord, Reference, TechniqueId, TestLine, Title, Why, Within,
};
use crate::config::Whole;
use firebell_engine::signature::{Confidence, Count, Distinct, Per, Rule};
use firebell_shared::{config::Spanned, severity::Severity};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{fmt, marker::PhantomData};

/// A rule file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) rule: Vec<Spanned<RuleEntry>>,
    pub(super) r#override: Vec<Spanned<Override>>,
    pub(super) sid: Vec<Sid>,
}

/// The title of a number that a log prefix names.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sid {
    pub(super) number: Whole<1, { u32::MAX }>,
    pub(super) title: Title,
}

/// A `[[rule]]` table, checked.
#[derive(Debug)]
pub(super) struct RuleEntry {
    pub(super) rule: Rule,
    pub(super) is_enabled: bool,
    pub(super) tests: Vec<Spanned<TestEntry>>,
}

/// A `[[rule.test]]` table.
#[derive(Clone, Debug)]
pub(super) struct TestEntry {
    pub(super) lines: Vec<String>,
    pub(super) expect: bool,
}

/// An `[[override]]` table.
#[derive(Clone, Debug)]
pub(super) struct Override {
    pub(super) id: String,
    pub(super) enabled: Option<bool>,
    pub(super) severity: Option<u8>,
    pub(super) confidence: Option<Confidence>,
}

/// A hint never raises an incident above this.
pub(super) const MAX_HINT: u8 = 2;
pub(super) const HINT_TOO_SEVERE: &str = "a hint only explains: give it severity 1 or 2, or confidence \"likely\" or \"sure\"";

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RuleTable {
    id: Id,
    title: Title,
    severity: Severity,
    confidence: ConfidenceWord,
    category: CategoryWord,
    #[serde(default)]
    attack: Vec<TechniqueId>,
    #[serde(default)]
    cve: Vec<Cve>,
    #[serde(default)]
    references: Vec<Reference>,
    why: Why,
    #[serde(default = "yes")]
    enabled: bool,
    r#match: MatchTable,
    count: Option<CountEntry>,
    #[serde(default)]
    test: Vec<Spanned<TestEntry>>,
}

const fn yes() -> bool {
    true
}

/// Ids, references and numbers in one rule.
const MAX_LIST: usize = 16;
/// Tests of one rule, and lines of one test.
const MAX_TESTS: usize = 64;

impl TryFrom<RuleTable> for RuleEntry {
    type Error = String;

    fn try_from(table: RuleTable) -> Result<Self, String> {
        let (severity, confidence) = (table.severity.get(), table.confidence.0);
        if confidence == Confidence::Hint && severity > MAX_HINT {
            return Err(HINT_TOO_SEVERE.to_owned());
        }
        for (name, count, max) in [
            ("attack", table.attack.len(), MAX_LIST),
            ("cve", table.cve.len(), MAX_LIST),
            ("references", table.references.len(), MAX_LIST),
            ("test", table.test.len(), MAX_TESTS),
        ] {
            if count > max {
                return Err(format!("{name} has {count} entries; at most {max} are allowed"));
            }
        }
        let rule = Rule {
            id: table.id.0,
            title: table.title.0,
            severity,
            confidence,
            category: table.category.0,
            attack: table.attack.into_iter().map(|id| id.0).collect(),
            cve: table.cve.into_iter().map(|cve| cve.0).collect(),
            references: table.references.into_iter().map(|reference| reference.0).collect(),
            why: table.why.0,
            matching: table.r#match.0,
            count: table.count.map(|count| count.0),
        };
        Ok(Self { rule, is_enabled: table.enabled, tests: table.test })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CountTable {
    distinct: Option<DistinctWord>,
    at_least: Whole<2, { Count::MAX_PACKETS as u32 }>,
    within: Within,
    per: Option<PerWord>,
}

#[derive(Debug)]
struct CountEntry(Count);

impl TryFrom<CountTable> for CountEntry {
    type Error = String;

    fn try_from(table: CountTable) -> Result<Self, String> {
        let at_least = u16::try_from(table.at_least.get()).unwrap_or(u16::MAX);
        let count = Count {
            distinct: table.distinct.map(|distinct| distinct.0),
            at_least,
            within: table.within.0,
            per: table.per.map_or(Per::Src, |per| per.0),
        };
        match (count.distinct, count.per) {
            (Some(Distinct::Src), Per::Src) | (Some(Distinct::Dst), Per::Dst) => {
                Err("each has only one of these: count something else, or per the other side".to_owned())
            }
            (Some(_), _) if at_least > Count::MAX_DISTINCT => {
                Err(format!("at-least is {at_least}; at most {} different values are told apart", Count::MAX_DISTINCT))
            }
            _ => Ok(Self(count)),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestTable {
    line: Option<TestLine>,
    lines: Option<Vec<TestLine>>,
    expect: bool,
}

impl TryFrom<TestTable> for TestEntry {
    type Error = String;

    fn try_from(table: TestTable) -> Result<Self, String> {
        let lines = match (table.line, table.lines) {
            (Some(line), None) => vec![line.0],
            (None, Some(lines)) if (1..=MAX_TESTS).contains(&lines.len()) => lines.into_iter().map(|line| line.0).collect(),
            (None, Some(_)) => return Err(format!("lines has 1 to {MAX_TESTS} lines")),
            _ => return Err("give either line or lines".to_owned()),
        };
        Ok(Self { lines, expect: table.expect })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverrideTable {
    id: Id,
    enabled: Option<bool>,
    severity: Option<Severity>,
    confidence: Option<ConfidenceWord>,
}

impl TryFrom<OverrideTable> for Override {
    type Error = String;

    fn try_from(table: OverrideTable) -> Result<Self, String> {
        let OverrideTable { id, enabled, severity, confidence } = table;
        if enabled.is_none() && severity.is_none() && confidence.is_none() {
            return Err("this changes nothing; give enabled, severity or confidence".to_owned());
        }
        Ok(Self { id: id.0, enabled, severity: severity.map(Severity::get), confidence: confidence.map(|word| word.0) })
    }
}

/// Reads a table as an `F`, and makes a `T` of it inside the visitor, so that an error has the place of the table.
struct Checked<F, T>(&'static str, PhantomData<(F, T)>);

impl<'de, F: Deserialize<'de>, T: TryFrom<F, Error = String>> Visitor<'de> for Checked<F, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::try_from(F::deserialize(MapAccessDeserializer::new(map))?).map_err(de::Error::custom)
    }
}

macro_rules! checked {
    ($($name:ident from $table:ty: $expected:literal)*) => { $(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map(Checked::<$table, $name>($expected, PhantomData))
            }
        }
    )* };
}

checked! {
    RuleEntry from RuleTable: "a [[rule]] table"
    CountEntry from CountTable: "a [rule.count] table"
    TestEntry from TestTable: "a [[rule.test]] table"
    Override from OverrideTable: "an [[override]] table"
}
