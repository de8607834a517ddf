//! What exit codes and signals mean.

/// The name of a signal that kills processes (signal(7)).
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return None,
    })
}

/// The usual cause of a signal, if its name is not enough.
fn signal_cause(signal: i32) -> Option<&'static str> {
    Some(match signal {
        4 => "often built for another architecture",
        6 => "the program aborted",
        9 => "often out of memory",
        11 => "crashed: invalid memory access",
        15 => "asked to stop",
        _ => return None,
    })
}

/// A fatal signal with its usual cause: `SIGKILL (often out of memory)`.
pub fn signal_meaning(signal: i32) -> Option<String> {
    let name = signal_name(signal)?;
    Some(signal_cause(signal).map_or_else(|| name.to_owned(), |cause| format!("{name} ({cause})")))
}

/// What an exit code means if it is not the program's own: shells report commands that could not be run (POSIX, XCU
/// 2.8.2) or that a signal killed.
pub fn exit_code_meaning(code: i32) -> Option<String> {
    match code {
        126 => {
            Some("a command could not be run (not executable, or built for another architecture)".to_owned())
        }
        127 => Some("a command was not found".to_owned()),
        129..=192 => signal_meaning(code - 128).map(|meaning| format!("killed by {meaning}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_of_shells_are_explained() {
        let meaning = |code| exit_code_meaning(code).unwrap_or_default();
        assert_eq!(meaning(137), "killed by SIGKILL (often out of memory)");
        assert_eq!(meaning(139), "killed by SIGSEGV (crashed: invalid memory access)");
        assert_eq!(meaning(143), "killed by SIGTERM (asked to stop)");
        assert_eq!(meaning(130), "killed by SIGINT");
        assert_eq!(
            meaning(126),
            "a command could not be run (not executable, or built for another architecture)"
        );
        assert_eq!(meaning(127), "a command was not found");
        for own in [i32::MIN, -1, 0, 1, 3, 125, 128, 160, 200, 255, i32::MAX] {
            assert_eq!(exit_code_meaning(own), None, "{own}");
        }
    }
}
