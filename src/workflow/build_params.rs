//! `BuildParams`: variables in one string, `"KEY=VALUE, KEY=VALUE"`.

use std::collections::BTreeMap;

use crate::lenient_json::shown;

/// A mistake in a `BuildParams`, and how to fix it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParamsMistake {
    /// The problem as a predicate, to follow the name of the key.
    pub what: String,
    /// How a user can fix it.
    pub hint: Option<&'static str>,
}

/// Splits the text at commas, and each part at its first `=`.
///
/// Keys and values are trimmed. A value may contain `=` and may be empty. It cannot contain a comma, because the format
/// has no escape for one. Empty parts are ignored.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, ParamsMistake> {
    let mut variables = BTreeMap::new();
    for piece in text.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
        let Some((key, value)) = piece.split_once('=') else {
            let what = format!("holds `{}`, which is not of the form `KEY=VALUE`", shown(piece));
            let hint = "a value cannot contain a comma here; in a workflow in the manifest it can";
            return Err(ParamsMistake { what, hint: Some(hint) });
        };
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(ParamsMistake {
                what: format!("holds `{}`, which has no key", shown(piece)),
                hint: None,
            });
        }
        if key.chars().any(|c| c.is_whitespace() || c.is_control()) || value.contains('\0') {
            let what = format!("holds `{}`, which cannot be an environment variable", shown(piece));
            return Err(ParamsMistake {
                what,
                hint: Some("a name cannot contain whitespace; separate variables with commas"),
            });
        }
        if variables.insert(key.to_owned(), value.to_owned()).is_some_and(|before| before != value) {
            let what = format!("gives `{}` two values", shown(key));
            return Err(ParamsMistake { what, hint: Some("remove one of them") });
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn variables_are_separated_by_commas_and_trimmed() {
        assert_eq!(pairs("PHASE=BUILD, FOO=BAR"), [pair("FOO", "BAR"), pair("PHASE", "BUILD")]);
        assert_eq!(pairs(" A = 1 ,\tB=2\n"), [pair("A", "1"), pair("B", "2")]);
        assert_eq!(pairs("A=one two"), [pair("A", "one two")]);
    }

    #[test]
    fn a_value_may_contain_equal_signs_or_be_empty() {
        assert_eq!(pairs("OPTS=-Dx=1 -Dy==,E="), [pair("E", ""), pair("OPTS", "-Dx=1 -Dy==")]);
    }

    #[test]
    fn empty_parts_between_commas_are_ignored() {
        assert_eq!(pairs(""), []);
        assert_eq!(pairs(" , A=1,, "), [pair("A", "1")]);
    }

    #[test]
    fn a_piece_without_an_equal_sign_is_quoted_and_the_comma_explained() {
        let mistake = parse("HOSTS=a,b").unwrap_err();
        assert_eq!(mistake.what, "holds `b`, which is not of the form `KEY=VALUE`");
        assert!(mistake.hint.unwrap().contains("comma"));
    }

    #[test]
    fn a_variable_that_no_environment_can_hold_is_refused() {
        assert_eq!(parse("=1").unwrap_err().what, "holds `=1`, which has no key");
        assert!(parse("A B=1").unwrap_err().what.contains("cannot be an environment variable"));
        assert!(parse("A=\0").unwrap_err().what.contains("cannot be an environment variable"));
    }

    #[test]
    fn two_values_for_one_key_are_refused_unless_they_agree() {
        assert_eq!(parse("A=1, A=2").unwrap_err().what, "gives `A` two values");
        assert_eq!(pairs("A=1, A=1"), [pair("A", "1")]);
    }
}
