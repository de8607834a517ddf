//! The little that must be known of a program before it is put into a container: for which processor it is, and which
//! loader it asks for (elf(5)).

/// What a program says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The processor, as docker names it.
    pub architecture: &'static str,
    /// The path of the loader of shared libraries; `None` for a static program.
    pub interpreter: Option<String>,
}

/// What a segment is, by the number that the format gives it.
const LOAD: u64 = 1;
const DYNAMIC: u64 = 2;
const INTERPRETER: u64 = 3;
/// What an entry of the dynamic section is.
const STRINGS: u64 = 5;
const NAME: u64 = 14;

/// Reads the beginning of a program. The error is a fragment: `is not a program for Linux`.
pub fn read(bytes: &[u8]) -> Result<Program, &'static str> {
    const NOT: &str = "is not a program for Linux";
    if !bytes.starts_with(b"\x7fELF") {
        return Err(NOT);
    }
    // Every processor that docker runs on with 64 bits is little-endian but one.
    if bytes.get(4..6) != Some(&[2, 1]) {
        return Err("is not a program of 64 bits, little-endian");
    }
    let architecture = match number(bytes, 18, 2).ok_or(NOT)? {
        62 => "amd64",
        183 => "arm64",
        243 => "riscv64",
        21 => "ppc64le",
        258 => "loong64",
        _ => return Err("is for a processor that is not known"),
    };
    let interpreter = segments(bytes).find(|segment| segment.kind == INTERPRETER);
    let interpreter = interpreter.and_then(|segment| text(bytes, segment.offset));
    Ok(Program { architecture, interpreter })
}

/// The name under which programs ask for this library, which is often not that of its file.
pub fn name_of_library(bytes: &[u8]) -> Option<String> {
    let dynamic = segments(bytes).find(|segment| segment.kind == DYNAMIC)?;
    let entries = (0..dynamic.size / 16).map(|n| dynamic.offset + n * 16);
    let value = |wanted: u64| {
        let mut entries = entries.clone();
        let at = entries.find(|at| number(bytes, *at, 8) == Some(wanted))?;
        number(bytes, at + 8, 8)
    };
    let (strings, name) = (value(STRINGS)?, value(NAME)?);
    // An address in memory; what is loaded there says where it is in the file.
    let holds = |segment: &Segment| {
        segment.kind == LOAD && (0..segment.size).contains(&strings.wrapping_sub(segment.address))
    };
    let loaded = segments(bytes).find(holds)?;
    text(bytes, loaded.offset.checked_add(strings - loaded.address)?.checked_add(name)?)
}

/// A part of the file that has a meaning.
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    size: u64,
}

fn segments(bytes: &[u8]) -> impl Iterator<Item = Segment> {
    let header = |at, length| number(bytes, at, length).unwrap_or(0);
    let (table, size, count) = (header(32, 8), header(54, 2), header(56, 2));
    (0..count).map_while(move |n| {
        let at = table.checked_add(n * size)?;
        let field = |offset| number(bytes, at.checked_add(offset)?, 8);
        let (offset, address, size) = (field(8)?, field(16)?, field(32)?);
        // Never beyond the file, whatever it claims.
        let size = size.min((bytes.len() as u64).saturating_sub(offset));
        Some(Segment { kind: number(bytes, at, 4)?, offset, address, size })
    })
}

fn number(bytes: &[u8], at: u64, length: usize) -> Option<u64> {
    let at = usize::try_from(at).ok()?;
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// What stands there, up to a NUL.
fn text(bytes: &[u8], at: u64) -> Option<String> {
    let rest = bytes.get(usize::try_from(at).ok()?..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    String::from_utf8(rest[..end].to_owned()).ok().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_is_understood() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let program = read(&bytes).unwrap();
        let expected = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
        assert_eq!(program.architecture, expected);
        let loader = program.interpreter.unwrap();
        assert!(std::path::Path::new(&loader).exists(), "{loader}");
        let library = std::fs::read(&loader).unwrap();
        assert_eq!(name_of_library(&library).as_deref(), loader.rsplit('/').next());
        assert_eq!(name_of_library(&bytes), None);
    }

    #[test]
    fn what_is_no_program_gets_a_fragment_and_no_panic() {
        assert_eq!(read(b"#!/bin/sh"), Err("is not a program for Linux"));
        assert_eq!(read(b"\x7fELF\x01\x01"), Err("is not a program of 64 bits, little-endian"));
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for length in 0..200 {
            let _ = read(&bytes[..length]);
            let _ = name_of_library(&bytes[..length]);
        }
        let mut wrong = bytes[..64].to_vec();
        wrong[32..].fill(0xff);
        assert_eq!(read(&wrong).map(|program| program.interpreter), Ok(None));
        assert_eq!(name_of_library(&wrong), None);
    }
}
