//! The summary of an apply.

use insta::assert_snapshot;

use super::*;
use crate::domain::{AttemptNumber, Cancellation, CommitSha};

fn failed(link: &str, reason: &str, last: &str) -> LinkReport {
    let failure = Failure {
        step: FailedStep::Phase("build".parse().unwrap()),
        sha: CommitSha::new("a".repeat(40)).unwrap(),
        attempt: Some(AttemptNumber(1)),
        outcome: None,
        reason: reason.to_owned(),
        log: vec![format!("of {link}"), last.to_owned()],
        also: Vec::new(),
        rolled_back_to: None,
    };
    LinkReport { link: link.parse().unwrap(), result: LinkResult::Failed(Box::new(failure)) }
}

fn shown(links: Vec<LinkReport>) -> String {
    let summary = Summary { links, ..Summary::default() };
    let style = Style { colour: false, width: 80 };
    SummaryText { summary: &summary, elapsed: Duration::from_secs(3), style }.to_string()
}

#[test]
fn equal_failures_are_reported_once() {
    let links = vec![
        failed("dev/api", "exit code 1", "no such host"),
        failed("dev/jobs", "exit code 1", "test failed"),
        failed("dev/shop", "exit code 1", "no such host"),
        failed("dev/web", "exit code 1", "no such host"),
    ];
    assert_snapshot!(shown(links), @r"
    dev/api  `build` failed for aaaaaaaaaa (attempt 1): exit code 1
      | of dev/api
      | no such host
      same:  dev/shop, dev/web
      log:   katkit logs dev/api --phase build
      retry: katkit retry dev/api dev/shop dev/web --phase build --apply

    dev/jobs  `build` failed for aaaaaaaaaa (attempt 1): exit code 1
      | of dev/jobs
      | test failed
      log:   katkit logs dev/jobs --phase build
      retry: katkit retry dev/jobs --phase build --apply

    Applied: 0 links done, 4 failed in 3.0s.
    ");
}

#[test]
fn cancelled_and_refused_links_are_grouped_apart_from_interrupted_ones() {
    let report = |link: &str, result: LinkResult| LinkReport { link: link.parse().unwrap(), result };
    let cancelled = |why: Option<&str>| Cancellation { by: "ana".into(), why: why.map(str::to_owned) };
    let refused = || LinkResult::Refused {
        error: "the manifest names the fleet `shared`, whose engine does not answer within 10 seconds".into(),
        hint: Some("`katkit verify` shows what is wrong with it".into()),
    };
    let mut links: Vec<_> = (0..14)
        .map(|at| report(&format!("dev/s{at:02}"), LinkResult::Cancelled(cancelled(Some("wrong branch")))))
        .collect();
    links.extend([
        report("prod/api", LinkResult::Cancelled(cancelled(None))),
        report("prod/jobs", refused()),
        report("prod/shop", LinkResult::Interrupted),
        report("prod/web", refused()),
    ]);
    assert_snapshot!(shown(links), @r"
    dev/s00  the run was cancelled by ana (wrong branch)
      same:  dev/s01, dev/s02, dev/s03, dev/s04, dev/s05, dev/s06, dev/s07, dev/s08,
             dev/s09, dev/s10, dev/s11, dev/s12 and 1 more

    prod/api  the run was cancelled by ana

    prod/jobs  the manifest names the fleet `shared`, whose engine does not answer
               within 10 seconds
      same:  prod/web
      hint: `katkit verify` shows what is wrong with it

    Applied: 0 links done, 2 failed, 15 cancelled, 1 interrupted in 3.0s.
    ");
}

#[test]
fn links_whose_deployment_waits_are_grouped_and_counted_as_held() {
    let held = |link: &str| {
        let reason = "`deploy` waits: the freeze ends on 2026-01-02 at 09:00 UTC".to_owned();
        let hint = Some("`katkit why` shows details".to_owned());
        LinkReport { link: link.parse().unwrap(), result: LinkResult::Held { deployed: None, reason, hint } }
    };
    let summary = Summary { links: vec![held("prod/api"), held("prod/web")], held: 1, ..Summary::default() };
    assert!(summary.all_done(), "waiting is not a failure");
    let style = Style { colour: false, width: 80 };
    let text = SummaryText { summary: &summary, elapsed: Duration::from_secs(3), style };
    assert_snapshot!(text, @"
    prod/api  held: `deploy` waits: the freeze ends on 2026-01-02 at 09:00 UTC
      same:  prod/web
      hint: `katkit why` shows details

    Applied: 0 links done, 3 held in 3.0s.
    ");
}

#[test]
fn long_text_is_wrapped_and_paths_stay_whole() {
    let path = format!("/srv/{}katkit/blobs/dev/shop", "deep/".repeat(12));
    let mut failed = failed("dev/shop", &format!("the log could not be written to {path}: no room"), "x");
    if let LinkResult::Failed(failure) = &mut failed.result {
        failure
            .also
            .push(("lint".parse().unwrap(), format!("`{path}` could not be read: permission denied")));
    }
    let hint = Some(format!("make room at {path}, or set another location as `blobs` in the manifest"));
    let refused = LinkResult::Refused { error: format!("{path} is not a directory"), hint };
    let refused = LinkReport { link: "dev/web".parse().unwrap(), result: refused };
    assert_snapshot!(shown(vec![failed, refused]), @r"

    dev/shop  `build` failed for aaaaaaaaaa (attempt 1): the log could not be
              written to
              /srv/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/katkit/blobs/dev/shop:
              no room
      | of dev/shop
      | x
      also:  `lint` failed:
             `/srv/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/katkit/blobs/dev/shop`
             could not be read: permission denied
      log:   katkit logs dev/shop --phase build
      retry: katkit retry dev/shop --phase build --apply

    dev/web  /srv/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/katkit/blobs/dev/shop
             is not a directory
      hint: make room at
            /srv/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/deep/katkit/blobs/dev/shop,
            or set another location as `blobs` in the manifest

    Applied: 0 links done, 2 failed in 3.0s.
    ");
    let style = Style { colour: true, width: 80 };
    let summary = Summary::default();
    let text = SummaryText { summary: &summary, elapsed: Duration::ZERO, style };
    let painted = text.wrong(&"a/b".parse().unwrap(), "`x` failed:", &format!("gone from {path}"));
    let plain = painted.replace("\x1b[1ma/b\x1b[0m", "a/b").replace("\x1b[31m", "<").replace("\x1b[0m", ">");
    assert_snapshot!(plain.replace(&path, "PATH"), @r"
    a/b  `x` failed: <gone from>
         <PATH>
    ");
}

#[test]
fn hundreds_of_equal_failures_fit_on_a_screen() {
    let links = (0..300).map(|at| failed(&format!("dev/service-{at:03}"), "exit code 1", "no such host"));
    assert_snapshot!(shown(links.collect()), @r"
    dev/service-000  `build` failed for aaaaaaaaaa (attempt 1): exit code 1
      | of dev/service-000
      | no such host
      same:  dev/service-001, dev/service-002, dev/service-003, dev/service-004,
             dev/service-005, dev/service-006, dev/service-007, dev/service-008,
             dev/service-009, dev/service-010, dev/service-011, dev/service-012 and
             287 more
      log:   katkit logs dev/service-000 --phase build
      retry: katkit retry LINK... --phase build --apply

    Applied: 0 links done, 300 failed in 3.0s.
    ");
}
