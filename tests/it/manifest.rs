//! The manifest: its meaning, and the errors of an invalid one.
#![allow(clippy::unwrap_used, reason = "a test that finds something else than it expects must end")]

mod edit;
mod includes;
mod links;
mod pipelines;
mod policies;
mod says;
mod schema;
mod settings;
mod templates;
mod unreadable;
mod urls;
mod watch;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use katkit::domain::LinkId;
use katkit::manifest::{self, Diagnostics, Loaded};
use katkit::manifest_files::DiskFiles;
use katkit::views::{DiagnosticsJson, DiagnosticsText};

const SHA: &str = "3f2a9c1e5b7d8f60123456789abcdef012345678";

/// A manifest with every feature of the design.
const SKETCH: &str = r#"
version = 1

[state]
backend = "sqlite"
path = ".katkit/state.db"

[blobs]
url = ".katkit/blobs"

[repos.shop]
url = "https://github.com/acme/shop.git"
branch = "main"

[workflows.standard]
phases = [
  { name = "build",  order = 0, image = "zbuilder:v7", variables = { PHASE = "PRE_DEPLOY_BUILD" }, timeout = "20m" },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, parallelism = 4, retries = 1 },
]

[fleets.shared]
kind = "docker"
docker-socket = true
caches = ["/root/.m2"]

[tenants.dev]
environment = "DEV"
fleet = "shared"
platform = { kind = "ecs", cluster = "dev" }
variables = { REGION = "eu-central-1" }
secrets = { DOCKER_PASS = "env:DOCKER_PASS" }

[tenants.dev.links.shop]
repo = "shop"
folder = "services/web"
workflow = "standard"
sha = "3f2a9c1e5b7d8f60123456789abcdef012345678"
skip = ["verify"]
"#;

/// A directory of manifest files; `katkit.toml` is the root.
struct Files(tempfile::TempDir);

impl Files {
    fn new(root: impl AsRef<[u8]>) -> Self {
        Self(tempfile::tempdir().unwrap()).with("katkit.toml", root)
    }

    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn try_load(&self) -> Result<Loaded, Diagnostics> {
        manifest::load(&self.path("katkit.toml"), &DiskFiles::default())
    }

    fn load(&self) -> Loaded {
        self.try_load().unwrap_or_else(|found| panic!("{}", self.text(&found)))
    }

    /// The errors of an invalid manifest, as a user sees them.
    fn complaint(&self) -> String {
        self.text(&self.try_load().unwrap_err())
    }

    /// The errors in short form: position, message and hint.
    fn complaints(&self) -> String {
        let found = self.try_load().unwrap_err();
        let mut lines = String::new();
        for item in DiagnosticsJson::new(&found, Some(self.0.path())).diagnostics {
            let (file, line) = (item.file.unwrap_or_default(), item.line.unwrap_or_default());
            writeln!(lines, "{file}:{line}: {}", item.message).unwrap();
            if let Some(related) = item.related {
                writeln!(lines, "    {}: {}:{}", related.label, related.file, related.line).unwrap();
            }
            if let Some(help) = item.help {
                writeln!(lines, "    {help}").unwrap();
            }
        }
        // The temporary directory's name changes with every run.
        lines.replace(&self.0.path().display().to_string(), "DIR")
    }

    fn text(&self, diagnostics: &Diagnostics) -> String {
        let directory: Option<&Path> = Some(self.0.path());
        DiagnosticsText { diagnostics, colour: false, directory }.to_string()
    }
}

/// A manifest with one link; `rest` follows in the link's table.
fn linked(rest: &str) -> Files {
    Files::new(format!(
        "version = 1\n[repos.shop]\nurl = \".\"\n[workflows.standard]\nphases = [{{ name = \"build\", order = 0 }}, \
         {{ name = \"verify\", order = 1 }}]\n[tenants.dev.links.shop]\nrepo = \"shop\"\n{rest}\n"
    ))
}

fn link(tenant_and_link: &str) -> LinkId {
    tenant_and_link.parse().unwrap()
}
