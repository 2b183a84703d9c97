//! Steps over the bytes of a line, eight or sixteen at a time.
//!
//! Whatever is looked at is loaded as one number and taken apart there: one check of the length for each step, and no
//! loop over bytes whose count differs from line to line, which a processor cannot foresee. Behind the end of the line
//! everything is spaces.

use std::net::Ipv4Addr;

/// What is still to be read of a line.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    /// The next eight bytes as a little-endian number.
    #[inline(always)]
    pub(crate) fn peek(self) -> u64 {
        match self.0.first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => halves(self.peek_last()).0,
        }
    }

    /// The next sixteen bytes as a little-endian number.
    #[inline(always)]
    fn peek_wide(self) -> u128 {
        match self.0.first_chunk() {
            Some(bytes) => u128::from_le_bytes(*bytes),
            None => self.peek_last(),
        }
    }

    #[cold]
    #[inline(never)]
    fn peek_last(self) -> u128 {
        let mut bytes = [b' '; 16];
        for (to, from) in bytes.iter_mut().zip(self.0) {
            *to = *from;
        }
        u128::from_le_bytes(bytes)
    }

    #[cold]
    #[inline(never)]
    fn last_four(self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.peek_last().to_le_bytes();
        [a, b, c, d]
    }

    #[inline(always)]
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.0 = self.0.get(bytes..).unwrap_or_default();
    }

    /// The same, if the line has so many.
    #[inline(always)]
    pub(crate) fn step(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.get(bytes..)?;
        Some(())
    }

    /// At most so many of the next bytes.
    #[inline(always)]
    pub(crate) fn ahead(self, most: usize) -> &'a [u8] {
        self.0.get(..most).unwrap_or(self.0)
    }

    #[inline(always)]
    pub(crate) fn has(self, ahead: usize, what: &[u8]) -> bool {
        self.0.get(ahead..).is_some_and(|rest| rest.starts_with(what))
    }

    /// Steps over `what` if that is here.
    #[inline(always)]
    pub(crate) fn eat(&mut self, what: &[u8]) -> bool {
        match self.0.strip_prefix(what) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    #[inline]
    pub(crate) fn skip_spaces(&mut self) {
        while let [b' ', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    /// The bytes up to the next space.
    #[inline(always)]
    pub(crate) fn word(&mut self) -> &'a [u8] {
        let hit = hits(self.peek(), b' ');
        let length = if hit == 0 { self.long_word() } else { hit.trailing_zeros() as usize / 8 };
        self.take(length)
    }

    /// The length of a word of more than eight bytes.
    #[inline(always)]
    fn long_word(self) -> usize {
        let (blocks, last) = self.0.as_chunks::<16>();
        for (before, block) in blocks.iter().enumerate() {
            // All of them at once, in one register.
            if block.iter().fold(false, |any, byte| any | (*byte == b' ')) {
                let (low, high) = halves(u128::from_le_bytes(*block));
                let (low, high) = (hits(low, b' '), hits(high, b' '));
                let bits = if low != 0 { low.trailing_zeros() } else { 64 + high.trailing_zeros() };
                return before * 16 + bits as usize / 8;
            }
        }
        self.0.len() - last.len() + last.iter().take_while(|byte| **byte != b' ').count()
    }

    #[inline(always)]
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(length).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }

    /// The word behind `key`, if that is here.
    #[inline(always)]
    pub(crate) fn word_of(&mut self, key: &[u8]) -> Option<&'a [u8]> {
        self.eat(key).then(|| self.word())
    }

    /// A decimal number of 1 to 19 digits; what is behind them is left.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for room in [19, 11, 3] {
            let word = self.peek();
            let bits = all_digit_bits(word);
            let length = (bits / 8).min(room);
            if length > 0 {
                value = value * TENS.get(length as usize)? + u64::from(value_of(word, length * 8));
                self.step(length as usize)?;
            }
            if length < 8 {
                return (room < 19 || length > 0).then_some(value);
            }
        }
        Some(value)
    }

    /// Exactly two decimal digits.
    #[inline(always)]
    pub(crate) fn two_digits(&mut self) -> Option<u8> {
        let [a, b, ..] = *self.0 else { return None };
        let (a, b) = (a.wrapping_sub(b'0'), b.wrapping_sub(b'0'));
        if a > 9 || b > 9 {
            return None;
        }
        self.step(2)?;
        Some(a * 10 + b)
    }

    /// `07:11:01`: three numbers of exactly two digits.
    #[inline(always)]
    pub(crate) fn clock(&mut self) -> Option<(u8, u8, u8)> {
        let found = self.peek() ^ u64::from_le_bytes(*b"00:00:00");
        // Nothing is left of a colon, and at most 9 of a digit.
        let is_clock = found & 0x0000_ff00_00ff_0000 == 0 && (found.wrapping_add(each(0x76)) | found) & each(0x80) == 0;
        if !is_clock {
            return None;
        }
        self.step(8)?;
        let [h, h1, _, m, m1, _, s, s1] = found.to_le_bytes();
        Some((h * 10 + h1, m * 10 + m1, s * 10 + s1))
    }

    /// One to nine digits of a fraction, in millionths; what is finer is dropped.
    #[inline(always)]
    pub(crate) fn millionths(&mut self) -> Option<u32> {
        let bits = all_digit_bits(self.peek());
        let length = bits / 8;
        if length == 0 {
            return None;
        }
        // In an empty place stands a zero.
        let places = self.peek() & (u64::MAX >> (64 - bits)) | each(b'0') & !(u64::MAX >> (64 - bits));
        self.step(length as usize)?;
        if length == 8 && self.0.first().is_some_and(u8::is_ascii_digit) {
            self.step(1)?;
        }
        Some(value_of(places, 48))
    }

    /// A number of six decimal digits, with the two bytes behind it; otherwise no step is made.
    #[inline(always)]
    pub(crate) fn six_digits(&mut self, end: &[u8; 2]) -> Option<u32> {
        let word = self.peek();
        if digit_bits(word) != 48 || word >> 48 != u64::from(u16::from_le_bytes(*end)) {
            return None;
        }
        self.step(8)?;
        Some(value_of(word, 48))
    }

    /// The decimal number behind `key`, which is at most 10 bytes, if both are here: at most seven digits and as many as
    /// fit in sixteen bytes with the key, ended by a space or by the line, in the range of `T`. Otherwise no step is made.
    #[inline(always)]
    pub(crate) fn number_of<T: TryFrom<u32>>(&mut self, key: &[u8]) -> Option<T> {
        let word = self.behind(key)?;
        let bits = digit_bits(word);
        if bits == 0 || word >> bits & 0xff != u64::from(b' ') {
            return None;
        }
        let value = T::try_from(value_of(word, bits)).ok()?;
        self.step(key.len() + bits as usize / 8)?;
        Some(value)
    }

    /// The same for any 32 bits; `key` is at most 5 bytes.
    #[inline(always)]
    pub(crate) fn long_number_of(&mut self, key: &[u8]) -> Option<u32> {
        let first = self.behind(key)?;
        if others(first) != 0 {
            return self.number_of(key);
        }
        let (_, last) = halves(self.peek_wide() >> (key.len() * 8));
        let (scale, more) = match digit_bits(last) {
            0 => (1, 0),
            8 => (10, value_of(last, 8)),
            16 => (100, value_of(last, 16)),
            _ => return None,
        };
        let bits = digit_bits(last);
        if last >> bits & 0xff != u64::from(b' ') {
            return None;
        }
        let value = u32::try_from(u64::from(value_of(first, 64)) * scale + u64::from(more)).ok()?;
        self.step(key.len() + 8 + bits as usize / 8)?;
        Some(value)
    }

    /// A number of at most 255, as strict as [`Self::ipv4`].
    #[inline(always)]
    pub(crate) fn byte_of(&mut self, key: &[u8]) -> Option<u8> {
        let mut rest = *self;
        if !rest.eat(key) {
            return None;
        }
        let value = rest.octet(b' ')?;
        *self = rest;
        u8::try_from(value).ok()
    }

    /// The eight bytes behind `key`, if that is here; those that are not among the next sixteen are zero.
    #[inline(always)]
    fn behind(self, key: &[u8]) -> Option<u64> {
        let wide = self.peek_wide();
        let length = key.len() * 8;
        let wanted = key.iter().rev().fold(0, |all, byte| all << 8 | u128::from(*byte));
        (wide & (u128::MAX >> (128 - length)) == wanted).then_some(halves(wide >> length).0)
    }

    /// A value as the kernel prints a byte, `0x` and two hexadecimal digits, behind a `key` that ends with that `0x`.
    #[inline(always)]
    pub(crate) fn hex_byte_of(&mut self, key: &[u8]) -> Option<&'a [u8]> {
        let rest = self.0.strip_prefix(key)?;
        let [high, low, b' ', ..] = rest else { return None };
        if hex_digit(*high) | hex_digit(*low) >= 16 {
            return None;
        }
        let value = self.0.get(key.len() - 2..key.len() + 2)?;
        self.0 = rest.get(2..)?;
        Some(value)
    }

    /// One to seven hexadecimal digits behind `key`, which is at most 8 bytes; ended by a space or by the line.
    #[inline(always)]
    pub(crate) fn hex_of(&mut self, key: &[u8]) -> Option<&'a [u8]> {
        let word = self.behind(key)?;
        let length = no_hex(word).trailing_zeros() / 8;
        if length == 0 || length > 7 || word >> (length * 8) & 0xff != u64::from(b' ') {
            return None;
        }
        self.step(key.len())?;
        Some(self.take(length as usize))
    }

    /// How many hexadecimal digits are here.
    #[inline(always)]
    pub(crate) fn hex_digits(self) -> usize {
        let (words, last) = self.0.as_chunks();
        let mut length = 0;
        for word in words {
            let others = no_hex(u64::from_le_bytes(*word));
            if others != 0 {
                return length + others.trailing_zeros() as usize / 8;
            }
            length += 8;
        }
        length + last.iter().take_while(|byte| byte.is_ascii_hexdigit()).count()
    }

    /// A dotted quad, ended by a space or by the line; otherwise no step is made. As strict as the kernel is when it
    /// prints: no leading zeros.
    #[inline(always)]
    pub(crate) fn ipv4(&mut self) -> Option<Ipv4Addr> {
        let mut rest = *self;
        let (a, b, c) = (rest.octet(b'.')?, rest.octet(b'.')?, rest.octet(b'.')?);
        let d = rest.octet(b' ')?;
        *self = rest;
        Some(Ipv4Addr::from_bits(a << 24 | b << 16 | c << 8 | d))
    }

    /// One to three digits in front of `end`, which is stepped over unless it is a space.
    #[inline(always)]
    fn octet(&mut self, end: u8) -> Option<u32> {
        let digit = |byte: u8| Some(u32::from(byte.wrapping_sub(b'0'))).filter(|digit| *digit < 10);
        let [a, b, c, d] = match self.0.first_chunk() {
            Some(bytes) => *bytes,
            None => self.last_four(),
        };
        let behind = usize::from(end != b' ');
        let a = digit(a)?;
        if b == end {
            self.step(1 + behind)?;
            return Some(a);
        }
        let two = a * 10 + digit(b)?;
        if two < 10 {
            return None;
        }
        if c == end {
            self.step(2 + behind)?;
            return Some(two);
        }
        let three = two * 10 + digit(c)?;
        if d != end || three > 255 {
            return None;
        }
        self.step(3 + behind)?;
        Some(three)
    }
}

