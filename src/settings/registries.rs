//! `registries`: who we are where images come from, by host. Passwords lie in files or in the environment.

use std::path::{Path, PathBuf};

use super::secret::read_secret;
use crate::component::document::{Fields, Item};
use crate::image::{ImageReference, RegistryAccess, RegistryOptions};
use crate::job::Hidden;

/// Where Docker keeps who we are: `DOCKER_CONFIG`, else `.docker` in the home folder.
pub(super) fn docker_config_dir(environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let home = || Some(Path::new(&environment("HOME")?).join(".docker"));
    environment("DOCKER_CONFIG").map(PathBuf::from).or_else(home)
}

pub(super) fn read_registries(
    item: &Item<'_>,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> RegistryAccess {
    let entries = item.entries().into_iter();
    let registries =
        entries.filter_map(|(registry, item)| read_registry(registry, &item, folder, environment)).collect();
    RegistryAccess { registries, docker_config_dir: None }
}

fn read_registry(
    registry: &str,
    item: &Item<'_>,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<RegistryOptions> {
    // It must be what the images of that registry begin with, or it would never be found.
    let is_known =
        format!("{registry}/x").parse::<ImageReference>().is_ok_and(|image| image.registry() == registry);
    if !is_known {
        item.complain("expected a host as images name it, such as registry.example.com:5000 or docker.io");
    }
    let mut fields = item.fields()?;
    let username = fields.filled("username").and_then(|item| item.text()).map(str::to_owned);
    let password = read_password(&mut fields, folder, environment);
    let ca_file = fields.filled("ca_file").and_then(|item| item.text()).map(|path| folder.join(path));
    match (&username, &password) {
        (Some(_username), Password::Absent) => {
            fields
                .item
                .complain("`password_file`, `password_env` or `password` is missing beside `username`");
        }
        (None, Password::Found(_) | Password::Wrong) => {
            fields.item.complain("`username` is missing beside the password");
        }
        (Some(_), Password::Found(_) | Password::Wrong) | (None, Password::Absent) => {}
    }
    let login = match (username, password) {
        (Some(username), Password::Found(password)) => Some((username, password)),
        (_, Password::Absent | Password::Wrong) | (None, Password::Found(_)) => None,
    };
    fields.finish();
    Some(RegistryOptions { registry: registry.to_owned(), login, ca_file })
}

enum Password {
    Absent,
    /// Complained of already.
    Wrong,
    Found(Hidden),
}

fn read_password(
    fields: &mut Fields<'_>,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Password {
    let variable = fields.filled("password_env");
    let is_written = fields.filled("password").is_some() || fields.filled("password_file").is_some();
    let Some(variable) = variable else {
        let password = read_secret(fields, ("password", "password_file"), folder);
        return match password {
            Some(password) => Password::Found(password),
            None if is_written => Password::Wrong,
            None => Password::Absent,
        };
    };
    if is_written {
        variable.complain("the password is written in another way too: give one of them");
        return Password::Wrong;
    }
    let Some(name) = variable.text() else {
        return Password::Wrong;
    };
    let Some(password) = environment(name) else {
        variable.complain(format!("the variable {name} is not set"));
        return Password::Wrong;
    };
    Password::Found(Hidden::new(password))
}
