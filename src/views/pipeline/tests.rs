//! Pipelines as text and Markdown: what only unusual states show.

use insta::assert_snapshot;

use super::*;
use crate::domain::StageName;
use crate::plan::{HoldReason, HoldScope};
use crate::views::Style;
use crate::views::fixture::sha;

fn link(id: &str, live: Option<char>, behind: Option<usize>) -> PipelineLink {
    PipelineLink {
        link: id.parse().unwrap(),
        live: live.map(sha),
        behind,
        next: None,
        running: None,
        hold: None,
        pinned: None,
        missing: Vec::new(),
        tests: None,
    }
}

fn stage(name: &str, after: &[&str], waves: Vec<Vec<PipelineLink>>) -> PipelineStage {
    PipelineStage {
        name: StageName::new(name).unwrap(),
        after: after.iter().map(|name| StageName::new(*name).unwrap()).collect(),
        need: None,
        take: Take::Newest,
        source: StageSource::Branch,
        waves,
    }
}

fn pipeline() -> PipelineStatus {
    let lacks = Missing {
        stage: StageName::new("beta").unwrap(),
        links: vec!["beta-a/shop".parse().unwrap(), "beta-b/shop".parse().unwrap()],
        need: 1,
        wave: None,
        skipped: Vec::new(),
        soaking: Vec::new(),
    };
    let waits = PipelineLink { missing: vec![lacks], ..link("prod-eu/shop", Some('a'), Some(3)) };
    let running = PipelineLink { running: Some(sha('c')), ..link("beta-a/shop", Some('b'), Some(1)) };
    let next = PipelineLink { next: Some(sha('c')), ..link("beta-b/shop", Some('b'), Some(1)) };
    let reason = HoldReason::LeftBranch { live: sha('f'), next: Some(sha('b')), branch: "main".to_owned() };
    let hold = Hold { scope: HoldScope::Link, reason, hint: None, until: None };
    let left = PipelineLink { hold: Some(hold), ..link("prod-us/shop", Some('f'), None) };
    let beta = stage("beta", &[], vec![vec![running, next]]);
    let qa = stage("qa", &[], vec![vec![link("qa/shop", None, None)]]);
    let prod = stage("prod", &["beta", "qa"], vec![vec![waits], vec![left]]);
    let place = |id: &str, state| (id.parse().unwrap(), state);
    PipelineStatus {
        name: "shop".parse().unwrap(),
        repo: "shop".parse().unwrap(),
        branch: "main\u{1b}[2J".to_owned(),
        stages: vec![beta, qa, PipelineStage { need: Some(1), take: Take::Each, ..prod }],
        commits: vec![
            PipelineCommit {
                sha: sha('c'),
                subject: Some("Sell | hats <img src=x> \u{202e}to @all".to_owned()),
                author: Some("Ana\u{7}".to_owned()),
                places: vec![
                    place("beta-a/shop", CommitState::Running),
                    place("beta-b/shop", CommitState::Candidate),
                    place("prod-eu/shop", CommitState::Held),
                ],
            },
            PipelineCommit {
                sha: sha('b'),
                subject: None,
                author: None,
                places: vec![
                    place("beta-a/shop", CommitState::Live),
                    place("beta-b/shop", CommitState::Live),
                    place("prod-eu/shop", CommitState::Failed),
                ],
            },
        ],
        left_out: 2,
        problem: None,
    }
}

#[test]
fn what_comes_from_repositories_is_shown_literally() {
    let pipelines = [pipeline()];
    let style = Style { colour: false, width: 80 };
    assert_snapshot!(PipelineText { pipelines: &pipelines, style }, @r"
    shop: repository `shop`, branch `main␛[2J`

    beta, from the branch
      beta-a/shop   bbbbbbbbbb  live, 1 behind; cccccccccc is running
      beta-b/shop   bbbbbbbbbb  live, 1 behind; next is cccccccccc

    qa, from the branch
      qa/shop       -           nothing is live

    prod, after beta and qa (1 of its links suffices), each commit in turn
      wave 1
      prod-eu/shop  aaaaaaaaaa  live, 3 behind; the newest needs 1 more of
                                `beta-a/shop`, `beta-b/shop` (stage `beta`) to
                                verify it
      wave 2
      prod-us/shop  ffffffffff  ffffffffff, which is live, is no longer on the
                                branch `main`; bbbbbbbbbb may replace it

    cccccccccc  Sell | hats <img src=x> \u{202e}to @all (Ana␇)
                running in beta-a/shop; next in beta-b/shop; not yet in prod-eu/shop
    bbbbbbbbbb  (not on this machine)
                live in beta-a/shop, beta-b/shop; failed in prod-eu/shop
    2 commits are left out; `--commits N` lists more.
    ");
    assert_snapshot!(PipelineMarkdown { pipelines: &pipelines }, @r#"
    ### <code>shop</code>

    ```mermaid
    flowchart LR
      subgraph s0 ["beta"]
        l0_0["beta-a/shop<br>bbbbbbbbbb, 1 behind<br>running cccccccccc"]
        l0_1["beta-b/shop<br>bbbbbbbbbb, 1 behind<br>next cccccccccc"]
      end
      subgraph s1 ["qa"]
        l1_0["qa/shop<br>nothing is live"]
      end
      subgraph s2 ["prod"]
        l2_0["prod-eu/shop<br>aaaaaaaaaa, 3 behind"]
        l2_1["prod-us/shop<br>ffffffffff"]
      end
      s0 --> s2
      s1 --> s2
    ```

    | commit | subject | where |
    |---|---|---|
    | <code>cccccccccc</code> | <code>Sell &#124; hats &#60;img src=x&#62; &#92;u&#123;202e&#125;to &#64;all</code> | running in <code>beta-a/shop</code>; next in <code>beta-b/shop</code>; not yet in <code>prod-eu/shop</code> |
    | <code>bbbbbbbbbb</code> |  | live in <code>beta-a/shop</code>, <code>beta-b/shop</code>; failed in <code>prod-eu/shop</code> |
    "#);
}

#[test]
fn nothing_is_wider_than_a_narrow_terminal() {
    let pipelines = [pipeline()];
    let style = Style { colour: false, width: 60 };
    let text = PipelineText { pipelines: &pipelines, style }.to_string();
    let widest = text.lines().map(crate::views::terminal::columns).max();
    assert!(widest <= Some(60), "{text}");
}
