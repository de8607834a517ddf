//! The manifest that `katkit init` writes.

use crate::domain::TenantName;

/// The surroundings of a new manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitContext {
    /// The path to the root of the repository.
    pub url: String,
    /// The branch to follow.
    pub branch: String,
    /// The folder of the service in the repository; empty for the root.
    pub folder: String,
    /// Whether there is a service description, which a deployment needs.
    pub deploys: bool,
    /// The environments, at least one. Several share the link through a template.
    pub tenants: Vec<TenantName>,
}

/// A manifest to start with: it works as it is, and its comments show what else is possible.
pub fn template(context: &InitContext) -> String {
    let InitContext { url, branch, folder, deploys, tenants } = context;
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

/// The phases after the build, if there is something to deploy.
const DEPLOYS: &str = r#"  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, variables = { PHASE = "verify" }, retries = 1 },
]
# If `verify` fails after the deployment: "hold" leaves the commit deployed, "rollback" deploys the last verified one.
on-failure = "hold""#;

/// The same, if there is nothing to deploy yet.
const DOES_NOT_DEPLOY: &str = r#"  # Once the folder has a `servicedescription/servicedescription.js`:
  # { name = "deploy", order = 1, kind = "deployment" },
  # { name = "verify", order = 2, variables = { PHASE = "verify" }, retries = 1 },
]
# If a phase fails after the deployment: "hold" leaves the commit deployed, "rollback" deploys the last verified one.
# on-failure = "hold""#;

const TEMPLATE: &str = r#"# What should run where. `katkit plan` shows what is missing; `katkit apply` carries it out.
# `katkit schema > katkit.schema.json` describes every key: with `#:schema ./katkit.schema.json` as the first line of this
# file, editors complete and check it.
version = 1

# Teams can keep their tenants in separate files.
# include = ["tenants/*.toml"]

# The repositories to deploy. The URL is anything that `git clone` accepts; a path is relative to this file.
[repos.app]
@URL@    # or "https://github.com/acme/app.git", "git@github.com:acme/app.git"
@BRANCH@

# The phases that a commit runs through, in ascending order; phases of the same order run at the same time.
# A phase runs `ci.sh` in the link's folder, or its own `run`. The deployment puts the commit's sha where the
# `DockerImage` of a role in `servicedescription/servicedescription.js` says `<hubtag>`, and rolls those services.
# A link without a workflow uses the `katkitconfig.js` in the repository.
[workflows.standard]
phases = [
  { name = "build", order = 0, variables = { PHASE = "build" }, timeout = "20m" },
@REST@

# Where phases run. Without a fleet, they run as processes on this machine.
# [fleets.shared]
# kind = "docker"
# image = "zbuilder:v7"             # for phases without an image
# docker-socket = true              # mount /var/run/docker.sock
# caches = ["/root/.m2"]            # kept between phases

@TENANTS@"#;

/// The only tenant, with its link.
const ONE_TENANT: &str = r#"# An environment. Phases see its name as ENV.
[tenants.@TENANT@]
environment = "@ENV@"
# fleet = "shared"
# platform = { kind = "ecs", cluster = "@TENANT@" }    # default: files under .katkit/platform
# variables = { REGION = "eu-central-1" }
# secrets = { DOCKER_PASS = "env:DOCKER_PASS" }   # or "file:…", "arn:aws:secretsmanager:…", "arn:aws:ssm:…"

[tenants.@TENANT@.links.app]
repo = "app"
@FOLDER@    # of the service in the repository; empty for its root
workflow = "standard"
@BRANCH@
# To pin a commit instead of the branch: sha = "…", all 40 digits; `katkit set @TENANT@/app SHA` writes it.
# skip = ["verify"]
"#;

/// The template that several tenants use.
const SHARED_LINK: &str = r#"# A link that several tenants share: each tenant that uses the template gets a link with its name.
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
# platform = { kind = "ecs", cluster = "@TENANT@" }    # default: files under .katkit/platform
"#;

/// How a tenant overrides keys of the template.
const OVERRIDES: &str = r#"
# A tenant overrides keys of the template in a table for its link. `katkit validate --expand` shows the result;
# `katkit set @TENANT@/app SHA` writes the commit.
# [tenants.@TENANT@.links.app]
# sha = "…"                         # all 40 digits, instead of the branch
# skip = ["verify"]
"#;
