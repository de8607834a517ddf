//! What exit codes and signals mean, in words.

/// The name of a signal that ends processes (signal(7)).
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

/// Why programs mostly are ended by a signal, where its name does not tell everybody.
fn signal_cause(signal: i32) -> Option<&'static str> {
    Some(match signal {
        4 => "often built for another processor",
        6 => "it gave up by itself",
        9 => "often out of memory",
        11 => "it crashed: invalid memory access",
        15 => "something asked it to stop",
        _ => return None,
    })
}

/// A signal as the end of a program: `SIGKILL (often out of memory)`.
pub fn signal_meaning(signal: i32) -> Option<String> {
    let name = signal_name(signal)?;
    Some(signal_cause(signal).map_or_else(|| name.to_owned(), |cause| format!("{name} ({cause})")))
}

/// What an exit code means that is not a program's own: shells pass on so that a command could not be run (POSIX, XCU
/// 2.8.2), and that a signal ended it.
pub fn exit_code_meaning(code: i32) -> Option<String> {
    match code {
        126 => Some("a command could not be run (not executable, or built for another processor)".to_owned()),
        127 => Some("a command was not found".to_owned()),
        129..=192 => signal_meaning(code - 128).map(|meaning| format!("killed by {meaning}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_shells_are_told_in_words() {
        let said = |code| exit_code_meaning(code).unwrap_or_default();
        assert_eq!(said(137), "killed by SIGKILL (often out of memory)");
        assert_eq!(said(139), "killed by SIGSEGV (it crashed: invalid memory access)");
        assert_eq!(said(143), "killed by SIGTERM (something asked it to stop)");
        assert_eq!(said(130), "killed by SIGINT");
        assert_eq!(said(126), "a command could not be run (not executable, or built for another processor)");
        assert_eq!(said(127), "a command was not found");
        for own in [i32::MIN, -1, 0, 1, 3, 125, 128, 160, 200, 255, i32::MAX] {
            assert_eq!(exit_code_meaning(own), None, "{own}");
        }
    }
}
