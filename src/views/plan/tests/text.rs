//! The text of a plan.

use insta::assert_snapshot;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::views::plan::PlanText;
use crate::views::terminal::{Style, columns, is_deceptive};

fn text(plan: &Plan) -> String {
    PlanText { plan, style: Style::default() }.to_string()
}

/// `text` without colour codes.
fn stripped(text: &str) -> String {
    let mut rest = text;
    let mut plain = String::new();
    while let Some((before, code)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = code.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[test]
fn a_commit_on_its_way_through_a_workflow() {
    assert_snapshot!(text(&plan(vec![ordinary("dev/shop")])), @r#"
    dev/shop  1111111111 → 2222222222, 17 commits
      + run build      not run yet
      + run lint       not run yet, at the same time as `build`
      · skip scan      by the manifest
      ~ deploy         `web`
          @@ -4 +4 @@
          ~ "DockerImage": "acme/web:
                [-1111111111111111111111111111111111111111-]
                {+2222222222222222222222222222222222222222+}",
          aaaaaaaaaa change a (Ann Lee)
          bbbbbbbbbb change b (Ann Lee)
          cccccccccc change c (Ann Lee)
          dddddddddd change d (Ann Lee)
          eeeeeeeeee change e (Ann Lee)
          … and 12 more
      + run verify ×4  not run yet

    Plan: 1 link to change (3 phases, 1 deployment), 9 up to date.
    "#);
}

#[test]
fn every_kind_of_step() {
    assert_snapshot!(text(&plan(vec![every_step()])), @r#"
    dev/shop  1111111111 → 2222222222
      ~ grant            ann asked to retry 2222222222 from `build` (flaky network)
      ~ grant            ann asked to skip `verify` of 2222222222
      ~ grant            ann asked to cancel the run for 2222222222
      ~ grant            ann asked to roll back from 2222222222 to 1111111111
      ~ grant            ann asked to allow deploying 2222222222
      - refuse           ann asked to cancel the run for 1111111111: no run is in
                         progress
      - recover build    attempt 2: remove what is left of its service
      ~ finalize         the interrupted deployment of 2222222222
      - release          the lease left by ana (process 7 on h)
      ~ end run          for 1111111111: it is no longer wanted
      ~ adopt            3333333333 as is, not deployed by katkit: `web` runs
                         `acme/web:3333333333333333333333333333333333333333`
      ~ start over       with a new run for 2222222222
      · skip verify      by the manifest, in the run for 2222222222
      + run build        retry
      + run unit ×2      its last attempt was lost
      + run integration  its last attempt was interrupted
      + run browser ×16  takes over attempt 2, which is in flight
      ~ repair           2222222222 was deployed, but something else is running
          @@ -4 +4 @@
          ~ "DockerImage": "acme/web:
                [-1111111111111111111111111111111111111111-]
                {+2222222222222222222222222222222222222222+}",
      ~ quarantine       2222222222: it lost orders
      ~ roll back        `web`
          @@ -4 +4 @@
          ~ "DockerImage": "acme/web:
                [-1111111111111111111111111111111111111111-]
                {+2222222222222222222222222222222222222222+}",
      - forget           the link left the manifest; running services are left alone
      ~ move             `old/shop` is now `dev/shop`; its record moves along
      · skip smoke       by the manifest

    Plan: 1 link to change (4 phases, 2 deployments, 1 to adopt, 1 to forget, 1 to
    recover), 9 up to date.
    "#);
}

#[test]
fn every_kind_of_hold() {
    assert_snapshot!(text(&plan(vec![every_hold("dev/shop")])), @"
    dev/shop  1111111111 → 2222222222
      ! held: `build` failed for 2222222222: exit code 3
          hint: `katkit why dev/shop` shows the log; `katkit retry dev/shop` tries
                again from `build`
      ! held: the run for 2222222222 was cancelled by bob (wrong branch) at
              2026-01-02 03:04 UTC
          hint: `katkit retry dev/shop` resumes it
      ! held: ann (process 7 on laptop) is working on it
          hint: wait for it, or `katkit cancel dev/shop`
      ! held: 2222222222 has been quarantined since 2026-01-02 03:04 UTC: it lost
              orders
      ! held: the record of `old/shop`, which is moved here, is in use: ann (process
              7 on laptop) is working on it
          hint: wait for it, then apply again
      ! held: the last deployment window of the policy `office` has passed
      ! error: branch `man` is not in the repository
          hint: `git ls-remote` shows which there are
      · note: the workflow was edited

    Plan: nothing to change, 1 held, 1 could not be planned, 9 up to date.
    ");
}

#[test]
fn what_waits_at_a_gate() {
    assert_snapshot!(text(&plan(vec![waiting("dev/shop"), drifted("dev/web")])), @"
    dev/shop  1111111111 → 2222222222
      + run build  not run yet
      · skip scan  by the manifest
      ! held: `deploy` waits: the policy `office` freezes deployments until Mon
              2026-01-05 08:00 UTC: it is Friday
          hint: wait until Monday

    dev/web  1111111111 → 2222222222
      ! held: the repair waits: the policy `office` freezes deployments until Mon
              2026-01-05 08:00 UTC: it is Friday
          hint: wait until Monday

    Plan: 1 link to change (1 phase), 2 held, 9 up to date.
    ");
}

#[test]
fn orphaned_services() {
    let plan = Plan { sweeps: (0..23).map(orphan).collect(), ..plan(Vec::new()) };
    let text = text(&plan);
    assert_snapshot!(text.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    23 orphaned services
      - remove /var/tmp/katkit/0000 from fleet shared, left by dev/shop
      - remove /var/tmp/katkit/0001 from fleet shared
    ");
    assert!(text.contains("\n  … and 3 more\n"), "{text}");
    assert!(
        text.ends_with("Plan: nothing to change, 23 orphaned services to remove, 9 up to date.\n"),
        "{text}"
    );
}

#[test]
fn nothing_to_do_is_one_line() {
    let nothing = |up_to_date| text(&Plan { up_to_date, ..plan(Vec::new()) });
    assert_eq!(nothing(12), "Nothing to do: 12 links are up to date.\n");
    assert_eq!(nothing(1), "Nothing to do: 1 link is up to date.\n");
    assert_eq!(nothing(0), "Nothing to do: no links affected.\n");
}

#[test]
fn a_note_alone_leaves_a_link_up_to_date() {
    let note =
        "workflow `standard` was edited after the run for 2222222222; the edit applies from the next sha";
    let link =
        LinkPlan { notes: vec![note.to_owned()], deployed: Some(sha('2')), ..link("dev/shop", Vec::new()) };
    assert_snapshot!(text(&plan(vec![link])), @r"
    dev/shop  at 2222222222
      · note: workflow `standard` was edited after the run for 2222222222; the edit
              applies from the next sha

    Nothing to do: 10 links are up to date.
    ");
}

#[test]
fn a_link_that_was_never_deployed_and_one_that_cannot_be_resolved() {
    let fresh =
        LinkPlan { deployed: None, ..link("dev/new", vec![run("build", 0, 1, StepReason::NotRunYet)]) };
    let lost = LinkPlan { want: None, ..link("dev/old", vec![Step::Forget]) };
    let unknown = LinkPlan {
        want: None,
        deployed: None,
        holds: every_hold("dev/x").holds.split_off(4),
        ..link("dev/x", Vec::new())
    };
    assert_snapshot!(text(&plan(vec![fresh, lost, unknown])), @"
    dev/new  → 2222222222
      + run build  not run yet

    dev/old  at 1111111111
      - forget  the link left the manifest; running services are left alone

    dev/x
      ! held: the record of `old/shop`, which is moved here, is in use: ann (process
              7 on laptop) is working on it
          hint: wait for it, then apply again
      ! held: the last deployment window of the policy `office` has passed
      ! error: branch `man` is not in the repository
          hint: `git ls-remote` shows which there are

    Plan: 2 links to change (1 phase, 1 to forget), 1 held, 1 could not be planned,
    9 up to date.
    ");
}

#[test]
fn a_deployment_of_several_roles_shows_its_order_and_rollback() {
    let mut step = deployment(DeployPurpose::Upgrade);
    step.images.push(ImageChange { role: "worker".to_owned(), from: None, to: "acme/worker:2".to_owned() });
    step.phase = Some(phase_name("ROLL_OUT"));
    step.diff = String::new();
    step.strategy = Strategy::Together;
    let back = DeployStep { to: sha('1'), ..deployment(DeployPurpose::Rollback) };
    let link = LinkPlan { on_failure: Some(back), ..link("dev/shop", vec![Step::Deploy(Box::new(step))]) };
    assert_snapshot!(text(&plan(vec![link])), @r"
    dev/shop  1111111111 → 2222222222
      ~ deploy ROLL_OUT  `web` and `worker` together; rolls back to 1111111111 if a
                         later phase fails
          web: acme/web:1111111111111111111111111111111111111111 →
            acme/web:2222222222222222222222222222222222222222
          worker: nothing → acme/worker:2

    Plan: 1 link to change (1 deployment), 9 up to date.
    ");
}

#[test]
fn a_long_diff_is_cut_and_says_so() {
    let diff = "--- a/s\n+++ b/s\n@@ -0,0 +1,300 @@\n".to_owned() + &"+x\n".repeat(300);
    let step = DeployStep { diff, ..deployment(DeployPurpose::Repair) };
    let text = text(&plan(vec![link("dev/shop", vec![Step::Deploy(Box::new(step))])]));
    assert_eq!(text.matches("\n      + x").count(), 199);
    assert!(text.contains("\n      … and 101 more lines of the diff\n"), "{text}");
}

#[test]
fn five_hundred_equal_links_are_shown_once() {
    let plan = many(500);
    let text = text(&plan);
    assert_eq!(text.matches("run verify ×4").count(), 1);
    assert!(
        text.starts_with("500 links  1111111111 → 2222222222, 17 commits\n    tenant-0/shop tenant-1/shop "),
        "{text}"
    );
    for id in ids(&plan) {
        assert!(text.split_whitespace().any(|word| word == id.to_string()), "{id}");
    }
    assert!(text.contains("`katkit why LINK` shows the log; `katkit retry LINK` tries"), "{text}");
    assert!(text.lines().count() < 160, "{text}");
}

#[test]
fn links_that_differ_are_shown_apart() {
    let other = LinkPlan { notes: vec!["different".to_owned()], ..ordinary("b/shop") };
    let text = text(&plan(vec![ordinary("a/shop"), other, ordinary("c/shop")]));
    let headings: Vec<_> =
        text.lines().filter(|line| !line.starts_with("  ") || line.contains("a/shop")).collect();
    assert_snapshot!(headings.join("\n"), @r"
    2 links  1111111111 → 2222222222, 17 commits
        a/shop c/shop

    b/shop  1111111111 → 2222222222, 17 commits

    Plan: 3 links to change (9 phases, 3 deployments), 9 up to date.
    ");
}

#[test]
fn no_line_is_wider_than_the_terminal_but_for_a_sha_in_a_diff() {
    let name = "n".repeat(64);
    let long = LinkPlan {
        notes: vec!["word ".repeat(60), "x".repeat(300)],
        ..every_hold(&format!("{name}/{name}"))
    };
    let phase = run(&"ü修 ".repeat(20), 0, 4, StepReason::InFlight { attempt: AttemptNumber(12) });
    let mut commits = deployment(DeployPurpose::Upgrade);
    commits.commits = vec![commit('a', &"long subject ".repeat(20)), commit('b', &"修".repeat(100))];
    let wide = link("dev/wide", vec![phase, Step::Deploy(Box::new(commits))]);
    let plans = [all_kinds(), hostile(), many(500), plan(vec![long, wide])];
    for width in [80, 60, 40, 0] {
        for plan in &plans {
            let text = PlanText { plan, style: Style { colour: false, width } }.to_string();
            for line in text.lines() {
                let is_sha = line.contains("[-111") || line.contains("{+222");
                assert!(
                    is_sha && width <= 40 || columns(line) <= width.max(Style::NARROWEST),
                    "{width}: {line}"
                );
                assert_eq!(line, line.trim_end());
            }
        }
    }
}

#[test]
fn untrusted_text_cannot_control_the_terminal() {
    let text = text(&hostile());
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || is_deceptive(c)), "{text:?}");
    let lines: Vec<_> = text.lines().filter(|line| line.contains('␛')).map(str::trim).collect();
    assert!(lines.iter().any(|line| line.starts_with('~') && line.contains("]0;x␇")), "{lines:#?}");
    // Only real steps begin where steps begin, never untrusted text.
    let marks = text.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let marks: Vec<_> =
        marks.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        marks,
        [
            "- refuse",
            "~ adopt",
            "~ quarantine",
            "+ run",
            "~ deploy",
            "~ deploy",
            "! error:",
            "! held:",
            "· note:",
            "- remove"
        ]
    );
}

proptest! {
    #[test]
    fn colours_add_nothing_but_colours(subject in any::<String>(), note in any::<String>(), width in 0_usize..120) {
        let mut plan = all_kinds();
        plan.links[0].notes.push(note);
        let deploy = DeployStep { commits: vec![commit('a', &subject)], ..deployment(DeployPurpose::Upgrade) };
        plan.links[0].steps.push(Step::Deploy(Box::new(deploy)));
        let show = |colour| PlanText { plan: &plan, style: Style { colour, width } }.to_string();
        prop_assert!(show(true).contains("\x1b[32m+\x1b[0m run"));
        prop_assert_eq!(stripped(&show(true)), show(false));
    }
}
