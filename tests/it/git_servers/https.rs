//! A real web server with `git http-backend`, TLS and passwords.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Environment;
use crate::servers::{Server, program, serve};

/// A lighttpd on loopback with its own certificate authority and one user: `ada`, password `lovelace`.
#[derive(Debug)]
pub struct Https {
    directory: TempDir,
    _server: Server,
    port: u16,
}

/// Password of the only user.
pub const PASSWORD: &str = "lovelace";

impl Https {
    /// Serves the repositories below `root`.
    pub fn start(root: &Path) -> Self {
        let lighttpd = program("lighttpd", "lighttpd lighttpd-mod-openssl");
        let backend = program("git-http-backend", "git");
        let directory = TempDir::new().unwrap();
        let at = directory.path().to_owned();
        certificates(&at);
        let hashed =
            Command::new(program("openssl", "openssl")).args(["passwd", "-6", PASSWORD]).output().unwrap();
        fs::write(at.join("users"), format!("ada:{}", String::from_utf8(hashed.stdout).unwrap())).unwrap();
        // Counts requests and forwards them; the server writes its own log too late.
        let counted = at.join("backend");
        let script = format!(
            "#!/bin/sh\necho \"$REQUEST_METHOD $REQUEST_URI\" >> {}/requests\nexec {}\n",
            at.display(),
            backend.display()
        );
        fs::write(&counted, script).unwrap();
        fs::set_permissions(&counted, Permissions::from_mode(0o755)).unwrap();
        let (server, port) = serve(|port| {
            let config = format!(
                r#"
server.modules = ("mod_openssl", "mod_auth", "mod_authn_file", "mod_setenv", "mod_alias", "mod_cgi")
server.document-root = "{at}"
server.bind = "127.0.0.1"
server.port = {port}
server.upload-dirs = ("{at}")
ssl.engine = "enable"
ssl.pemfile = "{at}/server.pem"
ssl.privkey = "{at}/server.key"
auth.backend = "htpasswd"
auth.backend.htpasswd.userfile = "{at}/users"
auth.require = ("/" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
setenv.set-environment = ("GIT_PROJECT_ROOT" => "{root}", "GIT_HTTP_EXPORT_ALL" => "1", "GIT_CONFIG_COUNT" => "1",
  "GIT_CONFIG_KEY_0" => "safe.directory", "GIT_CONFIG_VALUE_0" => "*")
alias.url = ("/git" => "{backend}")
$HTTP["url"] =~ "^/git" {{ cgi.assign = ("" => "") }}
"#,
                at = at.display(),
                root = root.display(),
                backend = counted.display()
            );
            fs::write(at.join("config"), config).unwrap();
            let mut command = Command::new(&lighttpd);
            command.args(["-D", "-f"]).arg(at.join("config"));
            command
        });
        Self { directory, _server: server, port }
    }

    /// URL of a repository, relative to the root.
    pub fn url(&self, repository: &str) -> String {
        format!("https://127.0.0.1:{}/git/{repository}", self.port)
    }

    /// The same with a prefix before the host.
    pub fn url_as(&self, user: &str, repository: &str) -> String {
        self.url(repository).replace("https://", &format!("https://{user}@"))
    }

    /// Client environment: trusts the server, and its credential helper knows the password.
    pub fn environment(&self) -> Environment {
        self.client(PASSWORD, true)
    }

    /// Client environment: its credential helper has a wrong password.
    pub fn wrong_password(&self) -> Environment {
        self.client("wrong", true)
    }

    /// Client environment: trusts the server, and has no credentials.
    pub fn no_credentials(&self) -> Environment {
        let mut environment = self.client("", true);
        environment.retain(|(name, _)| name != "GIT_CONFIG_GLOBAL");
        environment.push(("GIT_CONFIG_GLOBAL".into(), "/dev/null".into()));
        environment
    }

    /// Client environment: does not trust the server.
    pub fn untrusting(&self) -> Environment {
        self.client(PASSWORD, false)
    }

    /// Number of matching requests answered so far.
    pub fn requests(&self, what: &str) -> usize {
        fs::read_to_string(self.directory.path().join("requests")).unwrap_or_default().matches(what).count()
    }

    fn client(&self, password: &str, trusting: bool) -> Environment {
        let at = self.directory.path();
        let config = at.join(format!("gitconfig-{password}"));
        let helper = format!(
            "[credential]\n\thelper = \"!f() {{ test \\\"$1\\\" = get && echo username=ada && echo password={password}; }}; f\"\n"
        );
        fs::write(&config, helper).unwrap();
        let mut environment = vec![
            ("GIT_CONFIG_GLOBAL".into(), config.into_os_string()),
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
            ("GIT_ASKPASS".into(), "".into()),
            ("SSH_ASKPASS".into(), "".into()),
        ];
        if trusting {
            environment.push(("GIT_SSL_CAINFO".into(), at.join("ca.pem").into_os_string()));
        }
        environment
    }
}

/// A certificate authority, and a certificate for 127.0.0.1 signed by it.
fn certificates(at: &PathBuf) {
    let openssl = |arguments: &str| {
        let status = Command::new(program("openssl", "openssl"))
            .current_dir(at)
            .args(arguments.split(' '))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "openssl {arguments}");
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(&format!("req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=test-authority"));
    openssl(&format!(
        "req -x509 {key} -keyout server.key -out server.pem -subj /CN=127.0.0.1 -CA ca.pem -CAkey ca.key -addext \
         subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE"
    ));
}
