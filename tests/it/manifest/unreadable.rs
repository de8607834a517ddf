//! Files that are not manifests, and how much of them is shown.

use std::path::Path;

use insta::assert_snapshot;
use katkit::views::DiagnosticsJson;
use proptest::prelude::*;
use serde_json::json;

use super::{Files, linked};

#[test]
fn every_syntax_error_is_reported_without_follow_up_errors() {
    let files = Files::new(
        r#"version = 1
[repos.shop]
url = https://github.com/acme/shop.git
branch = "main
[tenants.dev.links.shop]
repo = "shpo"
forlder = "services/web"
sha = "3f2a9c1"
branch =
[tenants.dev.links.shop]
"#,
    );
    assert_snapshot!(files.complaint(), @r#"
      × string values must be quoted, expected literal string
       ╭─[katkit.toml:3:7]
     2 │ [repos.shop]
     3 │ url = https://github.com/acme/shop.git
       ·       ────────────────┬───────────────
       ·                       ╰── not TOML
     4 │ branch = "main
       ╰────

      × invalid basic string, expected `"`
       ╭─[katkit.toml:4:15]
     3 │ url = https://github.com/acme/shop.git
     4 │ branch = "main
       ·               ▲
       ·               ╰── not TOML
     5 │ [tenants.dev.links.shop]
       ╰────

      × unknown key `forlder`, did you mean `folder`?
       ╭─[katkit.toml:7:1]
     6 │ repo = "shpo"
     7 │ forlder = "services/web"
       · ───┬───
       ·    ╰── not a key of a link
     8 │ sha = "3f2a9c1"
       ╰────

      × `3f2a9c1` is an abbreviated sha (7 of 40 digits)
       ╭─[katkit.toml:8:7]
     7 │ forlder = "services/web"
     8 │ sha = "3f2a9c1"
       ·       ────┬────
       ·           ╰── not a full commit sha
     9 │ branch =
       ╰────
      help: write all 40, so that it can never match another commit; `git
            rev-parse 3f2a9c1` prints them

      × string values must be quoted, expected literal string
        ╭─[katkit.toml:9:9]
      8 │ sha = "3f2a9c1"
      9 │ branch =
        ·         ▲
        ·         ╰── not TOML
     10 │ [tenants.dev.links.shop]
        ╰────

      × duplicate key
        ╭─[katkit.toml:10:20]
      9 │ branch =
     10 │ [tenants.dev.links.shop]
        ·                    ──┬─
        ·                      ╰── not TOML
        ╰────

    6 errors
    "#);
}

#[test]
fn an_unreadable_file_is_reported_with_the_reason() {
    let missing = Files(tempfile::tempdir().unwrap());
    assert_snapshot!(missing.complaints(), @r"
    :0: `DIR/katkit.toml` cannot be read: No such file or directory (os error 2)
        `katkit init` writes a manifest to start with
    ");
    let directory = Files(tempfile::tempdir().unwrap()).with("katkit.toml/x", "");
    assert_snapshot!(directory.complaints(), @":0: `DIR/katkit.toml` cannot be read: it is a directory");
    assert_snapshot!(Files::new(b"version = 1\n# caf\xe9\n").complaint(), @r"
      × the file is not UTF-8: byte 0xe9
       ╭─[katkit.toml:2:6]
     1 │ version = 1
     2 │ # caf
       ·      ▲
       ·      ╰── from here on
       ╰────
      help: save it as UTF-8

    1 error
    ");
    let wide: Vec<u8> = "\u{feff}version = 1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_snapshot!(Files::new(wide).complaints(), @r"
    katkit.toml:1: the file is UTF-16
        save it as UTF-8
    ");
    Files::new("\u{feff}version = 1\r\n[tenants.dev]\r\n").load();
}

#[test]
fn a_manifest_of_fifty_megabytes_is_refused_unread() {
    let files = Files::new("");
    let file = std::fs::File::create(files.path("katkit.toml")).unwrap();
    file.set_len(50 << 20).unwrap();
    assert_snapshot!(files.complaints(), @r"
    :0: `DIR/katkit.toml` cannot be read: it is 50 MiB; the limit for a manifest file is 4 MiB
        split it into several files and `include` them
    ");
}

/// A manifest of that many bytes.
fn of_size(bytes: usize) -> Files {
    let text = "version = 1\n#";
    Files::new(format!("{text}{}", " ".repeat(bytes - text.len())))
}

#[test]
fn a_file_may_have_four_mebibytes_and_not_a_byte_more() {
    of_size(4 << 20).load();
    assert_snapshot!(of_size((4 << 20) + 1).complaints(), @r"
    :0: `DIR/katkit.toml` cannot be read: it is 5 MiB; the limit for a manifest file is 4 MiB
        split it into several files and `include` them
    ");
}

#[test]
fn the_total_size_is_limited_and_reported_once() {
    let mut files = Files::new("version = 1\ninclude = ['t/*.toml']\n");
    for name in ["a", "b", "c", "d", "e", "f"] {
        files = files.with(&format!("t/{name}.toml"), format!("#{}", " ".repeat((4 << 20) - 1)));
    }
    assert_snapshot!(files.complaint(), @r"
      × the manifest exceeds 16 MiB or 10000 files
       ╭─[katkit.toml:2:12]
     1 │ version = 1
     2 │ include = ['t/*.toml']
       ·            ──────────
       ╰────
      help: split it into several manifests with a state each

    1 error
    ");
}

#[test]
fn of_thousands_of_mistakes_the_first_thousand_are_shown() {
    let files = Files::new(format!("version = 1\n{}", "=\n".repeat(5000)));
    let found = files.try_load().unwrap_err();
    assert_eq!((found.items.len(), found.left_out), (1000, 4000));
    assert_eq!(found.to_string(), "1000 errors, and 4000 more not listed");
}

#[test]
fn no_text_of_a_manifest_can_control_a_terminal() {
    let files = Files::new("version = 1\n\"\\u001b[31m\u{202e}\" = 1 # \u{1b}]0;x\u{7}\n");
    let said = files.complaint();
    assert!(said.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{said:?}");
    let long = format!("version = 1\nx = '{}'\n", "y".repeat(100_000));
    assert!(Files::new(long).complaint().len() < 2000);
}

#[test]
fn json_reports_the_same_errors_as_text() {
    let found = linked("sha = '3f2a9c1'\nsha = ''").try_load().unwrap_err();
    let mut document = json!(DiagnosticsJson::new(&found, None));
    let file = &mut document["diagnostics"][0]["file"];
    assert!(Path::new(file.as_str().unwrap()).is_absolute());
    *file = "katkit.toml".into();
    let first = serde_json::to_string_pretty(&document["diagnostics"][0]).unwrap();
    assert_snapshot!(first, @r#"
    {
      "severity": "error",
      "message": "`3f2a9c1` is an abbreviated sha (7 of 40 digits)",
      "file": "katkit.toml",
      "line": 8,
      "column": 7,
      "end": {
        "line": 8,
        "column": 16
      },
      "label": "not a full commit sha",
      "help": "write all 40, so that it can never match another commit; `git rev-parse 3f2a9c1` prints them",
      "related": null
    }
    "#);
    assert_eq!((&document["format_version"], &document["errors"]), (&json!("1.0"), &json!(2)));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(version = 1\n)?(\\[[a-z.]{1,12}\\]\n|[a-z]{1,6} ?= ?[0-9\"'{}\\[\\],a-z]{0,8}\n|[ -~é\u{1b}]{0,6}){0,12}") {
        let files = Files::new(text);
        if let Err(found) = files.try_load() {
            prop_assert!(!files.text(&found).is_empty());
        }
    }
}
