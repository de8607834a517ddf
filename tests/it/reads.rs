//! The read commands as a user sees them: `status`, `why`, `logs`, `artifacts` and `history`.

mod artifacts;
mod awaiting;
mod completing;
mod follow;
mod history;
mod logs;
mod record;
mod running;
mod several_logs;
mod watching;

use crate::world::{ONE_LINK, World};

/// A snapshot without what changes from run to run: ages, seconds, processes and hosts.
macro_rules! assert_shown {
    ($shown:expr, @$snapshot:literal) => {
        insta::with_settings!({ filters => vec![
            (r"\b(just now|\d+[smh] ago)", "<ago>"),
            (r"\b\d\d:\d\d:\d\d\b", "<clock>"),
            (r"process \d+ on [^)\s]+", "process <pid> on <host>"),
            (r"as `[0-9a-f]{32}`", "as `<id>`"),
        ] }, { insta::assert_snapshot!($shown, @$snapshot) })
    };
}
pub(crate) use assert_shown;

/// Build, deploy, and a `verify` with two replicas; the second fails at the commit `bad`, which follows
/// `good`.
fn one_failure() -> World {
    let mut world = World::shop_with(
        r#"  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, parallelism = 2 },"#,
    )
    .applied();
    let script = "echo \"$KATKIT_PHASE $REPLICA_ID\"\n\
        if [ \"$KATKIT_PHASE$REPLICA_ID\" = verify1 ]; then echo '2 of 40 tests failed' >&2; exit 3; fi\n";
    world.change("shop", |repo| repo.ci(script).commit("bad"));
    assert_eq!(world.run(["apply"]).code, 1);
    world
}

/// Shell code that waits for a file which the test creates below `out`.
fn waits_for(name: &str) -> String {
    format!("while [ ! -e @OUT@/{name} ]; do sleep 0.01; done\n")
}

/// A repository with this `ci.sh` at the commit `first`, and one link whose workflow has these phases.
fn shop_running(script: &str, phases: &str) -> World {
    World::new()
        .repo("shop", |repo| repo.ci(script).description("acme/web:<hubtag>").commit("first"))
        .manifest(&format!("{ONE_LINK}\n[workflows.standard]\nphases = [{phases}]\n"))
}

/// A workflow with only a build.
const BUILD: &str = "{ name = \"build\", order = 0 }";
