//! Makes `git` see a fresh work tree as clean, even if libgit2 or katkit writes a file differently from `git`.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use git2::{AttrCheckFlags, AttrValue, Index, IndexEntry, IndexTime, Repository};

use super::GitError;

/// The attribute that libgit2 does not know (gitattributes(5)).
const ENCODING: &str = "working-tree-encoding";

/// The largest file to convert, in bytes: it is held in memory in both encodings.
const LARGEST: usize = 64 << 20;

/// Settings that hide when a file is made executable: git then ignores modes and the time of mode changes
/// (git-config(1), `core.trustctime`).
const MODES_ARE_IGNORED: &str = "[core]\n\tfilemode = false\n\ttrustctime = false\n";

/// Hides mode changes in this work tree, so that files may be made executable.
///
/// The settings are appended, and the last one wins. Rewriting the index would cost each phase more.
pub fn ignore_modes(checkout: &Path) -> Result<(), GitError> {
    let config = checkout.join(".git/config");
    let appended = File::options()
        .append(true)
        .open(&config)
        .and_then(|mut file| file.write_all(MODES_ARE_IGNORED.as_bytes()));
    appended.map_err(|error| GitError::io("written", &config, error))
}

/// Converts files to the encoding that their attributes request, like `git checkout`. Blocks.
///
/// Leaves other encodings than UTF-16 and UTF-32 alone, and files larger than 64 MiB.
pub(super) fn encode(repository: &Repository, checkout: &Path) -> Result<(), GitError> {
    let unreadable = |error| GitError::unreadable(checkout.display(), error);
    let mut index = repository.index().map_err(unreadable)?;
    let odb = repository.odb().map_err(unreadable)?;
    let requests_encoding = |entry: &IndexEntry| {
        entry.path.rsplit(|byte| *byte == b'/').next() == Some(b".gitattributes")
            && odb.read_header(entry.id).is_ok_and(|(size, _)| size <= LARGEST)
            && odb.read(entry.id).is_ok_and(|file| {
                file.data().windows(ENCODING.len()).any(|words| words == ENCODING.as_bytes())
            })
    };
    if !index.iter().any(|entry| requests_encoding(&entry)) {
        return Ok(());
    }
    let mut changed = false;
    let regular: Vec<_> = index.iter().filter(|entry| entry.mode & 0o170_000 == 0o100_000).collect();
    for entry in regular {
        let Ok(path) = std::str::from_utf8(&entry.path) else { continue };
        let value = repository.get_attr(Path::new(path), ENCODING, AttrCheckFlags::FILE_THEN_INDEX);
        let Ok(AttrValue::String(encoding)) = value.map(AttrValue::from_string) else { continue };
        let file = checkout.join(path);
        if entry.file_size as usize > LARGEST {
            continue;
        }
        let bytes = fs::read(&file).map_err(|error| GitError::io("read", &file, error))?;
        // Files that are not UTF-8 stay as they are, as in `git`.
        let Some(encoded) = std::str::from_utf8(&bytes).ok().and_then(|text| encoded(text, encoding)) else {
            continue;
        };
        fs::write(&file, encoded).map_err(|error| GitError::io("written", &file, error))?;
        changed |= restat(&mut index, checkout, &file)?;
    }
    if changed {
        index.write().map_err(unreadable)?;
    }
    Ok(())
}

/// Encodes a text; `None` if the encoding is unknown or UTF-8.
fn encoded(text: &str, encoding: &str) -> Option<Vec<u8>> {
    let name = encoding.to_ascii_uppercase();
    let (width, order) =
        name.strip_prefix("UTF-").or_else(|| name.strip_prefix("UTF"))?.split_at_checked(2)?;
    let (big, mark) = match order {
        // Like glibc's iconv, which `git` uses.
        "" => (cfg!(target_endian = "big"), true),
        "LE" => (false, false),
        "BE" => (true, false),
        "LE-BOM" => (false, true),
        "BE-BOM" => (true, true),
        _ => return None,
    };
    let mark = if mark { "\u{feff}" } else { "" };
    let chars = mark.chars().chain(text.chars());
    match width {
        "16" => {
            let mut units = [0; 2];
            let mut bytes = Vec::with_capacity(text.len() * 2);
            for c in chars {
                for unit in c.encode_utf16(&mut units) {
                    bytes.extend(if big { unit.to_be_bytes() } else { unit.to_le_bytes() });
                }
            }
            Some(bytes)
        }
        "32" => {
            let bytes = |c: char| if big { u32::from(c).to_be_bytes() } else { u32::from(c).to_le_bytes() };
            Some(chars.flat_map(bytes).collect())
        }
        _ => None,
    }
}

/// Records a file's current metadata in the index, so that `git` need not check it for changes. Returns whether the
/// file is in the index.
fn restat(index: &mut Index, checkout: &Path, file: &Path) -> Result<bool, GitError> {
    let Some(entry) = file.strip_prefix(checkout).ok().and_then(|inside| index.get_path(inside, 0)) else {
        return Ok(false);
    };
    let about = fs::symlink_metadata(file).map_err(|error| GitError::io("read", file, error))?;
    // The index format stores the low 32 bits of each number.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the format cuts them")]
    let entry = IndexEntry {
        ctime: IndexTime::new(about.ctime() as i32, about.ctime_nsec() as u32),
        mtime: IndexTime::new(about.mtime() as i32, about.mtime_nsec() as u32),
        dev: about.dev() as u32,
        ino: about.ino() as u32,
        uid: about.uid(),
        gid: about.gid(),
        file_size: about.size() as u32,
        ..entry
    };
    index.add(&entry).map_err(|error| GitError::unreadable(checkout.display(), error))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn text_is_encoded_as_in_git() {
        let hex = |encoding: &str| {
            let bytes = encoded("a€😀", encoding)?;
            Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        };
        assert_eq!(hex("UTF-16LE").unwrap(), "6100ac203dd800de");
        assert_eq!(hex("utf-16be").unwrap(), "006120acd83dde00");
        assert_eq!(hex("UTF-16LE-BOM").unwrap(), "fffe6100ac203dd800de");
        assert_eq!(hex("UTF-16BE-BOM").unwrap(), "feff006120acd83dde00");
        assert_eq!(hex("UTF-32BE").unwrap(), "00000061000020ac0001f600");
        for unknown in ["UTF-8", "utf8", "SHIFT-JIS", "UTF-", "UTF-16X", "é", ""] {
            assert_eq!(hex(unknown), None, "{unknown}");
        }
    }
}
