//! The schema of a file, and its migration to the newest version.

use rusqlite::{Connection, TransactionBehavior};

use super::fault::WorkError;

/// A schema with its history.
#[derive(Debug)]
pub struct Schema {
    /// The newest schema, for new files.
    pub newest: &'static str,
    /// The migrations from version 1 to 2, from 2 to 3, and so on. A released step is never edited.
    pub steps: &'static [&'static str],
}

/// The schema of the state.
pub const STATE: Schema = Schema {
    newest: include_str!("../../../state/sqlite.sql"),
    steps: &["DROP INDEX event_by_time;", CONSENTS, AUDIT, EVIDENCE],
};

/// From version 2 to 3.
const CONSENTS: &str = "\
CREATE TABLE consent (
  id      INTEGER PRIMARY KEY,
  stands  INTEGER NOT NULL,
  consent TEXT    NOT NULL -- JSON
) STRICT;
CREATE INDEX consent_standing ON consent (id) WHERE stands = 1;";

/// From version 3 to 4.
const AUDIT: &str = "\
ALTER TABLE event ADD COLUMN previous TEXT;
CREATE TABLE checkpoint (
  number INTEGER PRIMARY KEY,
  batch  TEXT    NOT NULL -- leaves, a line each, and a signed note
) STRICT;";

/// From version 4 to 5.
const EVIDENCE: &str = "\
ALTER TABLE consent ADD COLUMN evidence_for TEXT;
CREATE INDEX consent_evidence ON consent (evidence_for) WHERE evidence_for IS NOT NULL;";

/// `ktkt`: in the header of our files, so that no other program's file is mistaken for one.
const APPLICATION: i64 = 0x6b74_6b74;

/// Why a file cannot be used.
#[derive(Debug)]
pub enum SchemaError {
    /// It has this version, which is newer than this build supports.
    Newer(u32),
    /// Anything else.
    WorkError(WorkError),
}

impl<E: Into<WorkError>> From<E> for SchemaError {
    fn from(error: E) -> Self {
        Self::WorkError(error.into())
    }
}

impl Schema {
    /// The newest version.
    pub fn version(&self) -> u32 {
        u32::try_from(self.steps.len() + 1).unwrap_or(u32::MAX)
    }
}

/// What a file contains before its migration.
#[derive(Clone, Copy)]
enum FileContent {
    Nothing,
    Version(u32),
}

