//! A real registry of container images on loopback.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::servers::{Server, program, serve};

/// Pushes an image without layers, as a shell function: `push HOST REPOSITORY TAG CONTENT`. Prints its digest.
pub const PUSH: &str = r#"push() {
  api=http://$1/v2/$2
  config="{\"architecture\":\"amd64\",\"os\":\"linux\",\"author\":\"$4\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"
  digest=sha256:$(printf %s "$config" | sha256sum | cut -d ' ' -f 1)
  place=$(curl -fsi -X POST "$api/blobs/uploads/" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
  curl -fs -X PUT -H 'Content-Type: application/octet-stream' --data-binary "$config" "$place&digest=$digest"
  type=application/vnd.oci.image.manifest.v1+json
  config="{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"$digest\",\"size\":${#config}}"
  manifest="{\"schemaVersion\":2,\"mediaType\":\"$type\",\"config\":$config,\"layers\":[]}"
  curl -fs -X PUT -H "Content-Type: $type" --data-binary "$manifest" "$api/manifests/$3"
  echo "sha256:$(printf %s "$manifest" | sha256sum | cut -d ' ' -f 1)"
}
"#;

/// A registry without TLS. Empty at first.
#[derive(Debug)]
pub struct ImageRegistry {
    directory: TempDir,
    server: Option<Server>,
    port: u16,
}

impl ImageRegistry {
    /// A registry that anyone may use.
    pub fn start() -> Self {
        Self::with("")
    }

    /// A registry for `ada`, password `lovelace`.
    pub fn with_password() -> Self {
        Self::with("auth: { htpasswd: { realm: images, path: USERS } }\n")
    }

    fn with(settings: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let (config, users) = (directory.path().join("config"), directory.path().join("users"));
        // The registry accepts no other hashes than those of bcrypt.
        fs::write(&users, "ada:$2y$05$abcdefghijklmnopqrstuuugyJgZetmHGvxwCJ1rpgM8bgT8KJ8.i\n").unwrap();
        let (server, port) = serve(|port| {
            let text = format!(
                "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
                 storage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: '127.0.0.1:{port}' }}\n{}",
                directory.path().join("images").display(),
                settings.replace("USERS", &users.display().to_string())
            );
            fs::write(&config, text).unwrap();
            let mut command = Command::new(program("docker-registry", "docker-registry"));
            command.arg("serve").arg(&config);
            command
        });
        Self { directory, server: Some(server), port }
    }

    /// `HOST:PORT`, as in the names of its images.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Lets a tag stand for an image with this content; returns its digest.
    pub fn push(&self, repository: &str, tag: &str, content: &str) -> String {
        let script = format!("set -e\n{PUSH}push {} {repository} {tag} {content}", self.host());
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The directory of a Docker configuration with the credentials of `ada`.
    pub fn login(&self) -> PathBuf {
        let text = format!(r#"{{ "auths": {{ "{}": {{ "auth": "YWRhOmxvdmVsYWNl" }} }} }}"#, self.host());
        fs::write(self.directory.path().join("config.json"), text).unwrap();
        self.directory.path().to_owned()
    }

    /// It no longer answers.
    pub fn stop(&mut self) {
        self.server = None;
    }
}
