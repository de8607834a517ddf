//! What must not be left behind in the end.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::World;

impl World {
    /// Fails unless katkit has finished and cleaned up: no process, no service, no half-written file, no lease.
    pub fn nothing_is_left(&self) {
        self.nothing_runs();
        let services = entries(&self.path(".katkit/services")).into_iter();
        let services: Vec<_> = services.flat_map(|fleet| entries(Path::new(&fleet))).collect();
        assert!(services.is_empty(), "services: {services:?}");
        {
            let place = ".katkit/blobs/.temporary";
            // A killed process's unfinished files are swept once they are old; a process that ended leaves nothing.
            let left: Vec<_> =
                entries(&self.path(place)).into_iter().filter(|path| !is_of_a_dead_process(path)).collect();
            assert!(left.is_empty(), "{place}: {left:?}");
        }
        for tenant in entries(&self.path(".katkit/platform")) {
            let hidden = entries(Path::new(&tenant))
                .into_iter()
                .filter(|path| path.contains("/platform/") && path.contains("/.shop"))
                // Names the owner of the file.
                .filter(|path| !path.ends_with("/.shop.link"));
            let hidden: Vec<_> = hidden.collect();
            assert!(hidden.is_empty(), "half-written: {hidden:?}");
        }
        let state = self.state();
        // A dead process's lease can be acquired.
        let mut owners = state.prepare("SELECT owner FROM lease WHERE owner IS NOT NULL").unwrap();
        for owner in owners.query_map([], |row| row.get::<_, String>(0)).unwrap() {
            let owner: serde_json::Value = serde_json::from_str(&owner.unwrap()).unwrap();
            let alive = Path::new("/proc").join(owner["pid"].to_string()).exists();
            assert!(!alive, "a lease is held: {owner}");
        }
        let sound: String = state.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
    }

    /// Fails unless every process of this world has ended.
    pub fn nothing_runs(&self) {
        let own = std::process::id();
        let mut seen = Vec::new();
        eventually_none(&mut seen, || processes(self.root.to_str().unwrap(), own));
    }

    /// The state database, opened directly.
    pub fn state(&self) -> Connection {
        let connection = Connection::open(self.path(".katkit/state.db")).unwrap();
        connection.busy_timeout(super::PATIENCE).unwrap();
        connection
    }

    /// A link's recorded events, one per line.
    pub fn journal(&self) -> Vec<String> {
        let state = self.state();
        let mut rows = state.prepare("SELECT event FROM event ORDER BY id").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Number of recorded events; zero if there is no state yet.
    pub fn recorded(&self) -> i64 {
        if !self.path(".katkit/state.db").exists() {
            return 0;
        }
        self.state().query_row("SELECT count(*) FROM event", [], |row| row.get(0)).unwrap_or(0)
    }
}

/// Processes may take a moment to disappear after they were ended.
fn eventually_none(seen: &mut Vec<String>, mut look: impl FnMut() -> Vec<String>) {
    let begin = std::time::Instant::now();
    loop {
        *seen = look();
        if seen.is_empty() {
            return;
        }
        assert!(begin.elapsed() < super::PATIENCE, "processes: {seen:#?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// Temporary files begin with the id of the process that writes them.
fn is_of_a_dead_process(path: &str) -> bool {
    let name = Path::new(path).file_name().unwrap().to_str().unwrap();
    let pid = name.split('-').next().filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()));
    pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
}

fn entries(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path().display().to_string()).collect()
}

/// Every living process that has the path in its command line or its environment.
fn processes(path: &str, own: u32) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid == own {
            continue;
        }
        // Nothing readable: the process is gone or belongs to another user.
        let of = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
        let said = String::from_utf8_lossy(&[of("cmdline"), of("environ")].concat()).replace('\0', " ");
        if said.contains(path) {
            found.push(format!("{pid}: {}", said.chars().take(300).collect::<String>()));
        }
    }
    found
}
