//! What `git` and `ssh` mean by what they print. They are run with `LC_ALL=C`, so the words are theirs.

use std::path::Path;

use super::place::{redacted, secrets};
use super::{Said, Trouble};

/// The longest message that is passed on, in characters.
const LONGEST: usize = 600;

/// Words and what they mean; the first that occurs decides, so the more telling come first.
///
/// The texts are those of OpenSSH (`ssh`), of libcurl and git's `remote-curl`, and of `git upload-pack`.
const WORDS: &[(&str, Trouble)] = &[
    ("remote host identification has changed", Trouble::ChangedHost),
    ("host key verification failed", Trouble::UnknownHost),
    ("could not resolve hostname", Trouble::Resolve),
    ("could not resolve host", Trouble::Resolve),
    ("could not resolve proxy", Trouble::Resolve),
    ("unable to look up", Trouble::Resolve),
    ("no space left on device", Trouble::DiskFull),
    ("disk quota exceeded", Trouble::DiskFull),
    ("server certificate verification failed", Trouble::Certificate),
    ("ssl certificate problem", Trouble::Certificate),
    ("certificate subject name", Trouble::Certificate),
    ("peer certificate", Trouble::Certificate),
    ("error setting certificate", Trouble::Certificate),
    ("permission denied (", Trouble::Authentication),
    ("too many authentication failures", Trouble::Authentication),
    ("authentication failed", Trouble::Authentication),
    ("could not read username", Trouble::Authentication),
    ("could not read password", Trouble::Authentication),
    ("terminal prompts disabled", Trouble::Authentication),
    ("requested url returned error: 401", Trouble::Authentication),
    ("requested url returned error: 403", Trouble::Authentication),
    ("access denied", Trouble::Authentication),
    ("not our ref", Trouble::NotOurs),
    ("unadvertised object", Trouble::NotOurs),
    ("couldn't find remote ref", Trouble::NotOurs),
    ("requested url returned error: 404", Trouble::NotFound),
    ("repository not found", Trouble::NotFound),
    ("' not found", Trouble::NotFound),
    ("does not appear to be a git repository", Trouble::NotFound),
    ("the project you were looking for could not be found", Trouble::NotFound),
    ("timed out", Trouble::TimedOut),
    ("connection timeout", Trouble::TimedOut),
    ("operation too slow", Trouble::TimedOut),
    ("connection refused", Trouble::Unreachable),
    ("failed to connect", Trouble::Unreachable),
    ("couldn't connect", Trouble::Unreachable),
    ("no route to host", Trouble::Unreachable),
    ("network is unreachable", Trouble::Unreachable),
    ("connection reset", Trouble::Unreachable),
    ("connection closed by", Trouble::Unreachable),
    ("is not a git command", Trouble::Protocol),
    ("unable to find remote helper", Trouble::Protocol),
    ("' not allowed", Trouble::Forbidden),
    // What may pass by itself is no damage, whatever `git` then says of the object that it could not read.
    ("too many open files", Trouble::Other),
    ("permission denied", Trouble::Other),
    ("operation not permitted", Trouble::Other),
    ("cannot allocate memory", Trouble::Other),
    ("out of memory", Trouble::Other),
    ("resource temporarily unavailable", Trouble::Other),
    ("stale file handle", Trouble::Other),
    ("input/output error", Trouble::Other),
    ("is corrupt", Trouble::Damaged),
    ("does not match index", Trouble::Damaged),
    ("bad object", Trouble::Damaged),
    ("bad tree object", Trouble::Damaged),
    ("invalid sha1 pointer", Trouble::Damaged),
    ("unable to read tree", Trouble::Damaged),
];

/// What kind of trouble a message speaks of, of a `git` that worked in `directory`.
pub(super) fn trouble(message: &str, directory: Option<&Path>) -> Trouble {
    // The other side says the same of itself; only the path tells which of the two is meant.
    if directory.is_some_and(|own| message.contains(&format!("not a git repository: '{}'", own.display()))) {
        return Trouble::Damaged;
    }
    let message = message.to_ascii_lowercase();
    let Some((words, trouble)) = WORDS.iter().find(|(words, _)| message.contains(words)) else {
        return Trouble::Other;
    };
    // The other side may be damaged too, and our mirror must not be thrown away for it.
    let theirs = |part: &str| part.trim_start().starts_with("remote:");
    let ours = message.split(['\n', ';']).any(|part| part.contains(words) && !theirs(part));
    if *trouble == Trouble::Damaged && !ours { Trouble::Other } else { *trouble }
}

