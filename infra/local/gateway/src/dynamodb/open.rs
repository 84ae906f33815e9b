//! Opens the embedded engine's database, and adds what it lacks for streams that run for days: an index of stream
//! records, without which each write and each poll reads all of them, and their deletion after a day.

use std::path::Path;

use anyhow::{Context, anyhow};
use dynoxide::Database;
use dynoxide::storage::Storage;

use crate::{clock, ids};

/// The order in which the engine's own queries read stream records.
const INDEX: &str = "CREATE INDEX IF NOT EXISTS stream_records_in_order \
     ON _stream_records (table_name, CAST(sequence_number AS INTEGER), shard_id)";
/// How long DynamoDB keeps stream records, in seconds.
const RETENTION_S: i64 = 24 * 60 * 60;
const SECOND_MS: i64 = 1000;

/// The database in `file`, or one in memory.
pub(crate) fn open(file: Option<&Path>) -> anyhow::Result<Database> {
    let Some(file) = file else { return in_memory().context("cannot open a database in memory") };
    let path = text(file)?;
    // The engine does not expose its connection, but an index applies to every connection.
    let indexed = Storage::new(path).and_then(|storage| Ok(storage.conn().execute_batch(INDEX)?));
    indexed.and_then(|()| Database::new(path)).with_context(|| format!("cannot open {path}"))
}

/// A copy of an empty database in a file, because only a file can get the index.
fn in_memory() -> anyhow::Result<Database> {
    let folder = std::env::temp_dir().join(format!("nsl-gateway-{}", ids::uuid()));
    std::fs::create_dir(&folder)?;
    let copied = || -> anyhow::Result<Database> {
        let file = folder.join("empty.sqlite");
        drop(open(Some(&file))?);
        let database = Database::memory()?;
        database.restore_from(text(&file)?)?;
        Ok(database)
    };
    let copied = copied();
    // On failure the system cleans its temporary directory.
    drop(std::fs::remove_dir_all(&folder));
    copied
}

/// Deletes the stream records of the database in `file` that are older than DynamoDB would keep them.
pub(crate) fn trim(file: &Path) -> anyhow::Result<()> {
    let oldest_s = clock::now_ms() / SECOND_MS - RETENTION_S;
    let delete = format!("DELETE FROM _stream_records WHERE created_at < {oldest_s}");
    Storage::new(text(file)?)?.conn().execute_batch(&delete)?;
    Ok(())
}

fn text(file: &Path) -> anyhow::Result<&str> {
    file.to_str().ok_or_else(|| anyhow!("{} is not UTF-8", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::StateDir;

    /// Whether the engine's query for a table's next sequence number uses the index.
    fn is_indexed(storage: &Storage) -> bool {
        let plan = "EXPLAIN QUERY PLAN SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 \
             FROM _stream_records WHERE table_name = 'T'";
        let mut plan = storage.conn().prepare(plan).unwrap();
        let mut rows = plan.query([]).unwrap();
        let detail: String = rows.next().unwrap().unwrap().get("detail").unwrap();
        detail.starts_with("SEARCH") && detail.contains("stream_records_in_order")
    }

    #[test]
    fn files_are_indexed_and_trimmed() {
        let state = StateDir::open(None).unwrap();
        let file = state.file("dynamodb.sqlite");
        let database = open(Some(&file)).unwrap();
        let storage = Storage::new(text(&file).unwrap()).unwrap();
        assert!(is_indexed(&storage));
        let now_s = clock::now_ms() / SECOND_MS;
        for (number, created_s) in [("1", now_s - RETENTION_S - 10), ("2", now_s - RETENTION_S + 10)] {
            storage.insert_stream_record("T", "INSERT", "{}", None, None, number, "s", created_s).unwrap();
        }
        trim(&file).unwrap();
        let left = storage.get_stream_records("T", "s", 0, 10).unwrap();
        assert_eq!(left.iter().map(|record| record.sequence_number.as_str()).collect::<Vec<_>>(), ["2"]);
        drop(database);
    }

    #[test]
    fn database_in_memory_is_indexed() {
        let state = StateDir::open(None).unwrap();
        let database = open(None).unwrap();
        let copy = state.file("copy.sqlite");
        database.vacuum_into(text(&copy).unwrap()).unwrap();
        let storage = Storage::new(text(&copy).unwrap()).unwrap();
        assert!(is_indexed(&storage));
    }
}
