//! Packed logs: gzip, zstd and xz, known by how they begin, whatever their names.

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, BufRead, BufReader, Cursor, Read};

/// Read at once from a packed file.
const READ: usize = 512 << 10;
/// The most memory that a packed file may ask for, in KiB: `xz -9` asks for 65 MiB, `zstd --ultra -22` for 128 MiB.
const MAX_MEMORY_KIB: u32 = 160 << 10;

const GZIP: &[u8] = &[0x1f, 0x8b];
/// RFC 8878, section 3.1.1.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The .xz file format 1.2.1, section 2.1.1.1.
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];

/// What `packed` says when it is unpacked, or as it is.
///
/// # Errors
/// It cannot be read.
pub(crate) fn unpack(mut packed: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::new();
    packed.by_ref().take(XZ.len() as u64).read_to_end(&mut magic)?;
    let is = |known: &[u8]| magic.starts_with(known);
    let (is_gzip, is_zstd, is_xz) = (is(GZIP), is(ZSTD), is(XZ));
    let whole = Cursor::new(magic).chain(packed);
    Ok(if is_gzip {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(READ, whole)))
    } else if is_zstd {
        Box::new(Frames { decoder: None, source: Some(BufReader::with_capacity(READ, whole)) })
    } else if is_xz {
        Box::new(XzReader::new_mem_limit(BufReader::with_capacity(READ, whole), true, MAX_MEMORY_KIB))
    } else {
        Box::new(whole)
    })
}

/// zstd: one frame after the other, as `cat` or a log that is appended to makes them. A window of more than 128 MiB is refused.
struct Frames<R: BufRead> {
    decoder: Option<StreamingDecoder<R, FrameDecoder>>,
    /// Between frames.
    source: Option<R>,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(decoder) = &mut self.decoder {
                match decoder.read(into)? {
                    0 if !into.is_empty() => self.source = self.decoder.take().map(StreamingDecoder::into_inner),
                    count => return Ok(count),
                }
            }
            let Some(mut source) = self.source.take() else { return Ok(0) };
            if source.fill_buf()?.is_empty() {
                self.source = Some(source);
                return Ok(0);
            }
            self.decoder = Some(StreamingDecoder::new(source).map_err(io::Error::other)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };

    fn unpacked(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        unpack(Box::new(Cursor::new(bytes)))?.read_to_end(&mut out)?;
        Ok(out)
    }

    /// By the program that people pack logs with, where it is installed.
    fn packed(program: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let child = Command::new(program).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut child) = child else {
            let _ = writeln!(io::stderr(), "left out: {program} is not installed");
            return None;
        };
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        Some(child.wait_with_output().unwrap().stdout)
    }

    #[test]
    fn each_packer_is_known_by_its_content_even_in_several_parts() {
        let parts = ["a\nb".repeat(100_000), "c\n".to_owned()];
        let whole = parts.concat().into_bytes();
        for program in ["gzip", "zstd", "xz"] {
            let Some(bytes) = parts.iter().map(|part| packed(program, part.as_bytes())).collect::<Option<Vec<_>>>() else { continue };
            let bytes = bytes.concat();
            assert!(bytes.len() < whole.len(), "{program}");
            assert_eq!(unpacked(bytes.clone()).unwrap(), whole, "{program}");
            // What is cut off, or changed, is an error and no shorter log.
            assert!(unpacked(bytes[..bytes.len() - 3].to_vec()).is_err(), "{program}");
            let mut changed = bytes;
            let middle = changed.len() / 3;
            changed[middle..middle + 8].fill(0xff);
            assert!(unpacked(changed).is_err(), "{program}");
        }
        assert_eq!(unpacked(whole.clone()).unwrap(), whole);
        assert_eq!(unpacked(Vec::new()).unwrap(), b"");
        assert_eq!(unpacked(b"\x28\xb5".to_vec()).unwrap(), b"\x28\xb5");
    }

    #[test]
    fn what_would_fill_the_memory_is_refused() {
        // A frame with a window of 2 GiB, RFC 8878 3.1.1.1.2: exponent 21, mantissa 0.
        let zstd = [ZSTD, &[0x00, 21 << 3, 1, 0, 0]].concat();
        assert!(unpacked(zstd).unwrap_err().to_string().contains("window"));
    }
}