/// What is worth passing on of a message: no control characters, no passwords, no advice that ours replaces.
pub(super) fn said(stderr: &[u8], url: &str) -> Said {
    let text = String::from_utf8_lossy(stderr);
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        // Progress and terminal sequences use these; a person never needs them.
        let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let line = line.trim().trim_start_matches('@').trim();
        let line = line.strip_prefix("fatal: ").or(line.strip_prefix("error: ")).unwrap_or(line);
        let advice = line.starts_with("Please make sure you have the correct")
            || line.starts_with("and the repository exists")
            || line.starts_with("hint:")
            || line.starts_with("Warning: Permanently added")
            || line.starts_with("Could not read from remote repository");
        if !(line.is_empty() || advice) && lines.last().is_none_or(|last| last != line) {
            lines.push(line.to_owned());
        }
    }
    let mut text = redacted(&lines.join("; "));
    for secret in secrets(url) {
        text = text.replace(&secret, "***");
    }
    if text.chars().count() > LONGEST {
        text = text.chars().take(LONGEST).collect::<String>() + "…";
    }
    Said(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_prints_is_understood() {
        for (message, expected) in [
            ("fatal: Authentication failed for 'https://h/x/'", Trouble::Authentication),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote",
                Trouble::Authentication,
            ),
            (
                "fatal: could not read Username for 'https://h': terminal prompts disabled",
                Trouble::Authentication,
            ),
            ("fatal: repository 'https://h/x/' not found", Trouble::NotFound),
            ("ERROR: Repository not found.", Trouble::NotFound),
            ("fatal: '/x' does not appear to be a git repository", Trouble::NotFound),
            ("No ED25519 host key is known for h.\nHost key verification failed.", Trouble::UnknownHost),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                Trouble::ChangedHost,
            ),
            ("ssh: Could not resolve hostname h: Name or service not known", Trouble::Resolve),
            ("ssh: connect to host h port 22: Connection refused", Trouble::Unreachable),
            ("ssh: connect to host h port 22: Connection timed out", Trouble::TimedOut),
            (
                "fatal: unable to access 'https://h/': SSL certificate problem: self-signed",
                Trouble::Certificate,
            ),
            (
                "fatal: transport 'file' not allowed\nfatal: clone of '/srv/lib' into submodule path 'lib' failed",
                Trouble::Forbidden,
            ),
            ("fatal: remote error: upload-pack: not our ref 00", Trouble::NotOurs),
            ("fatal: object file .git/objects/00/11 is corrupt", Trouble::Damaged),
            ("remote: fatal: bad object HEAD\nfatal: early EOF", Trouble::Other),
            (
                "error: unable to open objects/pack/pack-1.pack: Too many open files; fatal: bad object HEAD",
                Trouble::Other,
            ),
            ("error: open(\"objects/00/11\"): Permission denied\nfatal: bad object HEAD", Trouble::Other),
            ("fatal: bad object HEAD\nerror: mmap failed: Cannot allocate memory", Trouble::Other),
            ("something new", Trouble::Other),
        ] {
            assert_eq!(trouble(message, None), expected, "{message}");
        }
    }

    #[test]
    fn a_mirror_that_is_no_repository_is_damaged_and_an_origin_that_is_none_is_not() {
        let own = Some(Path::new("/cache/mirrors/Shop-00"));
        let ours = "not a git repository: '/cache/mirrors/Shop-00'";
        assert_eq!(trouble(ours, own), Trouble::Damaged);
        assert_eq!(trouble(ours, None), Trouble::Other);
        for theirs in
            ["not a git repository: '/srv/Shop.git'", "not a git repository: /cache/mirrors/Shop-00"]
        {
            assert_eq!(trouble(theirs, own), Trouble::Other, "{theirs}");
        }
    }

    #[test]
    fn what_is_passed_on_is_clean_and_short() {
        let stderr = b"\x1b[31mfatal: no\x07 way to https://bob:s3cret@h/x\nfatal: no s3cret\n".as_slice();
        let shown = said(stderr, "https://bob:s3cret@h/x").0;
        assert_eq!(shown, "[31mfatal: no  way to https://***@h/x; no ***");
        assert!(said(&vec![b'x'; 10_000], "h:x").0.chars().count() <= LONGEST + 1);
    }
}
