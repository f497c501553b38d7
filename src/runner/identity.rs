//! Whom a container runs as, inside and on the host: an engine may have its own idea of who is who.

use super::Runner;
use crate::component::User;
use crate::engine::{EngineError, IdMapping};
use crate::mapping::Owner;

/// One user, seen from both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// `uid` and `gid` inside; `None`: whom the image says.
    pub(super) inside: Option<(u32, u32)>,
    /// Whom the data folder is given to, on the host.
    pub(super) owner: Owner,
}

impl Identity {
    /// As `uid:gid`, where the engine is told.
    pub(super) fn told(self) -> Option<String> {
        self.inside.map(|(uid, gid)| format!("{uid}:{gid}"))
    }

    fn of(user: User, runner_user: (u32, u32), ids: IdMapping) -> Self {
        let inside = match (user, ids) {
            (User::Image, _) => None,
            // The runner has no other name inside than root, who has no rights there either.
            (User::Runner, IdMapping::Rootless) => Some((0, 0)),
            (User::Runner, IdMapping::Same | IdMapping::Shifted { .. }) => Some(runner_user),
            (User::Id { uid, gid }, _) => Some((uid, gid.unwrap_or(uid))),
        };
        let owner = match (inside, ids) {
            (Some((uid, gid)), IdMapping::Same) => Owner::Of { uid, gid },
            (Some((uid, gid)), IdMapping::Shifted { uid: uid_base, gid: gid_base }) => {
                Owner::Of { uid: uid_base.saturating_add(uid), gid: gid_base.saturating_add(gid) }
            }
            (Some((0, 0)), IdMapping::Rootless) => Owner::Of { uid: runner_user.0, gid: runner_user.1 },
            // Subordinate ids cannot be given anything without root.
            (None, _) | (Some(_), IdMapping::Rootless) => Owner::Image,
        };
        Self { inside, owner }
    }
}

impl Runner {
    /// Who a component is. The engine is asked only where there is one to run it.
    pub(super) async fn identity(&self, user: User, has_container: bool) -> Result<Identity, EngineError> {
        let ids = if has_container { self.engine().await?.facts().await?.ids } else { IdMapping::Same };
        Ok(Identity::of(user, self.options.runner_user, ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNER: (u32, u32) = (1000, 1001);

    #[test]
    fn without_a_mapping_the_folder_belongs_to_whoever_runs() {
        let of = |user| Identity::of(user, RUNNER, IdMapping::Same);
        let expected = |uid, gid| Identity { inside: Some((uid, gid)), owner: Owner::Of { uid, gid } };
        assert_eq!(of(User::Runner), expected(1000, 1001));
        assert_eq!(of(User::Id { uid: 7, gid: None }), expected(7, 7));
        assert_eq!(of(User::Image), Identity { inside: None, owner: Owner::Image });
    }

    #[test]
    fn a_shifted_user_owns_its_folder_under_the_shifted_id() {
        let ids = IdMapping::Shifted { uid: 100_000, gid: 200_000 };
        let expected =
            Identity { inside: Some((1000, 1001)), owner: Owner::Of { uid: 101_000, gid: 201_001 } };
        assert_eq!(Identity::of(User::Runner, RUNNER, ids), expected);
    }

    #[test]
    fn under_a_rootless_engine_the_runner_is_root_inside_and_itself_outside() {
        let of = |user| Identity::of(user, RUNNER, IdMapping::Rootless);
        let runner = Identity { inside: Some((0, 0)), owner: Owner::Of { uid: 1000, gid: 1001 } };
        assert_eq!(of(User::Runner), runner);
        let other = Identity { inside: Some((7, 8)), owner: Owner::Image };
        assert_eq!(of(User::Id { uid: 7, gid: Some(8) }), other);
    }
}
