//! Keys: identities open, recipients are what is sealed to.

use std::fmt;

use age::secrecy::ExposeSecret;
use age::x25519::{Identity, Recipient};

use super::KeyError;
use crate::job::Hidden;

/// Characters of a public key behind `age1` that tell it from others.
pub(super) const HINT_LENGTH: usize = 8;

/// The keys of a project. Sealing takes all recipients and the first identity; opening tries every identity.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    identities: Vec<Identity>,
    recipients: Vec<Recipient>,
}

/// A new key: its file's text and its public half.
#[derive(Debug)]
pub(crate) struct Generated {
    pub(crate) file: Hidden,
    pub(crate) public: String,
}

impl Generated {
    /// A key from the system's randomness, in the format that `age-keygen` writes.
    pub(crate) fn fresh() -> Self {
        let identity = Identity::generate();
        let public = identity.to_public().to_string();
        let secret = identity.to_string();
        let created = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        let file = Hidden::new(format!(
            "# created: {created}\n# public key: {public}\n{}\n",
            secret.expose_secret()
        ));
        Self { file, public }
    }
}

impl Keys {
    /// Reads identities, one a line, the current one first; empty lines and those with `#` are passed over. `what` names
    /// the text in errors, which never repeat a line.
    pub(crate) fn parse(text: &str, what: &str) -> Result<Self, KeyError> {
        let mut identities = Vec::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // The parser's own word says no more than that.
            let identity = line
                .parse()
                .map_err(|_word: &str| KeyError::NotAnIdentity { what: what.to_owned(), line: number })?;
            identities.push(identity);
        }
        if identities.is_empty() {
            return Err(KeyError::NoIdentity { what: what.to_owned() });
        }
        Ok(Self { identities, recipients: Vec::new() })
    }

    /// With further public keys that everything is sealed to.
    pub(crate) fn with_recipients(mut self, recipients: &[String]) -> Result<Self, KeyError> {
        for text in recipients {
            let parsed = text.parse();
            let recipient = parsed.map_err(|_word: &str| KeyError::NotARecipient { text: text.clone() })?;
            self.recipients.push(recipient);
        }
        Ok(self)
    }

    pub(crate) fn can_open(&self) -> bool {
        !self.identities.is_empty()
    }

    pub(super) fn identities(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.identities.iter().map(|identity| identity as &dyn age::Identity)
    }

    /// Everybody who is to open what is sealed now, each once, the own key first.
    pub(super) fn readers(&self) -> Vec<Recipient> {
        let mut readers: Vec<Recipient> =
            self.identities.first().map(Identity::to_public).into_iter().collect();
        for recipient in &self.recipients {
            if !readers.contains(recipient) {
                readers.push(recipient.clone());
            }
        }
        readers
    }

    /// How the public halves of the identities begin.
    pub(super) fn hints(&self) -> Vec<String> {
        self.identities.iter().map(|identity| hint(&identity.to_public())).collect()
    }

    /// The public key that is sealed to first.
    pub(crate) fn public(&self) -> Option<String> {
        self.readers().first().map(ToString::to_string)
    }
}

/// The beginning of a public key, enough to tell it from others.
pub(super) fn hint(recipient: &Recipient) -> String {
    recipient.to_string().chars().skip("age1".len()).take(HINT_LENGTH).collect()
}

/// Shows public keys, never a secret one.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("identities", &self.hints())
            .field("recipients", &self.recipients)
            .finish()
    }
}
