//! Classifies the messages of `git` and `ssh`. They run with `LC_ALL=C`, so their messages are not translated.

use std::path::Path;

use super::repository_location::{redacted, secrets};
use super::{GitOutput, RemoteProblem};

/// The longest message to pass on, in characters.
const LONGEST: usize = 600;

/// Message fragments and their meaning. The first match decides, so the more specific ones come first.
///
/// The fragments come from OpenSSH (`ssh`), libcurl, git's `remote-curl` and `git upload-pack`.
const WORDS: &[(&str, RemoteProblem)] = &[
    ("remote host identification has changed", RemoteProblem::ChangedHost),
    ("host key verification failed", RemoteProblem::UnknownHost),
    ("could not resolve hostname", RemoteProblem::Resolve),
    ("could not resolve host", RemoteProblem::Resolve),
    ("could not resolve proxy", RemoteProblem::Resolve),
    ("unable to look up", RemoteProblem::Resolve),
    ("no space left on device", RemoteProblem::DiskFull),
    ("disk quota exceeded", RemoteProblem::DiskFull),
    ("server certificate verification failed", RemoteProblem::Certificate),
    ("ssl certificate problem", RemoteProblem::Certificate),
    ("certificate subject name", RemoteProblem::Certificate),
    ("peer certificate", RemoteProblem::Certificate),
    ("error setting certificate", RemoteProblem::Certificate),
    ("permission denied (", RemoteProblem::Authentication),
    ("too many authentication failures", RemoteProblem::Authentication),
    ("authentication failed", RemoteProblem::Authentication),
    ("could not read username", RemoteProblem::Authentication),
    ("could not read password", RemoteProblem::Authentication),
    ("terminal prompts disabled", RemoteProblem::Authentication),
    ("requested url returned error: 401", RemoteProblem::Authentication),
    ("requested url returned error: 403", RemoteProblem::Authentication),
    ("access denied", RemoteProblem::Authentication),
    ("not our ref", RemoteProblem::NotOurs),
    ("unadvertised object", RemoteProblem::NotOurs),
    ("couldn't find remote ref", RemoteProblem::NotOurs),
    ("requested url returned error: 404", RemoteProblem::NotFound),
    ("repository not found", RemoteProblem::NotFound),
    ("' not found", RemoteProblem::NotFound),
    ("does not appear to be a git repository", RemoteProblem::NotFound),
    ("the project you were looking for could not be found", RemoteProblem::NotFound),
    ("timed out", RemoteProblem::TimedOut),
    ("connection timeout", RemoteProblem::TimedOut),
    ("operation too slow", RemoteProblem::TimedOut),
    ("connection refused", RemoteProblem::Unreachable),
    ("failed to connect", RemoteProblem::Unreachable),
    ("couldn't connect", RemoteProblem::Unreachable),
    ("no route to host", RemoteProblem::Unreachable),
    ("network is unreachable", RemoteProblem::Unreachable),
    ("connection reset", RemoteProblem::Unreachable),
    ("connection closed by", RemoteProblem::Unreachable),
    ("is not a git command", RemoteProblem::Protocol),
    ("unable to find remote helper", RemoteProblem::Protocol),
    ("' not allowed", RemoteProblem::Forbidden),
    // A transient error is not damage, whatever `git` then says about the object that it could not read.
    ("too many open files", RemoteProblem::Other),
    ("permission denied", RemoteProblem::Other),
    ("operation not permitted", RemoteProblem::Other),
    ("cannot allocate memory", RemoteProblem::Other),
    ("out of memory", RemoteProblem::Other),
    ("resource temporarily unavailable", RemoteProblem::Other),
    ("stale file handle", RemoteProblem::Other),
    ("input/output error", RemoteProblem::Other),
    ("is corrupt", RemoteProblem::Damaged),
    ("does not match index", RemoteProblem::Damaged),
    ("bad object", RemoteProblem::Damaged),
    ("bad tree object", RemoteProblem::Damaged),
    ("invalid sha1 pointer", RemoteProblem::Damaged),
    ("unable to read tree", RemoteProblem::Damaged),
];

