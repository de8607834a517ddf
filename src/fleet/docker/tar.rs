//! Archives for the engine: ustar headers for regular files, written piece by piece.

use std::io;

use tar::Header;

/// Every entry of an archive is padded to a multiple of this.
const BLOCK: usize = 512;

/// The header in front of a file. Fails if `name` does not fit into it.
pub fn header(name: &str, size: u64, mode: u32) -> io::Result<Vec<u8>> {
    let mut header = Header::new_ustar();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header.as_bytes().to_vec())
}

/// The padding behind a file of this size.
pub fn padding(size: u64) -> &'static [u8] {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    &END[..if over == 0 { 0 } else { BLOCK - over }]
}

/// The end of an archive.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_reads_an_archive() {
        let content = b"content of the file";
        let mut archive = Vec::new();
        for name in ["katkit", "lib/ld.so"] {
            archive.extend(header(name, content.len() as u64, 0o755).unwrap());
            archive.extend(content);
            archive.extend(padding(content.len() as u64));
        }
        archive.extend(END);
        assert_eq!(archive.len() % BLOCK, 0);
        let mut tar = Command::new("tar");
        let tar = tar.args(["-tv", "--full-time"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut tar = tar.spawn().unwrap();
        tar.stdin.take().unwrap().write_all(&archive).unwrap();
        let output = tar.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(output.status.success() && lines.len() == 2, "{text}");
        assert!(lines[0].starts_with("-rwxr-xr-x") && lines[0].contains(" 19 "), "{text}");
        assert!(lines[1].ends_with(" lib/ld.so"), "{text}");
    }

    #[test]
    fn a_name_that_does_not_fit_is_an_error() {
        assert!(header(&"n".repeat(300), 0, 0o644).is_err());
    }

    #[test]
    fn a_full_block_has_no_padding() {
        assert_eq!(padding(0).len(), 0);
        assert_eq!(padding(512).len(), 0);
        assert_eq!(padding(513).len(), 511);
    }
}
