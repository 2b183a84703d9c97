//! The two charts that psad draws with gnuplot, as PNG: packets over time, and which source asked for which port.
//!
//! Drawn by hand: the shapes are bars, dots and letters, and a renderer of SVG would bring some forty crates and need fonts.
//! Source: PNG (W3C Recommendation, third edition), chunks IHDR, PLTE, IDAT and IEND, colour type 3, filter 0.

use super::{
    charts,
    tally::{Point, Series},
};
use crate::times;
use firebell_shared::text::thousands;
use flate2::{Compression, Crc, write::ZlibEncoder};
use font8x8::legacy::BASIC_LEGACY;
use std::{
    collections::HashMap,
    io::{self, Write as _},
    net::IpAddr,
};

const WIDTH: usize = 1_200;
const HEIGHT: usize = 700;
/// Where the chart is: left, top, right, bottom.
const FRAME: (usize, usize, usize, usize) = (110, 70, 1_170, 610);
/// Points of a letter, each way: those of the font are drawn as squares of two.
const LETTER: usize = 16;
/// The first colours of the palette are those of severities, 0 for none: what the page has in its light form.
const PALETTE: [[u8; 3]; 10] = [
    [0xb6, 0xbf, 0xc9],
    [0x9a, 0xa5, 0xb1],
    [0xc9, 0xa2, 0x27],
    [0xd9, 0x82, 0x2b],
    [0xc8, 0x44, 0x2c],
    [0x8e, 0x1b, 0x1b],
    [0xff, 0xff, 0xff],
    [0x1d, 0x21, 0x26],
    [0xd9, 0xde, 0xe4],
    [0x4a, 0x6f, 0xa5],
];
const PAPER: u8 = 6;
const INK: u8 = 7;
const LINE: u8 = 8;
const BAR: u8 = 9;

/// Packets over time, and below them when incidents of each severity began.
pub(super) fn over_time(title: &str, series: &Series, incidents: &[(usize, u8, u64)]) -> io::Result<Vec<u8>> {
    let (left, top, right, bottom) = FRAME;
    let mut picture = Picture::new(title);
    let (most, steps) = (series.counts.iter().copied().max().unwrap_or(0).max(1), series.counts.len().max(1));
    let x = |step: usize| left + (right - left) * step / steps;
    for part in 0..=4 {
        let y = bottom - (bottom - top) * part / 4;
        picture.fill(left, y, right - left, 1, LINE);
        let count = thousands(most * part as u64 / 4);
        picture.write(left.saturating_sub(count.len() * LETTER + 8), y.saturating_sub(LETTER / 2), &count, INK);
    }
    for (step, count) in series.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let high = usize::try_from(u128::from(*count) * (bottom - top) as u128 / u128::from(most)).unwrap_or(0).max(2);
        picture.fill(x(step), bottom - high, (x(step + 1) - x(step)).saturating_sub(1).max(1), high, BAR);
    }
    for (step, severity, _) in incidents {
        let row = usize::from(5_u8.saturating_sub(*severity));
        picture.fill(x(*step), bottom + 4 + row * 5, (x(*step + 1) - x(*step)).max(4), 4, (*severity).min(5));
    }
    let (first, last) = (times::plain(series.at(0)), times::plain(series.at(steps - 1)));
    picture.write(left, bottom + 36, &first, INK);
    picture.write(right.saturating_sub(last.len() * LETTER), bottom + 36, &last, INK);
    picture.write(left, top - 24, "packets", INK);
    picture.into_png()
}