/// The first eight bytes and the last.
#[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
const fn halves(wide: u128) -> (u64, u64) {
    (wide as u64, (wide >> 64) as u64)
}

/// The byte in all eight places.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The high bit of each byte of `word` that equals `byte`; right up to the first such byte, which is all we use.
pub(crate) const fn hits(word: u64, byte: u8) -> u64 {
    let zeroed = word ^ each(byte);
    zeroed.wrapping_sub(each(1)) & !zeroed & each(0x80)
}

/// The high bit of each byte of `word` that is no decimal digit; right up to the first such byte.
#[inline(always)]
const fn others(word: u64) -> u64 {
    let lowered = word ^ each(b'0');
    // A byte above 9 gets its high bit, or had it. Carries only reach bytes behind the first such one.
    (lowered.wrapping_add(each(0x76)) | lowered) & each(0x80)
}

/// How many bits of `word` are decimal digits from its start, 0 to 56: an eighth digit does not count.
#[inline(always)]
pub(crate) const fn digit_bits(word: u64) -> u32 {
    (others(word) | 1 << 63).trailing_zeros() & 0x38
}

/// The same with the eighth: 0 to 64.
#[inline(always)]
const fn all_digit_bits(word: u64) -> u32 {
    others(word).trailing_zeros() & 0x78
}

