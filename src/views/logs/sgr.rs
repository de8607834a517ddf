//! Filters the colour sequences of a log.

/// The parameters of a "select graphic rendition" sequence (ECMA-48 §8.3.117) without those that would hide text;
/// `None` if nothing is left. An empty string is a reset.
pub(super) fn kept(parameters: &str) -> Option<String> {
    if parameters.is_empty() {
        return Some(String::new());
    }
    let mut kept = Vec::new();
    let mut parts = parameters.split(';');
    while let Some(part) = parts.next() {
        match part {
            // A colour by number or by components, in the following parameters.
            "38" | "48" | "58" => {
                let rest = match parts.next() {
                    Some("5") => 1,
                    Some("2") => 3,
                    _ => return None,
                };
                kept.push(if rest == 1 { format!("{part};5") } else { format!("{part};2") });
                for _ in 0..rest {
                    kept.push(number(parts.next()?)?.to_string());
                }
            }
            // The same in one parameter.
            _ if part.contains(':') => {
                if part.starts_with("38:")
                    || part.starts_with("48:")
                    || part.starts_with("58:")
                    || part.starts_with("4:")
                {
                    kept.push(part.to_owned());
                }
            }
            // "Conceal": invisible text.
            _ if number(part) == Some(8) => {}
            _ => kept.push(number(part)?.to_string()),
        }
    }
    (!kept.is_empty()).then(|| kept.join(";"))
}

/// Whether these parameters end with a reset.
pub(super) fn resets(kept: &str) -> bool {
    matches!(kept.rsplit(';').next(), Some("" | "0"))
}

/// Parses a parameter; an omitted one is 0.
fn number(part: &str) -> Option<u8> {
    if part.is_empty() { Some(0) } else { part.parse().ok() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn colours_are_kept_and_hidden_text_is_not() {
        let kept = |parameters| super::kept(parameters).unwrap_or_else(|| "nothing".to_owned());
        let given = [
            "",
            "0",
            "31",
            "1;31",
            ";31",
            "38;5;8",
            "48;2;1;2;3",
            "38:2::1:2:3",
            "8",
            "1;8;31",
            "1;08",
            "999",
            "38",
            "38;5",
        ];
        assert_eq!(
            given.map(kept),
            [
                "",
                "0",
                "31",
                "1;31",
                "0;31",
                "38;5;8",
                "48;2;1;2;3",
                "38:2::1:2:3",
                "nothing",
                "1;31",
                "1",
                "nothing",
                "nothing",
                "nothing"
            ]
        );
    }
}
