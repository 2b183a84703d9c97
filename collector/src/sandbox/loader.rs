//! The loader of a program, which the kernel starts in its place: the interpreter that an ELF file names.
//!
//! Source: elf(5), `PT_INTERP`. Only files of this machine's own byte order are asked for.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::{ffi::OsStringExt as _, fs::FileExt as _},
    path::{Path, PathBuf},
};

/// Program headers that are looked at.
const MAX_HEADERS: u16 = 64;
/// The kernel takes no longer path.
const MAX_PATH: usize = 4096;
const PT_INTERP: u32 = 3;

/// The loader of `program`; nothing where it needs none, or is no ELF file.
///
/// # Errors
/// When it cannot be read, or ends too early.
pub(super) fn of(program: &Path) -> io::Result<Option<PathBuf>> {
    let file = File::open(program)?;
    let mut magic = [0; 5];
    (&file).read_exact(&mut magic)?;
    let is_64 = match magic {
        [0x7f, b'E', b'L', b'F', class] => class == 2,
        _ => return Ok(None),
    };
    let short = |at: u64| {
        let mut bytes = [0; 2];
        file.read_exact_at(&mut bytes, at).map(|()| u16::from_ne_bytes(bytes))
    };
    let word = |at: u64| {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, at).map(|()| u32::from_ne_bytes(bytes))
    };
    // An address: as wide as the class says.
    let wide = |at: u64| {
        let mut bytes = [0; 8];
        if is_64 { file.read_exact_at(&mut bytes, at).map(|()| u64::from_ne_bytes(bytes)) } else { word(at).map(u64::from) }
    };
    let (table, size, count) = if is_64 { (wide(32)?, short(54)?, short(56)?) } else { (wide(28)?, short(42)?, short(44)?) };
    for number in 0..count.min(MAX_HEADERS) {
        let header = table.saturating_add(u64::from(number) * u64::from(size));
        if word(header)? != PT_INTERP {
            continue;
        }
        let (offset, len) = if is_64 { (8, 32) } else { (4, 16) };
        let (offset, len) = (wide(header.saturating_add(offset))?, wide(header.saturating_add(len))?);
        let mut name = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(MAX_PATH)];
        file.read_exact_at(&mut name, offset)?;
        // It ends with a NUL.
        name.pop();
        return Ok(Some(PathBuf::from(std::ffi::OsString::from_vec(name))));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_of_a_program_of_this_machine_is_a_program_itself() {
        // Where the tests are linked statically there is none.
        if let Some(loader) = of(&std::env::current_exe().unwrap()).unwrap() {
            assert!(loader.is_absolute() && loader.exists(), "{}", loader.display());
            assert_eq!(of(&loader).unwrap(), None, "nothing loads the loader");
        }
    }

    #[test]
    fn what_is_no_program_has_no_loader_and_one_that_is_cut_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(dir.path().join(name), bytes).unwrap();
            dir.path().join(name)
        };
        assert_eq!(of(&write("script", b"#!/bin/sh\n")).unwrap(), None);
        let whole = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for len in 0..64 {
            assert!(of(&write("cut", &whole[..len])).is_err(), "{len}");
        }
        // All of the headers say that they are somewhere far behind the end.
        let mut far = whole[..64].to_vec();
        far[32..40].fill(0xff);
        assert!(of(&write("far", &far)).is_err());
    }
}
