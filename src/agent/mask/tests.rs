//! What is masked, however the stream is cut.

use super::*;
use proptest::prelude::*;

fn mask(values: &[&str]) -> Mask {
    let numbered = values.iter().enumerate();
    Mask::new(&Secrets(numbered.map(|(n, value)| (n.to_string(), (*value).to_owned())).collect()))
}

fn masked(values: &[&str], pieces: &[&str]) -> String {
    let (mut mask, mut out) = (mask(values), Vec::new());
    for piece in pieces {
        mask.feed(piece.as_bytes(), &mut out);
    }
    mask.finish(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_secret_is_masked_wherever_the_stream_is_cut() {
    assert_eq!(masked(&["hunter22"], &["is hun", "te", "r22, really"]), "is ***, really");
    assert_eq!(masked(&["hunter22"], &["hunter2", "3"]), "hunter23");
}

#[test]
fn a_secret_that_begins_a_longer_one_is_masked_at_the_end_of_the_stream_too() {
    assert_eq!(masked(&["aabb", "aabba"], &["aabb"]), "***");
    assert_eq!(masked(&["aabb", "aabba"], &["x aa", "bb"]), "x ***");
}

#[test]
fn overlapping_secrets_are_masked_as_one() {
    assert_eq!(masked(&["abcdef", "defghi"], &["xabcd", "efgh", "ix"]), "x***x");
    assert_eq!(masked(&["bbbb", "abbbbc"], &["abbbb", "c"]), "***");
    assert_eq!(masked(&["bbbb", "abbbbc"], &["abbbb", "d"]), "a***d");
}

#[test]
fn each_line_of_a_secret_is_masked_too() {
    let key = "-----BEGIN-----\nMIIEvQ\nab\n-----END-----\n";
    assert_eq!(masked(&[key], &["key: MIIEvQ, ab"]), "key: ***, ab");
    assert_eq!(masked(&[key], &[key]), "***\n");
}

#[test]
fn a_very_short_value_is_not_masked() {
    assert_eq!(masked(&["on", ""], &["turn on"]), "turn on");
}

#[test]
fn only_the_beginning_of_a_secret_is_held_back() {
    let (mut mask, mut out) = (mask(&["hunter22"]), Vec::new());
    mask.feed(b"login: hunt", &mut out);
    assert_eq!(out, b"login: ");
    assert_eq!(mask.text("a hunter22 in a sentence"), "a *** in a sentence");
    mask.finish(&mut out);
    assert_eq!(out, b"login: hunt");
}

proptest! {
    #[test]
    fn cutting_the_stream_changes_nothing(
        values in prop::collection::vec("[ab]{4,7}", 1..4),
        text in "[abc]{0,60}",
        cuts in prop::collection::vec(0usize..60, 0..6),
    ) {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts {
            pieces.push(&text[from..cut]);
            from = cut;
        }
        pieces.push(&text[from..]);
        let whole = masked(&values, &[&text]);
        prop_assert_eq!(masked(&values, &pieces), whole.clone());
        prop_assert!(values.iter().all(|value| !whole.contains(value)));
    }
}

/// Encoded forms of a secret, as programs print them.
const ENCODED: [&str; 9] = [
    // "hunter22/é" in base64, alone, after one and two other bytes, and after two for URLs.
    "aHVudGVyMjIvw6k=",
    "eGh1bnRlcjIyL8Op",
    "eHhodW50ZXIyMi/DqQ==",
    "eHhodW50ZXIyMi_DqQ==",
    "68756e74657232322fc3a9",
    "68756E74657232322FC3A9",
    r"hunter22\/é",
    r"hunter22/\u00e9",
    "hunter22%2F%c3%A9",
];

#[test]
fn encoded_secrets_are_masked_except_for_edges_shared_with_other_bytes() {
    let seen = ENCODED.map(|text| masked(&["hunter22/é"], &[text]));
    assert_eq!(seen, ["***k=", "eG***", "eHh***Q==", "eHh***Q==", "***", "***", "***", "***", "***"]);
    assert_eq!(masked(&["hunter22/é"], &["hunter22%2F%C3%A9 HUNTER22/%c3%a9 Hunter22/é"]), "*** *** ***");
    assert_eq!(
        masked(&["a b\"c\nd & e"], &[r#"{"x":"a b\"c\nd \u0026 e"} a+b%22c%0Ad+%26+e"#]),
        r#"{"x":"***"} ***"#
    );
}

#[test]
fn encoded_secrets_are_masked_wherever_the_stream_is_cut() {
    for text in &ENCODED {
        let whole = masked(&["hunter22/é"], &[text]);
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (one, two) = text.split_at(at);
            assert_eq!(masked(&["hunter22/é"], &[one, two]), whole);
        }
    }
}

#[test]
fn a_short_value_is_masked_verbatim_only() {
    assert_eq!(
        masked(&["secret/"], &["secret/ c2VjcmV0Lw== 7365637265742f secret%2F"]),
        "*** c2VjcmV0Lw== 7365637265742f secret%2F"
    );
}

#[test]
fn a_secret_wrapped_over_several_lines_is_masked_as_one() {
    let long = "0123456789abcdefghijklmnopqrstuv";
    assert_eq!(masked(&[long], &["0123456789abcde\nfghijklmnopq\r\nrstuv\nend\n"]), "***\nend\n");
    // Lookalikes stay as they are, line breaks included.
    let other = "0123456789abcde\nfghijklm\nother\n0123456789\n\n\nabcde\r\r\n";
    assert_eq!(masked(&[long], &[other]), other);
    // A second secret that starts before the line break.
    assert_eq!(masked(&["0123456789xyz", "x\nhunter2"], &["0123456789x\nhunter2"]), "0123456789***");
}

#[test]
fn the_line_end_after_a_whole_secret_is_not_held_back() {
    let (mut mask, mut out) = (mask(&["hunter22"]), Vec::new());
    mask.feed(b"a hunter22\n", &mut out);
    assert_eq!(out, b"a ***\n");
}

#[test]
fn repeated_line_breaks_are_not_held_back() {
    let (mut mask, mut out) = (mask(&["0123456789abcdef"]), Vec::new());
    mask.feed(b"0123456789", &mut out);
    for _ in 0..1000 {
        mask.feed(b"\n", &mut out);
    }
    assert!(out.len() > 1000, "{}", out.len());
}

#[test]
fn a_secret_is_found_in_a_file_even_across_two_reads() {
    let finder = mask(&["hunter22"]).finder();
    for before in PIECE - 9..=PIECE {
        let mut file = vec![b'.'; before];
        assert!(!finder.is_in(&file[..]).unwrap());
        file.extend(b"aHVudGVyMjI=");
        assert!(finder.is_in(&file[..]).unwrap());
    }
    assert!(mask(&[]).finder().is_empty());
}

/// Each phase builds its own mask. Counts the processor's time, which other tests beside this one do not prolong.
#[test]
fn building_a_mask_takes_linear_time_in_the_size_of_its_secrets() {
    let of = |bytes: usize, long: usize| {
        let values: Vec<String> =
            (0..bytes / long).map(|number| format!("{:0long$}", number * 7919)).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let spent = || {
            let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            std::time::Duration::try_from(spent).unwrap()
        };
        let build = || {
            let began = spent();
            let mask = mask(&values);
            assert!(!mask.finder().is_empty());
            spent().saturating_sub(began).as_secs_f64()
        };
        (0..3).map(|_| build()).fold(f64::MAX, f64::min)
    };
    for long in [10, 100, 8000] {
        let (small, large) = (of(8_000, long), of(64_000, long));
        assert!(large < 8.0 * small * 4.0, "{large} s, but {small} s for an eighth, {long} bytes each");
    }
}
