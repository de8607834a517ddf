//! The unique name of a state file, kept in a file beside it so that it survives moving both.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The name of the state at `path`, created on first use.
pub fn of(path: &Path) -> Result<String, (PathBuf, io::Error)> {
    let mut name = path.to_owned().into_os_string();
    name.push(".id");
    let path = PathBuf::from(name);
    kept(&path, &new()).map_err(|error| (path, error))
}

/// A random name: each hasher's keys come from the system's randomness.
fn new() -> String {
    let part = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", part(), part())
}

/// The text in the file, which is created with `new` if it does not exist.
fn kept(path: &Path, new: &str) -> io::Result<String> {
    loop {
        match fs::read_to_string(path) {
            Ok(text) => return Ok(text.trim().to_owned()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        writeln!(file, "{new}")?;
        file.as_file().sync_all()?;
        // If two processes create it at once, one wins, and both read what it wrote.
        match file.persist_noclobber(path) {
            Ok(_) => return Ok(new.to_owned()),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_its_name_when_it_is_moved() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let name = of(&at("here/state.db")).unwrap();
        assert_eq!(of(&at("here/state.db")).unwrap(), name);
        assert_eq!(fs::read_dir(at("here")).unwrap().count(), 1);
        fs::rename(at("here"), at("there")).unwrap();
        assert_eq!(of(&at("there/state.db")).unwrap(), name);
        assert_ne!(of(&at("here/state.db")).unwrap(), name);
    }
}
