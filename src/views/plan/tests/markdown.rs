//! The Markdown of a plan.

use insta::assert_snapshot;
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::*;
use crate::views::plan::PlanMarkdown;
use crate::views::terminal::is_deceptive;

fn markdown(plan: &Plan) -> String {
    PlanMarkdown { plan }.to_string()
}

/// A rendered comment.
#[derive(Default)]
struct Rendered {
    /// The visible text.
    seen: String,
    /// The visible text outside code, where GitHub looks for mentions.
    prose: String,
    /// The HTML in it.
    tags: Vec<String>,
}

/// Panics at markup that katkit never writes: links, images, quotes, other headings, other tags.
fn rendered(text: &str) -> Rendered {
    let mut page = Rendered::default();
    let mut code = false;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) => {
                page.seen.push_str(&text);
                page.prose.push_str(if code { "" } else { &text });
            }
            Event::Code(code) => page.seen.push_str(&code),
            Event::Html(html) | Event::InlineHtml(html) => {
                for tag in html.split('<').skip(1) {
                    let tag = tag.split('>').next().unwrap();
                    let ours = ["details", "/details", "summary", "/summary", "code", "/code"];
                    assert!(ours.contains(&tag), "<{tag}> in {text}");
                    code = tag == "code";
                    page.tags.push(tag.to_owned());
                }
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) if &*language == "diff" => {
                code = true;
            }
            Event::End(TagEnd::CodeBlock) => code = false,
            Event::Start(
                Tag::Heading { level: HeadingLevel::H3, .. }
                | Tag::Paragraph
                | Tag::Strong
                | Tag::List(None)
                | Tag::Item
                | Tag::Table(_)
                | Tag::TableHead
                | Tag::TableRow
                | Tag::TableCell
                | Tag::HtmlBlock,
            )
            | Event::End(_)
            | Event::SoftBreak => {}
            other => panic!("{other:?} in {text}"),
        }
    }
    page
}

fn count(tags: &[String], tag: &str) -> usize {
    tags.iter().filter(|one| *one == tag).count()
}