/// Classifies a message from a `git` that worked in `directory`.
pub(super) fn problem(message: &str, directory: Option<&Path>) -> RemoteProblem {
    // The remote reports its own problems with the same text; only the path tells which side is meant.
    if directory.is_some_and(|own| message.contains(&format!("not a git repository: '{}'", own.display()))) {
        return RemoteProblem::Damaged;
    }
    let message = message.to_ascii_lowercase();
    let Some((words, problem)) = WORDS.iter().find(|(words, _)| message.contains(words)) else {
        return RemoteProblem::Other;
    };
    // The remote may be damaged instead, and that is no reason to discard our mirror.
    let theirs = |part: &str| part.trim_start().starts_with("remote:");
    let ours = message.split(['\n', ';']).any(|part| part.contains(words) && !theirs(part));
    if *problem == RemoteProblem::Damaged && !ours { RemoteProblem::Other } else { *problem }
}

/// Cleans up a message: removes control characters, passwords, and advice that katkit's hints replace.
pub(super) fn said(stderr: &[u8], url: &str) -> GitOutput {
    let text = String::from_utf8_lossy(stderr);
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        // Only progress output and terminal sequences use control characters.
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
    GitOutput(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_git_are_classified() {
        for (message, expected) in [
            ("fatal: Authentication failed for 'https://h/x/'", RemoteProblem::Authentication),
            (
                "git@h: Permission denied (publickey).\nfatal: Could not read from remote",
                RemoteProblem::Authentication,
            ),
            (
                "fatal: could not read Username for 'https://h': terminal prompts disabled",
                RemoteProblem::Authentication,
            ),
            ("fatal: repository 'https://h/x/' not found", RemoteProblem::NotFound),
            ("ERROR: Repository not found.", RemoteProblem::NotFound),
            ("fatal: '/x' does not appear to be a git repository", RemoteProblem::NotFound),
            (
                "No ED25519 host key is known for h.\nHost key verification failed.",
                RemoteProblem::UnknownHost,
            ),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                RemoteProblem::ChangedHost,
            ),
            ("ssh: Could not resolve hostname h: Name or service not known", RemoteProblem::Resolve),
            ("ssh: connect to host h port 22: Connection refused", RemoteProblem::Unreachable),
            ("ssh: connect to host h port 22: Connection timed out", RemoteProblem::TimedOut),
            (
                "fatal: unable to access 'https://h/': SSL certificate problem: self-signed",
                RemoteProblem::Certificate,
            ),
            (
                "fatal: transport 'file' not allowed\nfatal: clone of '/srv/lib' into submodule path 'lib' failed",
                RemoteProblem::Forbidden,
            ),
            ("fatal: remote error: upload-pack: not our ref 00", RemoteProblem::NotOurs),
            ("fatal: object file .git/objects/00/11 is corrupt", RemoteProblem::Damaged),
            ("remote: fatal: bad object HEAD\nfatal: early EOF", RemoteProblem::Other),
            (
                "error: unable to open objects/pack/pack-1.pack: Too many open files; fatal: bad object HEAD",
                RemoteProblem::Other,
            ),
            (
                "error: open(\"objects/00/11\"): Permission denied\nfatal: bad object HEAD",
                RemoteProblem::Other,
            ),
            ("fatal: bad object HEAD\nerror: mmap failed: Cannot allocate memory", RemoteProblem::Other),
            ("something new", RemoteProblem::Other),
        ] {
            assert_eq!(problem(message, None), expected, "{message}");
        }
    }

    #[test]
    fn a_mirror_that_is_not_a_repository_is_damaged_but_a_remote_that_is_not_one_is_not() {
        let own = Some(Path::new("/cache/mirrors/Shop-00"));
        let ours = "not a git repository: '/cache/mirrors/Shop-00'";
        assert_eq!(problem(ours, own), RemoteProblem::Damaged);
        assert_eq!(problem(ours, None), RemoteProblem::Other);
        for theirs in
            ["not a git repository: '/srv/Shop.git'", "not a git repository: /cache/mirrors/Shop-00"]
        {
            assert_eq!(problem(theirs, own), RemoteProblem::Other, "{theirs}");
        }
    }

    #[test]
    fn messages_are_passed_on_clean_and_short() {
        let stderr = b"\x1b[31mfatal: no\x07 way to https://bob:s3cret@h/x\nfatal: no s3cret\n".as_slice();
        let shown = said(stderr, "https://bob:s3cret@h/x").0;
        assert_eq!(shown, "[31mfatal: no  way to https://***@h/x; no ***");
        assert!(said(&vec![b'x'; 10_000], "h:x").0.chars().count() <= LONGEST + 1);
    }
}
