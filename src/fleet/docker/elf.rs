//! What has to be known about a program before it is copied into a container: its processor and its dynamic loader.

use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};

type Header = FileHeader64<LittleEndian>;

/// The parts of an ELF header that matter for running a program in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The processor architecture, as Docker names it.
    pub architecture: &'static str,
    /// The path of the dynamic loader; `None` for a static program.
    pub interpreter: Option<String>,
}

/// Reads the beginning of a program. The error is a fragment: `is not a program for Linux`.
pub fn read(bytes: &[u8]) -> Result<Program, &'static str> {
    const NOT: &str = "is not a program for Linux";
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(NOT);
    }
    // Docker runs on no other 64-bit processors but s390x, which is big-endian.
    if bytes.get(4..6) != Some(&[elf::ELFCLASS64.0, elf::ELFDATA2LSB.0]) {
        return Err("is not a 64-bit little-endian program");
    }
    let header = Header::parse(bytes).map_err(|_| NOT)?;
    let architecture = match header.e_machine(LittleEndian) {
        elf::EM_X86_64 => "amd64",
        elf::EM_AARCH64 => "arm64",
        elf::EM_RISCV => "riscv64",
        elf::EM_PPC64 => "ppc64le",
        elf::EM_LOONGARCH => "loong64",
        _ => return Err("is for an unknown processor"),
    };
    let mut segments = segments(header, bytes).iter();
    let interpreter =
        segments.find_map(|segment| segment.interpreter(LittleEndian, bytes).ok().flatten()).and_then(text);
    Ok(Program { architecture, interpreter })
}

/// The soname of a shared library. Programs load it under this name, which often differs from its file name.
pub fn soname(bytes: &[u8]) -> Option<String> {
    let segments = segments(Header::parse(bytes).ok()?, bytes);
    let dynamic = segments.iter().find_map(|segment| segment.dynamic(LittleEndian, bytes).ok().flatten())?;
    let value = |tag| {
        let entry = dynamic.iter().find(|entry| entry.d_tag(LittleEndian) == tag)?;
        Some(entry.d_val(LittleEndian))
    };
    let name = value(elf::DT_STRTAB)?.checked_add(value(elf::DT_SONAME)?)?;
    // An address in memory; the loaded segment that contains it gives its file offset.
    segments.iter().filter(|segment| segment.p_type(LittleEndian) == elf::PT_LOAD).find_map(|segment| {
        let content = segment.data(LittleEndian, bytes).ok()?;
        let offset = name.checked_sub(segment.p_vaddr(LittleEndian))?;
        let rest = content.get(usize::try_from(offset).ok()?..)?;
        text(rest.split(|byte| *byte == 0).next()?)
    })
}

fn segments<'b>(header: &Header, bytes: &'b [u8]) -> &'b [elf::ProgramHeader64<LittleEndian>] {
    header.program_headers(LittleEndian, bytes).unwrap_or_default()
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_running_program_and_its_loader() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let program = read(&bytes).unwrap();
        let expected = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
        assert_eq!(program.architecture, expected);
        let loader = program.interpreter.unwrap();
        assert!(std::path::Path::new(&loader).exists(), "{loader}");
        let library = std::fs::read(&loader).unwrap();
        assert_eq!(soname(&library).as_deref(), loader.rsplit('/').next());
        assert_eq!(soname(&bytes), None);
        // Fleets read only the beginning of a program.
        assert_eq!(read(&bytes[..4096]), read(&bytes));
    }

    #[test]
    fn anything_else_is_refused_without_a_panic() {
        assert_eq!(read(b"#!/bin/sh"), Err("is not a program for Linux"));
        assert_eq!(read(b"\x7fELF\x01\x01"), Err("is not a 64-bit little-endian program"));
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for length in 0..200 {
            let _ = read(&bytes[..length]);
            let _ = soname(&bytes[..length]);
        }
        let mut wrong = bytes[..64].to_vec();
        wrong[32..].fill(0xff);
        assert_eq!(read(&wrong).map(|program| program.interpreter), Ok(None));
        assert_eq!(soname(&wrong), None);
    }
}
