//! The agent as copied into a container: this program plus the shared libraries it has loaded, so that it runs in any
//! image, even an empty one.
//!
//! ```text
//! /.katkit/katkit        the program
//!         /lib/…         the loader and libraries, from /proc/self/maps; none for a static program
//!         /ca.pem        the certificates trusted by this machine, if it keeps them in one file
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;

use super::elf;

/// The agent's directory in a container.
pub const PLACE: &str = "/.katkit";

/// File name of the certificates in a container.
pub const CERTIFICATES: &str = "ca.pem";

/// Certificate bundles of common distributions.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Bytes of a program to inspect: its headers, followed by the name of its loader.
const HEAD: u64 = 64 * 1024;

/// The agent, ready to be copied into containers.
#[derive(Debug)]
pub struct Program {
    /// Sixteen hex digits of a digest over all files.
    pub digest: String,
    /// The architecture it is built for, as Docker names it.
    pub architecture: &'static str,
    /// Files by name below [`PLACE`].
    pub files: BTreeMap<String, ProgramFile>,
    loader: Option<String>,
}

/// One file of the agent: held open, so that the content sent is the content digested.
#[derive(Debug)]
pub struct ProgramFile {
    file: File,
    /// Size in bytes.
    pub size: u64,
}

impl Program {
    /// Loads the program at `path`, which must be static; without a path, this program, read only once.
    pub async fn load(path: Option<&Path>) -> Result<Arc<Self>, String> {
        static THIS: OnceCell<Arc<Program>> = OnceCell::const_new();
        match path {
            Some(path) => Self::read(Some(path.to_owned())).await,
            None => THIS.get_or_try_init(|| Self::read(None)).await.cloned(),
        }
    }

    async fn read(path: Option<PathBuf>) -> Result<Arc<Self>, String> {
        let read = spawn_blocking(move || path.map_or_else(this, |path| other(&path))).await;
        read.map_err(|error| error.to_string())?.map(Arc::new)
    }

    /// The command that a container runs.
    pub fn command(&self) -> Vec<String> {
        let mut command = Vec::new();
        if let Some(loader) = &self.loader {
            let libraries = format!("{PLACE}/lib");
            command.extend([format!("{libraries}/{loader}"), "--library-path".to_owned(), libraries]);
        }
        command.extend([format!("{PLACE}/katkit"), "agent".to_owned()]);
        command
    }
}

impl ProgramFile {
    fn open(path: &Path) -> Result<Self, String> {
        let open = || -> io::Result<Self> {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            Ok(Self { file, size })
        };
        open().map_err(|error| format!("the agent's `{}` cannot be read: {error}", path.display()))
    }

    /// Reads into `buffer` from `offset`.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, offset)
    }
}

fn this() -> Result<Program, String> {
    // Works even if the program was replaced while running.
    let own = Path::new("/proc/self/exe");
    let maps = std::fs::read_to_string("/proc/self/maps")
        .map_err(|error| format!("cannot determine the libraries that the agent needs: {error}"))?;
    let mut files = BTreeMap::from([("katkit".to_owned(), ProgramFile::open(own)?)]);
    for library in libraries(&maps)? {
        let file = ProgramFile::open(&library)?;
        let mut bytes = Vec::new();
        (&file.file)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("the agent's `{}` cannot be read: {error}", library.display()))?;
        // The mapped file is `libz.so.1.3`, but programs ask for `libz.so.1`.
        let own = || library.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = elf::soname(&bytes).or_else(own).unwrap_or_default();
        files.insert(format!("lib/{name}"), file);
    }
    finish(files, own)
}

fn other(path: &Path) -> Result<Program, String> {
    let program = finish(BTreeMap::from([("katkit".to_owned(), ProgramFile::open(path)?)]), path)?;
    match &program.loader {
        None => Ok(program),
        Some(loader) => Err(format!(
            "the agent `{}` needs the loader `{loader}` and its libraries, which an image may lack; build it as a \
             static program",
            path.display()
        )),
    }
}

/// The files that this process has loaded code from, except its own.
fn libraries(maps: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for line in maps.lines() {
        // `address permissions offset device inode   path` (proc_pid_maps(5))
        let Some(at) = line.find('/') else { continue };
        let executable = line.split_ascii_whitespace().nth(1).is_some_and(|flags| flags.contains('x'));
        let path = &line[at..];
        let name = path.rsplit('/').next().unwrap_or(path);
        if !executable || !name.contains(".so") {
            continue;
        }
        if let Some(path) = path.strip_suffix(" (deleted)") {
            return Err(format!("the library `{path}` was replaced since katkit started; restart katkit"));
        }
        if !found.contains(&PathBuf::from(path)) {
            found.push(PathBuf::from(path));
        }
    }
    Ok(found)
}

fn finish(mut files: BTreeMap<String, ProgramFile>, path: &Path) -> Result<Program, String> {
    let mut head = Vec::new();
    let unreadable = |error: io::Error| format!("the agent `{}` cannot be read: {error}", path.display());
    if let Some(program) = files.get("katkit") {
        (&program.file).take(HEAD).read_to_end(&mut head).map_err(unreadable)?;
    }
    let elf::Program { architecture, interpreter } =
        elf::read(&head).map_err(|what| format!("the agent `{}` {what}", path.display()))?;
    let loader = interpreter.and_then(|path| path.rsplit('/').next().map(str::to_owned));
    if let Some(bundle) = BUNDLES.iter().map(Path::new).find(|path| path.is_file()) {
        files.insert(CERTIFICATES.to_owned(), ProgramFile::open(bundle)?);
    }
    let mut hasher = Sha256::new();
    for (name, content) in &files {
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name);
        hasher.update(content.size.to_le_bytes());
        let mut file = &content.file;
        file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        let mut piece = vec![0; 256 * 1024];
        loop {
            match file.read(&mut piece).map_err(unreadable)? {
                0 => break,
                length => hasher.update(&piece[..length]),
            }
        }
    }
    let digest = hasher.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Program { digest, architecture, files, loader })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_program_comes_with_its_loader_and_its_libraries() {
        let program = Program::load(None).await.unwrap();
        let command = program.command();
        assert_eq!(command[1..], ["--library-path", "/.katkit/lib", "/.katkit/katkit", "agent"]);
        let loader = command[0].strip_prefix("/.katkit/").unwrap();
        assert!(program.files.contains_key(loader), "{loader} is not in {:?}", program.files.keys());
        assert!(program.files.keys().any(|name| name.starts_with("lib/libc.so")));
        assert_eq!(program.digest.len(), 16);
    }

    #[tokio::test]
    async fn another_program_must_be_a_static_linux_program() {
        let refused = async |path: &str| Program::load(Some(Path::new(path))).await.unwrap_err();
        assert!(refused("/bin/sh").await.ends_with("build it as a static program"));
        assert!(refused("/etc/passwd").await.ends_with("`/etc/passwd` is not a program for Linux"));
        assert!(refused("/nonexistent").await.contains("cannot be read"));
    }

    #[test]
    fn a_replaced_library_is_named() {
        let line = "7f00-7f01 r-xp 00000000 08:01 42   /usr/lib/libc.so.6 (deleted)\n";
        assert!(libraries(line).unwrap_err().contains("`/usr/lib/libc.so.6` was replaced"));
        let lines = "7f00-7f01 r--p 0 08:01 42 /usr/lib/locale/x.so\n7f02-7f03 r-xp 0 0:0 0 [vdso]\n";
        assert_eq!(libraries(lines).unwrap(), Vec::<PathBuf>::new());
    }
}