/// A dot for each pair of source and port; sources in the order of their addresses, ports by their square roots.
pub(super) fn sources_by_ports(title: &str, points: &[Point], severities: &HashMap<IpAddr, u8>) -> io::Result<Vec<u8>> {
    let (left, top, right, bottom) = FRAME;
    let mut picture = Picture::new(title);
    let mut sources: Vec<IpAddr> = points.iter().map(|point| point.source).collect();
    sources.dedup();
    let places: HashMap<IpAddr, usize> = sources.iter().enumerate().map(|(place, source)| (*source, place)).collect();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the width")]
    let x = |port: u16| left + ((right - left) as f64 * (f64::from(port) / 65_535.0).sqrt()) as usize;
    let mut free = 0;
    for port in charts::PORTS {
        picture.fill(x(port), top, 1, bottom - top, LINE);
        let text = port.to_string();
        let width = text.len() * LETTER;
        let begin = x(port).saturating_sub(width / 2).min(WIDTH - width);
        // The low ports stand close together.
        if begin >= free {
            picture.write(begin, bottom + 10, &text, INK);
            free = begin + width + LETTER / 2;
        }
    }
    picture.fill(left, bottom, right - left, 1, INK);
    for point in points {
        let place = places.get(&point.source).copied().unwrap_or(0);
        let y = top + (bottom - top) * (2 * place + 1) / (2 * sources.len().max(1));
        let radius = usize::try_from(point.packets.max(1).ilog2() / 2 + 2).unwrap_or(2).min(8);
        picture.dot(x(point.port), y, radius, severities.get(&point.source).copied().unwrap_or(0).min(5));
    }
    picture.write(left, top - 24, &format!("{} sources by address", thousands(sources.len() as u64)), INK);
    picture.write(left, bottom + 36, "port; colour: severity", INK);
    for severity in 1..=5_u8 {
        let at = right - (6 - usize::from(severity)) * 50;
        picture.dot(at, bottom + 44, 8, severity);
        picture.write(at + 12, bottom + 36, &severity.to_string(), INK);
    }
    picture.into_png()
}

/// Points, each a colour of the palette.
struct Picture(Vec<u8>);

impl Picture {
    fn new(title: &str) -> Self {
        let mut picture = Self(vec![PAPER; WIDTH * HEIGHT]);
        let title: String = title.chars().take((WIDTH - 40) / LETTER).collect();
        picture.write(20, 14, &title, INK);
        picture
    }

    fn fill(&mut self, x: usize, y: usize, width: usize, height: usize, colour: u8) {
        for row in self.0.chunks_mut(WIDTH).skip(y).take(height) {
            row.iter_mut().skip(x).take(width).for_each(|point| *point = colour);
        }
    }

    fn dot(&mut self, x: usize, y: usize, radius: usize, colour: u8) {
        for down in 0..=2 * radius {
            let away = down.abs_diff(radius);
            let half = (radius * radius + radius).saturating_sub(away * away).isqrt();
            self.fill(x.saturating_sub(half), (y + down).saturating_sub(radius), 2 * half + 1, 1, colour);
        }
    }

    /// What the font does not have is a question mark.
    fn write(&mut self, x: usize, y: usize, text: &str, colour: u8) {
        for (at, letter) in text.chars().enumerate() {
            let number = usize::try_from(u32::from(letter)).unwrap_or(usize::MAX);
            let Some(rows) = BASIC_LEGACY.get(number).or_else(|| BASIC_LEGACY.get(usize::from(b'?'))) else { continue };
            for (down, row) in rows.iter().enumerate() {
                for right in (0..8).filter(|right| row >> right & 1 == 1) {
                    self.fill(x + at * LETTER + 2 * right, y + 2 * down, 2, 2, colour);
                }
            }
        }
    }

    fn into_png(self) -> io::Result<Vec<u8>> {
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        let side = |length: usize| u32::try_from(length).unwrap_or(0).to_be_bytes();
        chunk(&mut png, b"IHDR", &[&side(WIDTH)[..], &side(HEIGHT), &[8, 3, 0, 0, 0]].concat());
        chunk(&mut png, b"PLTE", &PALETTE.concat());
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        for row in self.0.chunks(WIDTH) {
            packed.write_all(&[0])?;
            packed.write_all(row)?;
        }
        chunk(&mut png, b"IDAT", &packed.finish()?);
        chunk(&mut png, b"IEND", &[]);
        Ok(png)
    }
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend(u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
    png.extend(kind);
    png.extend(data);
    let mut sum = Crc::new();
    sum.update(kind);
    sum.update(data);
    png.extend(sum.sum().to_be_bytes());
}
