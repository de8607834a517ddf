//! Writes archives as the engine takes them: plain files in the format of POSIX (ustar), nothing else.

/// The size that everything in an archive is filled up to.
const BLOCK: usize = 512;

/// What stands before a file: its name of at most 100 bytes, its size and its permissions.
pub fn header(name: &str, size: u64, mode: u32) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name.as_bytes()[..name.len().min(100)]);
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    // The sum is taken with blanks in its own place.
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// What follows a file of that size.
pub fn padding(size: u64) -> &'static [u8] {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    &END[..if over == 0 { 0 } else { BLOCK - over }]
}

/// What an archive ends with.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn an_archive_is_what_tar_takes_for_one() {
        let content = b"content of the file";
        let mut archive = Vec::new();
        for name in ["katkit", "lib/ld.so"] {
            archive.extend(header(name, content.len() as u64, 0o755));
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
    fn what_fills_a_block_needs_no_padding() {
        assert_eq!(padding(0).len(), 0);
        assert_eq!(padding(512).len(), 0);
        assert_eq!(padding(513).len(), 511);
    }
}
