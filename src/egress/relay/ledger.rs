//! Counts what was reached and what was refused. The lock is held for a few steps and never over a wait.

use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::super::contacts::{Contact, Contacts, ENTRIES_MAX, Refusal};

/// The bytes that connections to one destination have carried.
#[derive(Debug, Default)]
pub(super) struct Carried {
    pub(super) out: AtomicU64,
    pub(super) back: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Ledger {
    entries: Mutex<Entries>,
    told: mpsc::Sender<Refusal>,
}

#[derive(Debug, Default)]
struct Entries {
    contacted: Vec<(Contact, Arc<Carried>)>,
    refused: Vec<Refusal>,
    left_out: u64,
}

impl Ledger {
    pub(super) fn new(told: mpsc::Sender<Refusal>) -> Self {
        Self { entries: Mutex::default(), told }
    }

    /// A connection was made. What it carries is counted in the answer.
    pub(super) fn contact(&self, host: &str, address: SocketAddrV4) -> Arc<Carried> {
        let mut entries = self.lock();
        let ip = address.ip().to_string();
        let is_same = |(known, _): &&mut (Contact, Arc<Carried>)| {
            known.host == host && known.address == ip && known.port == address.port()
        };
        if let Some((known, carried)) = entries.contacted.iter_mut().find(is_same) {
            known.connections += 1;
            return Arc::clone(carried);
        }
        let carried = Arc::new(Carried::default());
        if entries.contacted.len() == ENTRIES_MAX {
            entries.left_out += 1;
            return carried;
        }
        let contact = Contact {
            host: host.to_owned(),
            address: ip,
            port: address.port(),
            connections: 1,
            bytes_out: 0,
            bytes_in: 0,
        };
        entries.contacted.push((contact, Arc::clone(&carried)));
        carried
    }

    pub(super) fn refuse(&self, host: &str, port: Option<u16>) {
        let mut entries = self.lock();
        let is_same = |known: &&mut Refusal| known.host == host && known.port == port;
        if let Some(known) = entries.refused.iter_mut().find(is_same) {
            known.attempts += 1;
        } else if entries.refused.len() == ENTRIES_MAX {
            entries.left_out += 1;
        } else {
            let refusal = Refusal { host: host.to_owned(), port, attempts: 1 };
            entries.refused.push(refusal.clone());
            // Whoever tells may be behind, or have heard enough: the record has them all.
            drop(self.told.try_send(refusal));
        }
    }

    pub(super) fn contacts(&self) -> Contacts {
        let entries = self.lock();
        let contacted = entries.contacted.iter().map(|(contact, carried)| Contact {
            bytes_out: carried.out.load(Ordering::Relaxed),
            bytes_in: carried.back.load(Ordering::Relaxed),
            ..contact.clone()
        });
        Contacts {
            contacted: contacted.collect(),
            refused: entries.refused.clone(),
            left_out: entries.left_out,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Counting cannot leave an entry half written.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_invents_destinations_fills_neither_memory_nor_the_record() {
        let (told, mut heard) = mpsc::channel(10);
        let ledger = Ledger::new(told);
        let many = u16::try_from(ENTRIES_MAX).unwrap() + 50;
        for port in (1..=many).chain([1]) {
            let address = SocketAddrV4::new([10, 0, 0, 1].into(), port);
            ledger.contact("db.example.com", address).out.fetch_add(1, Ordering::Relaxed);
            ledger.refuse("10.0.0.2", Some(port));
        }
        let contacts = ledger.contacts();
        assert_eq!((contacts.contacted.len(), contacts.refused.len()), (ENTRIES_MAX, ENTRIES_MAX));
        // Whoever is on the record goes on being counted there.
        let first = &contacts.contacted[0];
        assert_eq!((first.connections, first.bytes_out, contacts.refused[0].attempts), (2, 2, 2));
        assert_eq!(contacts.left_out, 100);
        let events = std::iter::from_fn(|| heard.try_recv().ok()).count();
        assert_eq!(events, 10, "nobody waits for those who listen");
    }
}
