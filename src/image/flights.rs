//! One piece of work for all who want it at the same time. It goes on while anybody waits, whoever began it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::ImageError;
use crate::engine::{ImageFacts, PullProgress};

/// Pulls under way in this process, by what is pulled.
#[derive(Debug, Clone, Default)]
pub(super) struct Flights {
    under_way: Arc<Mutex<UnderWay>>,
    tasks: TaskTracker,
}

type UnderWay = HashMap<String, watch::Sender<Flight>>;

/// What those who wait can see.
#[derive(Debug, Clone)]
enum Flight {
    On(PullProgress),
    Landed(Result<ImageFacts, ImageError>),
}

/// Tells those who wait how far it is.
#[derive(Debug, Clone)]
pub(super) struct FlightProgress {
    waiting: watch::Sender<Flight>,
}

impl FlightProgress {
    pub(super) fn tell(&self, progress: PullProgress) {
        self.waiting.send_replace(Flight::On(progress));
    }
}

impl Flights {
    /// Joins the work of that key, or begins it. `None`: it broke off.
    pub(super) async fn join<W>(
        &self,
        key: &str,
        work: impl FnOnce(FlightProgress) -> W,
        on_progress: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Option<Result<ImageFacts, ImageError>>
    where
        W: Future<Output = Result<ImageFacts, ImageError>> + Send + 'static,
    {
        let mut seen = self.board(key, work);
        loop {
            // Its own statement: the borrow must end before anybody waits.
            let flight = seen.borrow_and_update().clone();
            match flight {
                Flight::Landed(result) => return Some(result),
                Flight::On(progress) => on_progress(progress),
            }
            seen.changed().await.ok()?;
        }
    }

    fn board<W>(&self, key: &str, work: impl FnOnce(FlightProgress) -> W) -> watch::Receiver<Flight>
    where
        W: Future<Output = Result<ImageFacts, ImageError>> + Send + 'static,
    {
        match lock(&self.under_way).entry(key.to_owned()) {
            Entry::Occupied(entry) => entry.get().subscribe(),
            Entry::Vacant(entry) => {
                let (waiting, seen) = watch::channel(Flight::On(PullProgress::default()));
                entry.insert(waiting.clone());
                let progress = FlightProgress { waiting: waiting.clone() };
                let place = Place { under_way: Arc::clone(&self.under_way), key: key.to_owned(), waiting };
                self.tasks.spawn(place.hold(work(progress)));
                seen
            }
        }
    }
}

/// A flight's entry in the list, which goes with the flight, also when its task dies.
struct Place {
    under_way: Arc<Mutex<UnderWay>>,
    key: String,
    waiting: watch::Sender<Flight>,
}

impl Place {
    async fn hold(self, work: impl Future<Output = Result<ImageFacts, ImageError>>) {
        let landed = tokio::select! {
            result = work => Some(result),
            () = self.is_abandoned() => None,
        };
        let waiting = self.waiting.clone();
        // Whoever comes from here on begins anew, and finds the image on the engine.
        drop(self);
        if let Some(result) = landed {
            waiting.send_replace(Flight::Landed(result));
        }
    }

    /// Nobody waits any more, and since the list no longer names the flight, nobody will.
    async fn is_abandoned(&self) {
        loop {
            self.waiting.closed().await;
            let mut under_way = lock(&self.under_way);
            if self.waiting.receiver_count() == 0 {
                under_way.remove(&self.key);
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = lock(&self.under_way);
        // After an abandoned flight somebody may have begun another one under its key.
        if under_way.get(&self.key).is_some_and(|waiting| waiting.same_channel(&self.waiting)) {
            under_way.remove(&self.key);
        }
    }
}

/// The list is whole also after a panic: nobody leaves it half changed.
fn lock(under_way: &Mutex<UnderWay>) -> MutexGuard<'_, UnderWay> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    fn facts() -> ImageFacts {
        ImageFacts {
            id: "sha256:1".into(),
            repository_digests: vec![],
            entrypoint: vec![],
            command: vec![],
            volumes: vec![],
        }
    }

    /// Work that counts its beginnings and waits to be let go.
    fn work(
        begun: &Arc<AtomicUsize>,
        go: &Arc<Notify>,
    ) -> impl FnOnce(
        FlightProgress,
    ) -> futures_util::future::BoxFuture<'static, Result<ImageFacts, ImageError>>
    + use<> {
        let (begun, go) = (Arc::clone(begun), Arc::clone(go));
        move |_progress| {
            Box::pin(async move {
                begun.fetch_add(1, Ordering::SeqCst);
                go.notified().await;
                Ok(facts())
            })
        }
    }

    #[tokio::test]
    async fn ten_who_want_the_same_share_one_flight_and_the_first_may_leave() {
        let flights = Flights::default();
        let (begun, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let mut ignore = |_progress| {};
        let mut first = Box::pin(flights.join("a", work(&begun, &go), &mut ignore));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut others = tokio::task::JoinSet::new();
        for _other in 0..9 {
            let (flights, work) = (flights.clone(), work(&begun, &go));
            others.spawn(async move { flights.join("a", work, &mut |_progress| {}).await });
        }
        while lock(&flights.under_way)["a"].receiver_count() < 10 {
            tokio::task::yield_now().await;
        }
        drop(first);
        go.notify_one();
        for landed in others.join_all().await {
            assert_eq!(landed.unwrap().unwrap(), facts());
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert!(lock(&flights.under_way).is_empty());
    }

    #[tokio::test]
    async fn a_flight_that_everybody_has_left_ends_and_the_next_begins_anew() {
        let flights = Flights::default();
        let (begun, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let mut ignore = |_progress| {};
        let mut first = Box::pin(flights.join("a", work(&begun, &go), &mut ignore));
        assert!(futures_util::poll!(&mut first).is_pending());
        drop(first);
        while !lock(&flights.under_way).is_empty() {
            tokio::task::yield_now().await;
        }
        go.notify_one();
        let landed = flights.join("a", work(&begun, &go), &mut |_progress| {}).await;
        assert_eq!(landed.unwrap().unwrap(), facts());
    }

    #[tokio::test]
    async fn a_flight_that_dies_is_told_as_broken_off() {
        let flights = Flights::default();
        let landed = flights.join("a", |_progress| async { panic!("on purpose") }, &mut |_progress| {}).await;
        assert!(landed.is_none());
        assert!(lock(&flights.under_way).is_empty());
    }
}
