//! Parses text to values, and translates the parser's errors.

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{DEEPEST, Field, FormatError, Json, Object, Value, shown};

/// The accepted extensions of strict JSON.
const LENIENCE: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: true,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: true,
    allow_hexadecimal_numbers: true,
    allow_unary_plus_numbers: true,
    allow_bare_decimal_point_numbers: true,
    allow_non_finite_numbers: true,
    // An edit must map a string's value back to its bytes, so only JSON's own escapes are allowed.
    allow_extended_string_escapes: false,
};

/// The hint if a file is a program.
const NOT_RUN: &str =
    "the file is read as data and never executed: write plain JSON; comments and trailing commas are fine";

pub(super) fn parse(text: &str) -> Result<Json<'_>, FormatError> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let shift = text.len() - body.len();
    check_depth(text, shift)?;
    let parsed = parse_to_ast(body, &CollectOptions::default(), &LENIENCE)
        .map_err(|error| sentence(text, shift, &error))?;
    let root = parsed.value.ok_or_else(|| FormatError::new("the file is empty"))?;
    Ok(json(root, shift))
}

/// The parser limits nesting too, but its limit may be too high for a small stack.
fn check_depth(text: &str, from: usize) -> Result<(), FormatError> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' | b'\'' => at = skip_text(bytes, at, byte),
            b'/' => at = skip_comment(bytes, at),
            _ => {}
        }
        if depth > DEEPEST {
            let what = format!("lists and objects are nested more than {DEEPEST} levels deep");
            return Err(FormatError::new(what).at(text, at..at + 1));
        }
        at += 1;
    }
    Ok(())
}

/// The index of the closing quote of the string that starts at `at`.
fn skip_text(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    at += 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            _ if byte == quote => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

/// The index of the last byte of the comment that starts at `at`, or `at` if there is none.
fn skip_comment(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let length = match rest.get(1) {
        Some(b'/') => rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')),
        Some(b'*') => rest.windows(2).skip(2).position(|pair| pair == b"*/").map(|end| end + 4),
        _ => return at,
    };
    at + length.unwrap_or(rest.len()) - 1
}

fn json(value: ast::Value<'_>, shift: usize) -> Json<'_> {
    let range = value.range();
    let value = match value {
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
        ast::Value::NumberLit(literal) => Value::Number(literal.value),
        ast::Value::StringLit(literal) => Value::Text(literal.value),
        ast::Value::Array(array) => {
            Value::List(array.elements.into_iter().map(|element| json(element, shift)).collect())
        }
        ast::Value::Object(object) => Value::Object(Object {
            fields: object.properties.into_iter().map(|it| field(it, shift)).collect(),
        }),
    };
    Json { span: range.start + shift..range.end + shift, value }
}

fn field(property: ast::ObjectProp<'_>, shift: usize) -> Field<'_> {
    let range = property.name.range();
    let name = match property.name {
        ast::ObjectPropName::String(literal) => literal.value,
        ast::ObjectPropName::Word(word) => word.value.into(),
    };
    Field { name, span: range.start + shift..range.end + shift, json: json(property.value, shift) }
}

fn sentence(text: &str, shift: usize, error: &ParseError) -> FormatError {
    let mut span = error.range().start + shift..error.range().end + shift;
    if matches!(error.kind(), ParseErrorKind::ExpectedDigitFollowingNegativeSign) {
        // The parser points behind the sign. The error is the sign, which has one byte.
        span.start = span.start.saturating_sub(1);
    }
    let rest = text.get(span.start..).unwrap_or_default();
    let of = |what: String| FormatError::new(what).at(text, span.clone());
    let what = match error.kind() {
        ParseErrorKind::UnterminatedArray => "the list that starts here is not closed".to_owned(),
        ParseErrorKind::UnterminatedObject => "the object that starts here is not closed".to_owned(),
        ParseErrorKind::UnterminatedCommentBlock => "the comment that starts here is not closed".to_owned(),
        ParseErrorKind::ExpectedComma => {
            return of("a comma is missing after this value".to_owned()).hint("add a `,` here");
        }
        ParseErrorKind::String(kind) => {
            let kind = kind.to_string();
            format!("this string is malformed: {}", kind.trim_end_matches('.').to_lowercase())
        }
        ParseErrorKind::NestingDepthExceeded => "lists and objects are nested too deeply".to_owned(),
        _ if is_code(rest) => {
            let line = rest.lines().next().unwrap_or_default().trim_end();
            return of(format!("`{}` is code, not data", shown(line))).hint(NOT_RUN);
        }
        ParseErrorKind::MultipleRootJsonValues => "unexpected content after the end of the data".to_owned(),
        ParseErrorKind::ExpectedColonAfterObjectKey => "a `:` is missing after the preceding name".to_owned(),
        ParseErrorKind::ExpectedObjectValue => "a value is missing after this".to_owned(),
        _ => match rest.chars().next() {
            Some(c) => format!("unexpected `{}`", shown(&c.to_string())),
            None => "unexpected end of the file".to_owned(),
        },
    };
    of(what)
}

/// Whether `rest` starts like JavaScript code instead of a value: with a word, an operator, a call or a template.
fn is_code(rest: &str) -> bool {
    let mut chars = rest.chars();
    match chars.next() {
        Some(c) if c.is_alphabetic() => true,
        Some(
            '_' | '$' | '`' | '(' | ')' | '=' | ';' | '.' | '+' | '-' | '*' | '/' | '!' | '?' | '&' | '|'
            | '<' | '>',
        ) => true,
        _ => false,
    }
}
