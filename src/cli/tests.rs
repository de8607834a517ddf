//! Tests of the help texts.

use super::*;

/// Splits an example into words as a shell would. Text after two spaces explains the example.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for c in line.trim().split("  ").next().unwrap().chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words
}

#[test]
fn every_help_example_parses() {
    let command = Arguments::command();
    let mut tried = 0;
    for command in std::iter::once(&command).chain(command.get_subcommands()) {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in text.lines().filter(|line| line.starts_with("  katkit ")) {
            let parsed = Arguments::try_parse_from(words(&line.replace("$SHA", &"a".repeat(40))));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn every_command_fits_on_one_line_of_the_list() {
    let command = Arguments::command();
    let commands: Vec<_> = command.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    let names = commands.iter().map(|command| command.get_name().len()).max().unwrap();
    for command in commands {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.is_empty() && 4 + names + about.len() <= 80, "{}: {about}", command.get_name());
    }
}

#[test]
fn the_help_of_every_command_fits_on_a_screen() {
    for command in Arguments::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let whole = Arguments::command().term_width(80);
        let asked = whole.try_get_matches_from(["katkit", command.get_name(), "--help"]);
        let help = asked.unwrap_err().to_string();
        assert!(help.lines().count() <= 40, "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    }
}
