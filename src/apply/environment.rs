//! Checks that the variables and secrets of a phase together fit into the environment of a process.
//!
//! The manifest and the secrets reject single values that are too long.

use std::collections::BTreeMap;

use rustix::process::{Resource, getrlimit};

/// Arguments and environment may take a quarter of the memory for a process's stack (execve(2)) …
const PART: u64 = 4;
/// … but never more than this.
const MOST: u64 = 6 * 1024 * 1024;
/// What the kernel counts per variable besides its text, `=` and NUL: a pointer.
const EACH: u64 = 8;
/// Reserved for katkit's own variables, those of an image, and the command.
const OTHERS: u64 = 16 * 1024;

/// The most bytes that arguments and environment of a process may take on this machine. If the phase runs on a machine
/// with a lower limit, its agent reports the error.
pub(super) fn most() -> u64 {
    getrlimit(Resource::Stack).current.map_or(MOST, |stack| (stack / PART).min(MOST))
}

/// Refuses variables that exceed `most` bytes. The error names the total and the largest.
pub(super) fn check<'a>(
    variables: impl Iterator<Item = (&'a String, &'a String)>,
    most: u64,
) -> Result<(), String> {
    // The later of two with the same name wins.
    let sizes: BTreeMap<_, _> = variables.map(|(name, value)| (name, value.len() as u64)).collect();
    let all: u64 = sizes.iter().map(|(name, size)| name.len() as u64 + 2 + size + EACH).sum();
    let Some((largest, size)) = sizes.iter().max_by_key(|(_, size)| **size) else { return Ok(()) };
    if all + OTHERS <= most {
        return Ok(());
    }
    Err(format!(
        "its variables and secrets together take {all} bytes, and the system allows {most} in total; the \
         largest is `{largest}` with {size}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_bytes_of_variables_are_refused_and_the_largest_is_named() {
        let variable = |name: &str, size: usize| (name.to_owned(), "x".repeat(size));
        let some = [variable("A", 100_000), variable("B", 120_000), variable("C", 90_000)];
        let check =
            |all: &[(String, String)], most| check(all.iter().map(|(name, value)| (name, value)), most);
        assert_eq!(check(&some, 2_097_152), Ok(()));
        assert_eq!(
            check(&some, 262_144).unwrap_err(),
            "its variables and secrets together take 310033 bytes, and the system allows 262144 in total; \
             the largest is `B` with 120000"
        );
        let same = vec![variable("A", 100_000); 20];
        assert_eq!(check(&same, 262_144), Ok(()));
        assert_eq!(check(&[], 0), Ok(()));
        assert!(most() >= 16 * 1024 && most() <= MOST);
    }
}
