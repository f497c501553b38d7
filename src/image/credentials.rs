//! Who we are at a registry: what the settings say of its host, else what Docker's own configuration says.
//!
//! Nothing here prints a password: they are [`Hidden`], and what helpers say is not repeated.

use std::path::PathBuf;

use super::docker_config::{self, DockerConfigError};
use super::reference::DOCKER_HUB;
use crate::engine::EngineLogin;
use crate::job::Hidden;

/// The name under which Docker keeps its Hub's credentials.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// What is set about one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegistryOptions {
    /// As images name it: `host` or `host:port`, `docker.io` for Docker Hub.
    pub(crate) registry: String,
    pub(crate) login: Option<(String, Hidden)>,
    /// Authorities (PEM) that its certificate may be signed by, beside the system's.
    pub(crate) ca_file: Option<PathBuf>,
}

/// Everything that is known about registries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RegistryAccess {
    pub(crate) registries: Vec<RegistryOptions>,
    /// The folder of Docker's `config.json`.
    pub(crate) docker_config_dir: Option<PathBuf>,
}

/// Who we are at one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) registry: String,
    pub(super) secret: Option<LoginSecret>,
    pub(super) ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LoginSecret {
    Password {
        username: String,
        password: Hidden,
    },
    /// What a registry gave instead of a password: it opens the door of its token server.
    IdentityToken(Hidden),
}

/// Where credentials would come from, without fetching them: a helper may ask a person or a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Nobody,
    Settings { username: String, password: Hidden },
    DockerFile { username: String, secret: LoginSecret },
    Helper { name: String, server: String },
}

impl Source {
    /// What a lock remembers: who, and never with what.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Nobody => ANYBODY.to_owned(),
            Self::Settings { username, .. } => format!("settings:{username}"),
            Self::DockerFile { username, .. } => format!("docker:{username}"),
            Self::Helper { name, .. } => format!("helper:{name}"),
        }
    }

    /// For messages.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Nobody => "no credentials are set".to_owned(),
            Self::Settings { username, .. } => {
                format!("it does not accept the credentials of {username} from the settings")
            }
            Self::DockerFile { username, .. } => {
                format!("it does not accept the credentials of {username} from Docker's config.json")
            }
            Self::Helper { name, .. } => {
                format!("it does not accept what the credential helper docker-credential-{name} gave")
            }
        }
    }
}

/// The identity of who has no credentials.
pub(super) const ANYBODY: &str = "anybody";

impl RegistryAccess {
    /// Whom we would be at a registry. Settings come first; Docker's file is read anew each time, since `docker login`
    /// changes it.
    pub(super) async fn source(&self, registry: &str) -> Result<Source, DockerConfigError> {
        if let Some((username, password)) = self.options(registry).and_then(|found| found.login.clone()) {
            return Ok(Source::Settings { username, password });
        }
        let Some(folder) = &self.docker_config_dir else {
            return Ok(Source::Nobody);
        };
        let server = if registry == DOCKER_HUB { DOCKER_HUB_KEY } else { registry };
        docker_config::source(folder, server).await
    }

    /// Fetches what the source names.
    pub(super) async fn login(&self, registry: &str, source: &Source) -> Result<Login, DockerConfigError> {
        let secret = match source.clone() {
            Source::Nobody => None,
            Source::Settings { username, password } => Some(LoginSecret::Password { username, password }),
            Source::DockerFile { secret, .. } => Some(secret),
            Source::Helper { name, server } => docker_config::ask_helper(&name, &server).await?,
        };
        let ca_file = self.options(registry).and_then(|found| found.ca_file.clone());
        Ok(Login { registry: registry.to_owned(), secret, ca_file })
    }

    fn options(&self, registry: &str) -> Option<&RegistryOptions> {
        self.registries.iter().find(|options| options.registry == registry)
    }
}

impl Login {
    /// For the engine, which pulls in our name.
    pub(super) fn for_engine(&self) -> Option<EngineLogin> {
        let server = if self.registry == DOCKER_HUB { DOCKER_HUB_KEY } else { &self.registry };
        let registry = server.to_owned();
        Some(match self.secret.clone()? {
            LoginSecret::Password { username, password } => {
                EngineLogin::Password { registry, username, password }
            }
            LoginSecret::IdentityToken(token) => EngineLogin::IdentityToken { registry, token },
        })
    }
}
