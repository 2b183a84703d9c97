//! Numbers as a language groups them. Source: Unicode CLDR 46, `numbers/symbols` and `minimumGroupingDigits`.

/// How a language writes a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grouping {
    /// Between groups of three digits.
    pub(super) separator: char,
    /// The first group has at least this many digits, otherwise there is no separator at all.
    pub(super) first: usize,
}

impl Grouping {
    /// `1996` as `1,996`, `1.996`, `1 996` or `1996`.
    pub(super) fn write(self, number: u64) -> String {
        let digits = number.to_string();
        if digits.len() < 3 + self.first {
            return digits;
        }
        let mut text = String::with_capacity(digits.len() * 2);
        for (n, digit) in digits.chars().enumerate() {
            if n > 0 && (digits.len() - n).is_multiple_of(3) {
                text.push(self.separator);
            }
            text.push(digit);
        }
        text
    }
}