#[test]
fn a_commit_on_its_way_through_a_workflow() {
    assert_snapshot!(markdown(&plan(vec![ordinary("dev/shop")])), @r#"
    ### katkit plan

    **Plan: 1 link to change (3 phases, 1 deployment), 9 up to date.**

    | Link | Commit | Phases | Deployment | Held |
    | --- | --- | --- | --- | --- |
    | <code>dev/shop</code> | 1111111111 → 2222222222 | <code>build</code>, <code>lint</code>, <code>verify</code> ×4 | deploy |  |

    <details><summary><code>dev/shop</code></summary>

    1111111111 → 2222222222

    - **run** <code>build</code>: not run yet
    - **run** <code>lint</code>: not run yet, at the same time as <code>build</code>
    - **skip** <code>scan</code>: by the manifest
    - **deploy**: <code>web</code>
      - <code>web</code>: <code>acme/web&#58;1111111111111111111111111111111111111111</code> → <code>acme/web&#58;2222222222222222222222222222222222222222</code>

    ```diff
    @@ -4 +4 @@
    ! "DockerImage": "acme/web:
          [-1111111111111111111111111111111111111111-]
          {+2222222222222222222222222222222222222222+}",
    ```

    - `aaaaaaaaaa` <code>change a</code> by <code>Ann Lee</code>
    - `bbbbbbbbbb` <code>change b</code> by <code>Ann Lee</code>
    - `cccccccccc` <code>change c</code> by <code>Ann Lee</code>
    - `dddddddddd` <code>change d</code> by <code>Ann Lee</code>
    - `eeeeeeeeee` <code>change e</code> by <code>Ann Lee</code>
    - `ffffffffff` <code>change f</code> by <code>Ann Lee</code>
    - `ffffffffff` <code>change g</code> by <code>Ann Lee</code>
    - … and 10 more commits
    - **run** <code>verify</code> ×4: not run yet

    </details>
    "#);
}

#[test]
fn what_waits_at_a_gate() {
    assert_snapshot!(markdown(&plan(vec![waiting("dev/shop")])), @"
    ### katkit plan

    **Plan: 1 link to change (1 phase), 1 held, 9 up to date.**

    | Link | Commit | Phases | Deployment | Held |
    | --- | --- | --- | --- | --- |
    | <code>dev/shop</code> | 1111111111 → 2222222222 | <code>build</code> |  | <code>deploy</code> waits&#58; the policy <code>office</code> freezes deployments until Mon 2026-01-05 08&#58;00 UTC&#58; it is Friday |

    <details><summary><code>dev/shop</code></summary>

    1111111111 → 2222222222

    - **run** <code>build</code>: not run yet
    - **skip** <code>scan</code>: by the manifest
    - **held**: <code>deploy</code> waits&#58; the policy <code>office</code> freezes deployments until Mon 2026-01-05 08&#58;00 UTC&#58; it is Friday
      - hint: wait until Monday

    </details>
    ");
}

#[test]
fn every_kind_of_step_and_hold() {
    let plan =
        Plan { sweeps: vec![orphan(0), orphan(1)], ..plan(vec![every_step(), every_hold("prod/shop")]) };
    assert_snapshot!(markdown(&plan), @r#"
    ### katkit plan

    **Plan: 1 link to change (4 phases, 2 deployments, 1 to adopt, 1 to forget, 1 to recover), 2 orphaned services to remove, 1 held, 1 could not be planned, 9 up to date.**

    | Link | Commit | Phases | Deployment | Held |
    | --- | --- | --- | --- | --- |
    | <code>dev/shop</code> | 1111111111 → 2222222222 | <code>build</code>, <code>unit</code> ×2, <code>integration</code>, <code>browser</code> ×16 | repair, roll back |  |
    | <code>prod/shop</code> | 1111111111 → 2222222222 |  |  | <code>build</code> failed for 2222222222&#58; exit code 3 |

    <details><summary><code>dev/shop</code></summary>

    1111111111 → 2222222222

    - **grant**: ann asked to retry 2222222222 from <code>build</code> &#40;flaky network&#41;
    - **grant**: ann asked to skip <code>verify</code> of 2222222222
    - **grant**: ann asked to cancel the run for 2222222222
    - **grant**: ann asked to roll back from 2222222222 to 1111111111
    - **grant**: ann asked to allow deploying 2222222222
    - **refuse**: ann asked to cancel the run for 1111111111&#58; no run is in progress
    - **recover** <code>build</code>: attempt 2&#58; remove what is left of its service
    - **finalize**: the interrupted deployment of 2222222222
    - **release**: the lease left by ana &#40;process 7 on h&#41;
    - **end run**: for 1111111111&#58; it is no longer wanted
    - **adopt**: 3333333333 as is, not deployed by katkit&#58; <code>web</code> runs <code>acme/web&#58;3333333333333333333333333333333333333333</code>
    - **start over**: with a new run for 2222222222
    - **skip** <code>verify</code>: by the manifest, in the run for 2222222222
    - **run** <code>build</code>: retry
    - **run** <code>unit</code> ×2: its last attempt was lost
    - **run** <code>integration</code>: its last attempt was interrupted
    - **run** <code>browser</code> ×16: takes over attempt 2, which is in flight
    - **repair**: 2222222222 was deployed, but something else is running
      - <code>web</code>: <code>acme/web&#58;1111111111111111111111111111111111111111</code> → <code>acme/web&#58;2222222222222222222222222222222222222222</code>

    ```diff
    @@ -4 +4 @@
    ! "DockerImage": "acme/web:
          [-1111111111111111111111111111111111111111-]
          {+2222222222222222222222222222222222222222+}",
    ```

    - **quarantine**: 2222222222&#58; it lost orders
    - **roll back**: <code>web</code>
      - <code>web</code>: <code>acme/web&#58;1111111111111111111111111111111111111111</code> → <code>acme/web&#58;2222222222222222222222222222222222222222</code>

    ```diff
    @@ -4 +4 @@
    ! "DockerImage": "acme/web:
          [-1111111111111111111111111111111111111111-]
          {+2222222222222222222222222222222222222222+}",
    ```

    - **forget**: the link left the manifest; running services are left alone
    - **move**: <code>old/shop</code> is now <code>dev/shop</code>; its record moves along
    - **skip** <code>smoke</code>: by the manifest

    </details>

    <details><summary><code>prod/shop</code></summary>

    1111111111 → 2222222222

    - **held**: <code>build</code> failed for 2222222222&#58; exit code 3
      - hint: <code>katkit why prod/shop</code> shows the log; <code>katkit retry prod/shop</code> tries again from <code>build</code>
    - **held**: the run for 2222222222 was cancelled by bob &#40;wrong branch&#41; at 2026-01-02 03&#58;04 UTC
      - hint: <code>katkit retry prod/shop</code> resumes it
    - **held**: ann &#40;process 7 on laptop&#41; is working on it
      - hint: wait for it, or <code>katkit cancel prod/shop</code>
    - **held**: 2222222222 has been quarantined since 2026-01-02 03&#58;04 UTC&#58; it lost orders
    - **held**: the record of <code>old/shop</code>, which is moved here, is in use&#58; ann &#40;process 7 on laptop&#41; is working on it
      - hint: wait for it, then apply again
    - **held**: the last deployment window of the policy <code>office</code> has passed
    - **error**: branch <code>man</code> is not in the repository
      - hint: <code>git ls-remote</code> shows which there are
    - note: the workflow was edited

    </details>

    <details><summary>Orphaned services</summary>

    - remove <code>/var/tmp/katkit/0000</code> from fleet <code>shared</code>, left by `dev/shop`
    - remove <code>/var/tmp/katkit/0001</code> from fleet <code>shared</code>

    </details>
    "#);
}

#[test]
fn nothing_to_do_is_one_line() {
    assert_snapshot!(markdown(&plan(Vec::new())), @r"
    ### katkit plan

    **Nothing to do: 9 links are up to date.**
    ");
}

#[test]
fn untrusted_text_cannot_break_out() {
    let text = markdown(&hostile());
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || is_deceptive(c)), "{text:?}");
    let Rendered { seen, prose, tags } = rendered(&text);
    for tag in ["details", "/details", "summary", "/summary"] {
        assert_eq!(count(&tags, tag), 2, "{tag}");
    }
    assert_eq!(count(&tags, "code"), count(&tags, "/code"));
    // All of it is still readable.
    for theirs in
        ["</code></details><img src=x onerror=alert(1)> | ``` @acme/all #1 [x](https://x.io)", "␊# H"]
    {
        assert!(seen.contains(theirs), "{theirs}: {seen}");
    }
    assert!(!prose.contains("@a") && !prose.contains("#1"), "a mention in {prose}");
    assert!(prose.contains("@\u{200b}acme/all #\u{200b}1"), "{prose}");
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.iter().map(|row| row.matches('|').count()).collect::<Vec<_>>(), [6, 6, 6]);
}

#[test]
fn links_with_the_same_content_share_their_details() {
    let text = markdown(&many(20));
    assert_eq!(text.lines().filter(|line| line.starts_with("| <code>tenant-")).count(), 1);
    assert_eq!(text.matches("<details>").count(), 1);
    assert!(text.contains("<code>tenant-7/shop</code> and 12 more | 1111111111 →"), "{text}");
    assert!(text.contains("<code>tenant-7/shop</code> and 12 more</summary>"), "{text}");
    assert!(text.contains("\n20 links: <code>tenant-0/shop</code> <code>tenant-1/shop</code>"), "{text}");
    assert!(text.contains(" <code>tenant-19/shop</code>\n"), "{text}");
}

#[test]
fn details_that_do_not_fit_are_left_out_at_the_end_and_mentioned() {
    let mut plan = many(100);
    for (number, link) in plan.links.iter_mut().enumerate() {
        link.notes.push(format!("a note of its own: {number}"));
    }
    plan.sweeps.push(orphan(0));
    let text = markdown(&plan);
    assert!(text.len() <= PlanMarkdown::LONGEST, "{}", text.len());
    let shown = text.matches("<details>").count();
    assert!(shown > 10, "{shown}");
    for number in 0..100 {
        assert_eq!(text.contains(&format!("a note of its own&#58; {number}\n")), number < shown, "{number}");
    }
    let missing = 100 - shown;
    let sentence = format!(
        "\nLeft out because the comment is full: the details of {missing} links and the list of 1 orphaned service. `katkit plan` shows them.\n"
    );
    assert!(text.ends_with(&sentence), "{}", &text[text.len() - 300..]);
}

#[test]
fn a_table_that_does_not_fit_is_cut_and_says_so() {
    let mut plan = many(2000);
    for (number, link) in plan.links.iter_mut().enumerate() {
        let reason = HoldReason::LeaseHeld { owner: format!("ann {number}") };
        link.holds = vec![Hold { scope: HoldScope::Link, reason, hint: None, until: None }];
    }
    let text = markdown(&plan);
    assert!(text.len() <= PlanMarkdown::LONGEST, "{}", text.len());
    let rows = text.lines().filter(|line| line.starts_with("| <code>tenant-")).count();
    assert!(rows > 100, "{rows}");
    assert!(text.contains(&format!("\nLeft out of the table: {} more links.\n", 2000 - rows)), "{rows}");
}

#[test]
fn a_huge_diff_leaves_room_for_the_rest() {
    let diff = "--- a/s\n+++ b/s\n@@ -0,0 +1,2 @@\n".to_owned()
        + &format!("+{}\n", "x".repeat(200_000))
        + &"+y\n".repeat(100_000);
    let step = DeployStep { diff, ..deployment(DeployPurpose::Repair) };
    let text = markdown(&plan(vec![link("dev/shop", vec![Step::Deploy(Box::new(step))])]));
    assert!(text.len() < 10_000, "{}", text.len());
    assert!(text.contains("… and 98") && text.contains(" more lines of the diff"), "{text}");
}

proptest! {
    // Each case is a whole comment, so unbounded shrinking takes minutes.
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_out_or_outgrows_a_comment(texts in proptest::collection::vec("(?s)(`{1,5}|</?[a-z]+>|\n|\\||@|.){0,40}", 4), times in 1_usize..40) {
        let [subject, note, why, diff] = &texts[..] else { unreachable!() };
        let deploy = DeployStep {
            commits: vec![commit('a', subject)],
            diff: format!("--- a/s\n+++ b/s\n@@ -1 +1 @@\n+{}\n", diff.replace('\n', "\n+")),
            ..deployment(DeployPurpose::Upgrade)
        };
        let steps = vec![Step::Quarantine { sha: sha('1'), why: why.repeat(times), good: None, alone: false }, Step::Deploy(Box::new(deploy))];
        let text = markdown(&plan(vec![LinkPlan { notes: vec![note.repeat(times); times], ..link("dev/shop", steps) }]));
        prop_assert!(text.len() <= PlanMarkdown::LONGEST);
        let Rendered { tags, .. } = rendered(&text);
        let sections = usize::from(!text.contains("\nLeft out because"));
        for tag in ["details", "/details", "summary", "/summary"] {
            prop_assert_eq!(count(&tags, tag), sections);
        }
    }
}
