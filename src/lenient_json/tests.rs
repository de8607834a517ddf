//! Accepted and rejected input, and that no input makes the parser panic.

use proptest::prelude::*;

use super::*;

fn error(text: &str) -> FormatError {
    Document::read(text).unwrap_err()
}

#[test]
fn comments_trailing_commas_single_quotes_and_bare_names_are_read() {
    let text = "\u{feff}// first\r\n{ Name: 'a', /* second */ \"List\": [1, 2,\t], \"Tab\": \"a\tb\", }\n";
    let document = Document::read(text).unwrap();
    let Value::Object(object) = &document.root().value else { panic!("{document:?}") };
    let names: Vec<_> = object.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["Name", "List", "Tab"]);
    assert_eq!(&text[object.fields[0].json.span.clone()], "'a'");
    assert_eq!(object.fields[2].json.value, Value::Text("a\tb".into()));
}

#[test]
fn a_program_is_rejected_at_its_first_piece_of_code() {
    let cases = [
        ("module.exports = [];", 1, 1),
        ("// x\nvar config = [];", 2, 1),
        ("[\n  load(\"x\")\n]", 2, 3),
        ("[{ \"EnvName\": `dev` }]", 1, 15),
        ("[\"a\" + \"b\"]", 1, 6),
        ("[];", 1, 3),
        ("({})", 1, 1),
        ("[...base]", 1, 2),
        ("{ \"a\": process.env.HOME }", 1, 8),
    ];
    for (text, line, column) in cases {
        let error = error(text);
        assert!(error.what().ends_with("is code, not data"), "{text}: {error}");
        let place = error.place().unwrap();
        assert_eq!((place.line, place.column), (line, column), "{text}: {error}");
        assert!(error.advice().unwrap().contains("never executed"), "{text}");
    }
}

#[test]
fn broken_data_is_explained() {
    let cases = [
        ("", "the file is empty"),
        ("// nothing\n", "the file is empty"),
        ("[", "the list that starts here is not closed (line 1, column 1)"),
        ("[{ \"a\": 1 ]", "unexpected `]` (line 1, column 11)"),
        ("{\r\n\"a\": 1\r\n", "the object that starts here is not closed (line 1, column 1)"),
        ("[1] [2]", "unexpected content after the end of the data (line 1, column 5)"),
        ("[1 2]", "a comma is missing after this value (line 1, column 3)"),
        ("{\"a\" 1}", "a `:` is missing after the preceding name (line 1, column 6)"),
        ("[\"a]", "this string is malformed: unterminated string literal (line 1, column 2)"),
        ("[\"\\q\"]", "this string is malformed: invalid escape (line 1, column 3)"),
        ("/* a", "the comment that starts here is not closed (line 1, column 1)"),
        ("[\u{1b}]", "unexpected `\\u{1b}` (line 1, column 2)"),
    ];
    for (text, sentence) in cases {
        assert_eq!(error(text).to_string(), sentence, "{text:?}");
    }
}

#[test]
fn deep_nesting_is_rejected_even_on_a_small_stack() {
    let read = || {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{a:", "}]")] {
            let deep = open.repeat(200_000);
            assert!(error(&deep).what().contains("nested more than 128 levels"));
            let fits = DEEPEST / open.matches(['[', '{']).count();
            let text = format!("{}1{}", open.repeat(fits), close.repeat(fits));
            assert!(Document::read(&text).is_ok());
        }
    };
    std::thread::Builder::new().stack_size(512 << 10).spawn(read).unwrap().join().unwrap();
}

#[test]
fn brackets_in_strings_and_comments_are_not_nesting() {
    let many = "[".repeat(500);
    for text in [
        format!("[\"{many}\\\"{many}\", '{many}']"),
        format!("/*{many}*/[]//{many}"),
        format!("//{many}\n[]"),
    ] {
        assert!(Document::read(&text).is_ok(), "{text}");
    }
}

#[test]
fn a_file_that_is_too_large_or_not_utf8_is_rejected() {
    let large = " ".repeat(LIMIT + 1);
    assert_eq!(error(&large).to_string(), "the file has 1048577 bytes; the limit is 1048576");
    assert!(decode(large.as_bytes()).is_err());
    assert_eq!(decode(b"[\n \xff]").unwrap_err().to_string(), "the file is not UTF-8 (line 2, column 2)");
    assert_eq!(
        decode(b"\xff\xfe[\0").unwrap_err().to_string(),
        "the file is UTF-16, not UTF-8 (line 1, column 1)"
    );
}

#[test]
fn a_duplicate_name_is_an_error_when_its_field_is_read() {
    let document = Document::read("{\"a\": 1,\n \"a\": 2}").unwrap();
    let Value::Object(object) = &document.root().value else { panic!() };
    assert_eq!(document.field(object, "a").unwrap_err().to_string(), "`a` is given twice (line 2, column 2)");
    assert_eq!(document.field(object, "b").unwrap(), None);
}

#[test]
fn lines_are_counted_as_editors_do() {
    let place = |text: &str| {
        let place = FilePosition::new(text, text.len() - 1..text.len());
        (place.line, place.column)
    };
    assert_eq!(place("a\nb\r\ncX"), (3, 2));
    assert_eq!(place("a\rbX"), (2, 2));
    assert_eq!(place("\u{feff}äX"), (1, 2));
    assert_eq!(place("a\r\n"), (1, 3));
}

#[test]
fn a_quoted_piece_is_escaped_and_shortened() {
    assert_eq!(shown("a\u{1b}[31m\n\"b\""), "a\\u{1b}[31m\\n\"b\"");
    assert_eq!(shown(&"x".repeat(100)).chars().count(), 81);
}

/// Any strict JSON value.
fn strict() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value as Strict;
    let leaf = prop_oneof![
        Just(Strict::Null),
        any::<bool>().prop_map(Strict::from),
        any::<i64>().prop_map(Strict::from),
        any::<f64>().prop_map(Strict::from),
        any::<String>().prop_map(Strict::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Strict::from),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|fields| Strict::Object(fields.into_iter().collect())),
        ]
    })
}

/// Whether both values are equal.
fn same(json: &Json<'_>, strict: &serde_json::Value) -> bool {
    use serde_json::Value as Strict;
    match (&json.value, strict) {
        (Value::Null, Strict::Null) => true,
        (Value::Bool(a), Strict::Bool(b)) => a == b,
        (Value::Number(a), Strict::Number(b)) => *a == b.to_string(),
        (Value::Text(a), Strict::String(b)) => a == b,
        (Value::List(a), Strict::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Strict::Object(b)) => {
            a.fields.len() == b.len()
                && a.fields.iter().zip(b).all(|(a, (name, b))| a.name == *name && same(&a.json, b))
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn strict_json_reads_the_same(value in strict(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let document = Document::read(&text);
        prop_assert!(document.is_ok(), "{text}: {document:?}");
        prop_assert!(same(document.unwrap().root(), &value), "{text}");
    }

    #[test]
    fn text_that_a_strict_parser_accepts_is_never_rejected(text in r#"([\[\]{},:"0-9a \n\\/u-]|null|true|"a")*"#) {
        if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
            prop_assert!(Document::read(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic_and_every_span_is_within_it(
        text in r#"(\PC|[\[\]{},:'"`/*\\\r\n\t+.=;-]|\\u[0-9a-fA-F]{2,4}|true|NaN|"a")*"#
    ) {
        if let Err(error) = Document::read(&text) {
            let span = error.place().map_or(0..0, |place| place.span.clone());
            prop_assert!(text.get(span.clone()).is_some(), "{text:?} {span:?} {error}");
        }
    }
}
