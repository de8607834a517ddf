//! The manifest that `katkit init` writes.

use crate::domain::TenantName;

/// Where a new manifest stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The way to the root of the repository.
    pub url: String,
    /// The branch to follow.
    pub branch: String,
    /// The folder of the service in the repository; empty for its root.
    pub folder: String,
    /// Whether there is a service description, without which nothing can be deployed.
    pub deploys: bool,
    /// The environments, at least one. Several share the link by a template.
    pub tenants: Vec<TenantName>,
}

/// A manifest to start with: it can be used as it is, and says in comments what else there is.
pub fn template(surroundings: &Surroundings) -> String {
    let Surroundings { url, branch, folder, deploys, tenants } = surroundings;
    let text = |text: &str| toml_edit::Value::from(text).to_string();
    let rest = if *deploys { DEPLOYS } else { DOES_NOT_DEPLOY };
    let tenant = |template: &str, name: &TenantName| {
        template.replace("@TENANT@", name.as_str()).replace("@ENV@", &name.as_str().to_uppercase())
    };
    let tenants = match tenants.as_slice() {
        [] => String::new(),
        [one] => tenant(ONE_TENANT, one),
        [.., last] => {
            let each: String = tenants.iter().map(|name| tenant(TENANT, name)).collect();
            format!("{SHARED_LINK}{each}{}", tenant(OVERRIDES, last))
        }
    };
    TEMPLATE
        .replace("@TENANTS@", &tenants)
        .replace("@URL@", &format!("{:<32}", format!("url = {}", text(url))))
        .replace("@BRANCH@", &format!("branch = {}", text(branch)))
        .replace("@FOLDER@", &format!("{:<32}", format!("folder = {}", text(folder))))
        .replace("@REST@", rest)
}

/// The phases behind the build where there is something to deploy.
const DEPLOYS: &str = r#"  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, variables = { PHASE = "verify" }, retries = 1 },
]
# What happens to what was deployed when `verify` fails: "hold" leaves it, "rollback" deploys the last verified commit.
on-failure = "hold""#;

/// The same where there is nothing yet.
const DOES_NOT_DEPLOY: &str = r#"  # Once the folder has a `servicedescription/servicedescription.js`:
  # { name = "deploy", order = 1, kind = "deployment" },
  # { name = "verify", order = 2, variables = { PHASE = "verify" }, retries = 1 },
]
# What happens to what was deployed when a phase after it fails: "hold" leaves it, "rollback" brings back what was before.
# on-failure = "hold""#;

const TEMPLATE: &str = r#"# What should run where. `katkit plan` shows what is missing, `katkit apply` does it.
# `katkit schema > katkit.schema.json` describes every key: with `#:schema ./katkit.schema.json` as the first line of this
# file, editors complete and check it.
version = 1

# Teams can keep their tenants in files of their own.
# include = ["tenants/*.toml"]

# The repositories that are deployed. The URL is anything that `git clone` takes; a path is relative to this file.
[repos.app]
@URL@    # or "https://github.com/acme/app.git", "git@github.com:acme/app.git"
@BRANCH@

# The phases that a commit goes through, in ascending order; those of the same order run at the same time.
# A phase runs `ci.sh` in the link's folder, or its own `run`. The deployment puts the commit's sha where the
# `DockerImage` of a role in `servicedescription/servicedescription.js` says `<hubtag>`, and rolls those services.
# A link without a workflow uses the repository's `katkitconfig.js`.
[workflows.standard]
phases = [
  { name = "build", order = 0, variables = { PHASE = "build" }, timeout = "20m" },
@REST@

# Where phases run. Without any fleet, they run as processes on this machine.
# [fleets.shared]
# kind = "docker"
# image = "zbuilder:v7"             # for phases that name none
# docker-socket = true              # mount /var/run/docker.sock
# caches = ["/root/.m2"]            # kept between phases

@TENANTS@"#;

/// The tenant that has the only link.
const ONE_TENANT: &str = r#"# An environment. Phases see its name as ENV.
[tenants.@TENANT@]
environment = "@ENV@"
# fleet = "shared"
# platform = { kind = "ecs", cluster = "@TENANT@" }    # left out: as files, under .katkit/platform
# variables = { REGION = "eu-central-1" }
# secrets = { DOCKER_PASS = "env:DOCKER_PASS" }   # or "file:…", "arn:aws:secretsmanager:…", "arn:aws:ssm:…"

[tenants.@TENANT@.links.app]
repo = "app"
@FOLDER@    # of the service in the repository; empty for its root
workflow = "standard"
@BRANCH@
# Instead of the branch, one commit: sha = "…", all 40 digits; `katkit set @TENANT@/app SHA` writes it.
# skip = ["verify"]
"#;

/// What several tenants have in common.
const SHARED_LINK: &str = r#"# A link that several tenants have: each that uses the template gets a link of its name.
[templates.app]
repo = "app"
@FOLDER@    # of the service in the repository; empty for its root
workflow = "standard"
@BRANCH@
"#;

/// One of several tenants.
const TENANT: &str = r#"
[tenants.@TENANT@]
environment = "@ENV@"    # phases see it as ENV
use = ["app"]
# fleet = "shared"
# platform = { kind = "ecs", cluster = "@TENANT@" }    # left out: as files, under .katkit/platform
"#;

/// How a tenant differs, and where to write what it has for itself.
const OVERRIDES: &str = r#"
# What is different in one tenant stands in a table of the link's own. `katkit validate --expand` shows what that makes;
# `katkit set @TENANT@/app SHA` writes the commit.
# [tenants.@TENANT@.links.app]
# sha = "…"                         # all 40 digits, instead of the branch
# skip = ["verify"]
"#;
