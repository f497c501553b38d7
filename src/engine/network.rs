//! The one network that components with network access share, unable to see each other.

use std::collections::HashMap;

use bollard::models::{Network, NetworkCreateRequest};
use bollard::query_parameters::ListNetworksOptions;

use super::{Engine, EngineError};

const ISOLATION: &str = "com.docker.network.bridge.enable_icc";

impl Engine {
    /// The id of the bridge network of this name without traffic between containers; made when there is none.
    pub(crate) async fn ensure_isolated_network(&self, name: &str) -> Result<String, EngineError> {
        if let Some(id) = self.isolated_network(name).await? {
            return Ok(id);
        }
        let request = NetworkCreateRequest {
            name: name.into(),
            driver: Some("bridge".into()),
            options: Some(HashMap::from([(ISOLATION.into(), "false".into())])),
            labels: Some(HashMap::from([("longshore.network".into(), name.into())])),
            ..NetworkCreateRequest::default()
        };
        let subject = format!("network {name}");
        match self.order("create", &subject, self.docker.create_network(request)).await {
            // Another worker may have made one in the same moment, and older engines let both live under one
            // name: looking again makes everybody take the same.
            Ok(made) => Ok(self.isolated_network(name).await?.unwrap_or(made.id)),
            Err(error) if error.status() == Some(409) => self.isolated_network(name).await?.ok_or(error),
            Err(error) => Err(error),
        }
    }

    async fn isolated_network(&self, name: &str) -> Result<Option<String>, EngineError> {
        let filters = Some(HashMap::from([("name".to_owned(), vec![name.to_owned()])]));
        let asked = self.docker.list_networks(Some(ListNetworksOptions { filters }));
        let mut same: Vec<Network> = self.ask("list", "networks", asked).await?;
        // The engine's filter matches parts of names.
        same.retain(|network| network.name.as_deref() == Some(name));
        same.sort_by(|a, b| (&a.created, &a.id).cmp(&(&b.created, &b.id)));
        let Some(oldest) = same.into_iter().next() else {
            return Ok(None);
        };
        let isolated =
            oldest.options.is_some_and(|options| options.get(ISOLATION).is_some_and(|on| on == "false"));
        if isolated { Ok(oldest.id) } else { Err(EngineError::ForeignNetwork { name: name.into() }) }
    }
}