/// Migrates the file to the newest version. If killed, the file has either the new version or the previous one.
pub fn bring_up(connection: &Connection, schema: &Schema) -> Result<(), SchemaError> {
    if !is_current(look_once(connection)?, schema)? {
        let transaction = rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        // Another process may have migrated it while this one waited.
        match look(&transaction)? {
            found if is_current(found, schema)? => {}
            FileContent::Nothing => transaction.execute_batch(schema.newest)?,
            FileContent::Version(version) => {
                for step in schema.steps.iter().skip(version.saturating_sub(1) as usize) {
                    transaction.execute_batch(step)?;
                }
            }
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", schema.version())?;
        transaction.commit()?;
    }
    // The mode stays in the file, but a backup tool's copy may have lost it.
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode != "wal" {
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    }
    Ok(())
}

fn is_current(found: FileContent, schema: &Schema) -> Result<bool, SchemaError> {
    match found {
        FileContent::Version(version) if version > schema.version() => Err(SchemaError::Newer(version)),
        FileContent::Version(version) => Ok(version == schema.version()),
        FileContent::Nothing => Ok(false),
    }
}

/// Reads from one snapshot: another process may be migrating the file right now, and half of its writes would look like
/// another program's file.
fn look_once(connection: &Connection) -> Result<FileContent, WorkError> {
    let moment = connection.unchecked_transaction()?;
    let found = look(&moment)?;
    moment.commit()?;
    Ok(found)
}

fn look(connection: &Connection) -> Result<FileContent, WorkError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (application, u32::try_from(version)) {
        (0, Ok(0)) if objects == 0 => Ok(FileContent::Nothing),
        (APPLICATION, Ok(version @ 1..)) => Ok(FileContent::Version(version)),
        (APPLICATION, _) => {
            Err(WorkError::Damaged { link: None, what: format!("its schema version is {version}").into() })
        }
        _ => {
            let what = format!("it is another program's SQLite database (application id {application:#x})");
            Err(WorkError::Damaged { link: None, what: what.into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const FIRST: Schema = Schema {
        newest: "CREATE TABLE deployed (link TEXT NOT NULL, at INTEGER NOT NULL) STRICT;",
        steps: &[],
    };
    const TO_SECOND: &str = "ALTER TABLE deployed RENAME COLUMN at TO seconds;";
    const TO_THIRD: &str = "CREATE INDEX deployed_by_link ON deployed (link);
        UPDATE deployed SET link = 'dev/' || link;";
    const THIRD: Schema = Schema {
        newest: "CREATE TABLE deployed (link TEXT NOT NULL, seconds INTEGER NOT NULL) STRICT;
        CREATE INDEX deployed_by_link ON deployed (link);",
        steps: &[TO_SECOND, TO_THIRD],
    };

    fn open(path: &Path) -> Connection {
        Connection::open(path).unwrap()
    }

    /// The definitions, without comments and layout, which `ALTER TABLE` does not keep.
    fn objects(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        let code = |sql: String| {
            let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
            let words = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
            words.replace(" ,", ",").replace(" )", ")")
        };
        statement.query_map([], |row| row.get(0)).unwrap().map(|sql| code(sql.unwrap())).collect()
    }

    fn version(connection: &Connection) -> u32 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_file_is_migrated_step_by_step_and_keeps_its_rows() {
        let directory = tempfile::tempdir().unwrap();
        let old = open(&directory.path().join("old.db"));
        bring_up(&old, &FIRST).unwrap();
        old.execute("INSERT INTO deployed VALUES ('shop', 7)", []).unwrap();

        bring_up(&old, &THIRD).unwrap();

        let row: (String, i64) = old
            .query_row("SELECT link, seconds FROM deployed", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!((row, version(&old)), (("dev/shop".to_owned(), 7), 3));
        let fresh = open(&directory.path().join("fresh.db"));
        bring_up(&fresh, &THIRD).unwrap();
        assert_eq!(objects(&old), objects(&fresh));
        bring_up(&old, &THIRD).unwrap();
        assert_eq!(objects(&old), objects(&fresh));
    }

    #[test]
    fn every_released_state_becomes_the_newest() {
        let (first, _) = STATE.newest.split_once("-- The journal of consents").unwrap();
        let first =
            first.lines().filter(|line| !line.trim_start().starts_with("previous ")).collect::<Vec<_>>();
        let first = format!("{} CREATE INDEX event_by_time ON event (at);", first.join("\n")).leak();
        let first = Schema { newest: first, steps: &[] };
        let directory = tempfile::tempdir().unwrap();
        let (old, fresh) = (open(&directory.path().join("old.db")), open(&directory.path().join("fresh.db")));
        bring_up(&old, &first).unwrap();
        bring_up(&old, &STATE).unwrap();
        bring_up(&fresh, &STATE).unwrap();
        assert_eq!((objects(&old), version(&old)), (objects(&fresh), STATE.version()));
    }

    #[test]
    fn a_migration_that_fails_leaves_the_file_as_it_was() {
        const BROKEN: Schema = Schema { newest: "", steps: &[TO_SECOND, "INSERT INTO nowhere VALUES (1);"] };
        let directory = tempfile::tempdir().unwrap();
        let connection = open(&directory.path().join("state.db"));
        bring_up(&connection, &FIRST).unwrap();
        let before = objects(&connection);
        assert!(matches!(bring_up(&connection, &BROKEN), Err(SchemaError::WorkError(WorkError::Sqlite(_)))));
        assert_eq!((objects(&connection), version(&connection)), (before, 1));
    }

    #[test]
    fn several_processes_may_migrate_a_file_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.db");
        bring_up(&open(&path), &FIRST).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| bring_up(&open(&path), &THIRD).unwrap());
            }
        });
        assert_eq!(version(&open(&path)), 3);
    }
}