/// The powers of ten that eight digits reach.
const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The number that the first `bits` of `word` spell, 8 to 64: 1 to 8 digits.
///
/// Adds neighbours up in three steps rather than digit by digit: numbers of all lengths take the same path.
#[inline(always)]
pub(crate) const fn value_of(word: u64, bits: u32) -> u32 {
    let digits = (word ^ each(b'0')) << (64 - bits);
    let pairs = digits * 10 + (digits >> 8);
    const MASK: u64 = 0x0000_00ff_0000_00ff;
    let low = (pairs & MASK).wrapping_mul(100 + (1_000_000 << 32));
    let high = ((pairs >> 16) & MASK).wrapping_mul(1 + (10_000 << 32));
    (low.wrapping_add(high) >> 32) as u32
}

/// The high bit of each byte of `word` that is no hexadecimal digit.
#[inline]
const fn no_hex(word: u64) -> u64 {
    // Without their high bits, sums of bytes do not carry: a byte gets it when it is at least so much.
    let low = word & each(0x7f);
    let lower = low | each(0x20);
    let digit = (low + each(0x80 - b'0')) & !(low + each(0x80 - b'9' - 1));
    let letter = (lower + each(0x80 - b'a')) & !(lower + each(0x80 - b'f' - 1));
    (!(digit | letter) | word) & each(0x80)
}

/// What a byte is worth as a hexadecimal digit, or more than 15.
#[inline(always)]
pub(crate) fn hex_digit(byte: u8) -> u8 {
    HEX.get(usize::from(byte)).copied().unwrap_or(NO_HEX)
}

const NO_HEX: u8 = 0xf0;

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "checked by the compiler: it is evaluated there")]
const HEX: [u8; 256] = {
    let mut table = [NO_HEX; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};
