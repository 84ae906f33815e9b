//! The open connections by id.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::connection::Connection;

#[derive(Debug, Default)]
pub(crate) struct Registry {
    connections: Mutex<HashMap<String, Arc<Connection>>>,
}

impl Registry {
    pub(crate) fn insert(&self, connection: &Arc<Connection>) {
        let id = connection.context.connection_id.clone();
        self.connections.lock().insert(id, Arc::clone(connection));
    }

    pub(crate) fn remove(&self, connection_id: &str) {
        self.connections.lock().remove(connection_id);
    }

    /// A connection that is closing counts as gone, although its last frames are still being sent.
    pub(crate) fn get(&self, connection_id: &str) -> Option<Arc<Connection>> {
        self.connections.lock().get(connection_id).filter(|connection| !connection.is_closing()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::close::CloseReason;
    use crate::websocket::events::ConnectionContext;

    #[test]
    fn closing_connection_is_gone() {
        let registry = Registry::default();
        let (connection, _frames) = Connection::new(ConnectionContext::default());
        registry.insert(&connection);
        assert!(registry.get("").is_some());
        connection.close(CloseReason::Deleted);
        assert!(registry.get("").is_none());
    }
}
