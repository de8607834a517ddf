//! Catches long options with one dash, as Terraform and Go programs spell them, and suggests katkit's spelling.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

/// Options that katkit calls something else: their name elsewhere, the option here, and what to type.
const OTHERWISE: [(&str, &str, &str); 4] = [
    ("json", "format", "--format json"),
    ("no-color", "color", "--color never"),
    ("chdir", "manifest", "--manifest DIR/katkit.toml"),
    ("input", "yes", "--yes"),
];

/// Refuses a word that is a long option of the command except for its second dash. Clap would misread `-target=prod` as
/// the short option `-t` with the value `arget=prod`.
pub(in crate::cli) fn check(command: &Command, words: impl Iterator<Item = OsString>) -> Result<(), Error> {
    let words: Vec<_> = words.skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<_> = words.into_iter().take_while(|word| word != "--").collect();
    let named = words.iter().find_map(|word| command.find_subcommand(word));
    let Some(named) = named else { return Ok(()) };
    let options: Vec<_> = named.get_arguments().chain(command.get_arguments()).collect();
    let Some((word, here)) = words.iter().find_map(|word| Some((word, spelled(word, &options)?))) else {
        return Ok(());
    };
    let text = format!("unexpected argument '{word}'\n\n  tip: long options take two dashes here: '{here}'");
    Err(command.clone().error(ErrorKind::UnknownArgument, text))
}

/// katkit's spelling of a long option with one dash.
fn spelled(word: &str, options: &[&Arg]) -> Option<String> {
    let rest = word.strip_prefix('-').filter(|rest| rest.len() > 1 && !rest.starts_with('-'))?;
    let (name, value) = rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value)));
    let is_called = |option: &&&Arg| {
        let aliases = option.get_all_aliases().unwrap_or_default();
        option.get_long() == Some(name) || aliases.contains(&name)
    };
    if let Some(long) = options.iter().find(is_called).and_then(|option| option.get_long()) {
        return Some(value.map_or_else(|| format!("--{long}"), |value| format!("--{long}={value}")));
    }
    let (_, _, here) = OTHERWISE.iter().find(|(there, long, _)| {
        *there == name && options.iter().any(|option| option.get_long() == Some(*long))
    })?;
    Some((*here).to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Arguments;

    #[test]
    fn a_long_option_with_one_dash_gets_the_right_spelling() {
        let answer = |line: &str| {
            let words = line.split(' ').map(OsString::from);
            let refused = check(&Arguments::command(), words).err()?.to_string();
            Some(refused.split_once("here: '")?.1.split_once('\'')?.0.to_owned())
        };
        for (line, here) in [
            ("katkit plan -out=saved.plan", "--out=saved.plan"),
            ("katkit plan -detailed-exitcode -refresh-only", "--detailed-exitcode"),
            ("katkit apply -auto-approve", "--yes"),
            ("katkit apply -target=prod/shop", "--target=prod/shop"),
            ("katkit -m FILE apply -parallelism=4", "--parallelism=4"),
            ("katkit plan -json", "--format json"),
            ("katkit plan -no-color", "--color never"),
            ("katkit -chdir=there apply", "--manifest DIR/katkit.toml"),
        ] {
            assert_eq!(answer(line).as_deref(), Some(here), "{line}");
        }
        for fine in [
            "katkit logs -fpbuild dev/shop",
            "katkit plan -vv -t prod",
            "katkit history -n10",
            "katkit apply -- -out",
            "katkit version -json",
        ] {
            assert_eq!(answer(fine), None, "{fine}");
        }
    }
}
