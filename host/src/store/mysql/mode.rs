//! Whether a server takes changes: asked of each of several addresses before it is used.
//!
//! A replica only reads, and a node that has lost its cluster does neither. It must not try to change anything to find out.

use super::failure::NO_VARIABLE;
use super::line::Line;
use crate::ports::{StoreError, Trouble};
use crate::store::rows::Cell;
use crate::store::several::Mode;

pub(super) fn of(line: &mut Line) -> Result<Mode, StoreError> {
    let doing = "asking whether the server takes changes";
    // A node without the others of its cluster answers this and refuses everything else (error 1047). Before it
    // knows, it waits for them, which is bounded like a lock.
    let cluster = "SHOW GLOBAL STATUS LIKE 'wsrep_cluster_status'";
    // A replica; or one that shares the files of the writer.
    let reads = "SELECT @@GLOBAL.read_only + @@GLOBAL.innodb_read_only";
    let mut ask = || {
        let cluster = line.rows::<2>(doing, cluster, Vec::new())?;
        let reads = line.rows_unless::<1>(doing, reads, Vec::new(), &[NO_VARIABLE])?;
        Ok::<_, StoreError>((cluster, reads))
    };
    let alone = |word: &Cell| *word == Cell::Text("non-Primary".to_owned());
    match ask() {
        Ok((cluster, reads)) if !cluster.first().is_some_and(|[_, word]| alone(word)) => {
            let writes = matches!(reads.as_deref(), None | Some([[Cell::Int(0)]]));
            Ok(if writes { Mode::Writes } else { Mode::Reads })
        }
        Err(error) if error.trouble != Trouble::Conflict => Err(error),
        _ => Err(StoreError {
            trouble: Trouble::Away,
            attempted: format!("{doing} at {}", line.at()),
            why: "the node does not hear from its cluster".to_owned(),
            hint: Some("look at the other nodes of the cluster"),
        }),
    }
}
