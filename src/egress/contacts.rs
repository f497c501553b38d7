//! What a component reached and what it was refused, as the job's record keeps it.

use serde::{Deserialize, Serialize};

/// Entries of each kind that are kept; a component can invent destinations faster than anybody reads them.
pub(super) const ENTRIES_MAX: usize = 200;

/// In the order in which they were met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contacts {
    pub(crate) contacted: Vec<Contact>,
    pub(crate) refused: Vec<Refusal>,
    /// Destinations beyond those listed here, each counted as often as it was met.
    pub(crate) left_out: u64,
}

/// A destination that the component was connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    /// The name that allowed it; the address where the list has that.
    pub(crate) host: String,
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) connections: u64,
    /// From the component.
    pub(crate) bytes_out: u64,
    /// To the component.
    pub(crate) bytes_in: u64,
}

/// A name that was not told, or an address that was not reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) host: String,
    /// `null` for a name.
    pub(crate) port: Option<u16>,
    pub(crate) attempts: u64,
}

impl Contacts {
    /// The same with every text changed: what a component asks for may hold secrets.
    pub(crate) fn map_texts(mut self, change: impl Fn(&str) -> String) -> Self {
        for contact in &mut self.contacted {
            contact.host = change(&contact.host);
        }
        for refusal in &mut self.refused {
            refusal.host = change(&refusal.host);
        }
        self
    }

    /// Adds what another container of the same job did.
    pub(crate) fn add(&mut self, other: Self) {
        self.left_out += other.left_out;
        for new in other.contacted {
            let is_same = |old: &&mut Contact| {
                (&old.host, &old.address, old.port) == (&new.host, &new.address, new.port)
            };
            if let Some(old) = self.contacted.iter_mut().find(is_same) {
                old.connections += new.connections;
                old.bytes_out += new.bytes_out;
                old.bytes_in += new.bytes_in;
            } else if self.contacted.len() < ENTRIES_MAX {
                self.contacted.push(new);
            } else {
                self.left_out += new.connections;
            }
        }
        for new in other.refused {
            let is_same = |old: &&mut Refusal| (&old.host, old.port) == (&new.host, new.port);
            if let Some(old) = self.refused.iter_mut().find(is_same) {
                old.attempts += new.attempts;
            } else if self.refused.len() < ENTRIES_MAX {
                self.refused.push(new);
            } else {
                self.left_out += new.attempts;
            }
        }
    }
}

impl Refusal {
    /// For an event, once per destination.
    pub(crate) fn words(&self) -> String {
        match self.port {
            Some(port) => format!("the component was refused a connection to {}:{port}", self.host),
            None => format!("the component was refused the address of {}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(host: &str, attempts: u64) -> Refusal {
        Refusal { host: host.to_owned(), port: Some(1), attempts }
    }

    #[test]
    fn what_two_containers_did_is_added_up_and_bounded() {
        let contact = Contact {
            host: "a".to_owned(),
            address: "10.0.0.1".to_owned(),
            port: 1,
            connections: 1,
            bytes_out: 2,
            bytes_in: 3,
        };
        let many = (0..ENTRIES_MAX as u64).map(|n| refusal(&n.to_string(), 1)).collect();
        let mut sum = Contacts { contacted: vec![contact.clone()], refused: many, left_out: 1 };
        let refused = vec![refusal("0", 4), refusal("new", 5)];
        sum.add(Contacts { contacted: vec![contact], refused, left_out: 2 });
        let both = &sum.contacted[0];
        assert_eq!((both.connections, both.bytes_out, both.bytes_in), (2, 4, 6));
        assert_eq!((&sum.refused[0], sum.refused.len(), sum.left_out), (&refusal("0", 5), ENTRIES_MAX, 8));
    }
}
