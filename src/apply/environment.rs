//! Whether the variables and secrets of a phase fit together into the environment of a process.
//!
//! The manifest and the secrets each refuse a single value that is too long.

use std::collections::BTreeMap;

use rustix::process::{Resource, getrlimit};

/// Arguments and environment may take a quarter of the memory for a process's stack (execve(2)) …
const PART: u64 = 4;
/// … but never more than this.
const MOST: u64 = 6 * 1024 * 1024;
/// What the kernel counts per variable beside its text, `=` and NUL: a pointer.
const EACH: u64 = 8;
/// For katkit's own variables, those of an image, and the command.
const OTHERS: u64 = 16 * 1024;

/// How much the arguments and the environment of a process may take on this machine. If the phase runs where the
/// limit is lower, its agent says so.
pub(super) fn most() -> u64 {
    getrlimit(Resource::Stack).current.map_or(MOST, |stack| (stack / PART).min(MOST))
}

/// Refuses more than fits into `most` bytes, and names the total and the largest part.
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
        "its variables and secrets are together {all} bytes, and the system takes {most} with everything else; the \
         largest is `{largest}` with {size}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_do_not_fit_together_are_refused_and_the_largest_is_named() {
        let variable = |name: &str, size: usize| (name.to_owned(), "x".repeat(size));
        let some = [variable("A", 100_000), variable("B", 120_000), variable("C", 90_000)];
        let check =
            |all: &[(String, String)], most| check(all.iter().map(|(name, value)| (name, value)), most);
        assert_eq!(check(&some, 2_097_152), Ok(()));
        assert_eq!(
            check(&some, 262_144).unwrap_err(),
            "its variables and secrets are together 310033 bytes, and the system takes 262144 with everything else; \
             the largest is `B` with 120000"
        );
        let same = vec![variable("A", 100_000); 20];
        assert_eq!(check(&same, 262_144), Ok(()));
        assert_eq!(check(&[], 0), Ok(()));
        assert!(most() >= 16 * 1024 && most() <= MOST);
    }
}
