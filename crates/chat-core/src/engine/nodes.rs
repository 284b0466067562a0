//! Many nodes over one store: this one shows that it lives, and closes what dead ones leave behind.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    Shared,
    lease::{BEAT, DEAD_AFTER, FREEZE_AFTER},
    paused, recover,
};
use crate::{
    id::NodeId,
    ports::{Beat, Standing},
    run::StopCause,
};

/// Legs that nobody works on are looked for this often also when nobody died: a node that ended may have left some.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Legs of this node that it does not know of are looked for this often. Longer than any call of a store may take, so that
/// one which is missing twice is not a send that is still on its way.
const FORGOTTEN_EVERY: Duration = Duration::from_secs(30);
/// Of the time between two renewals no more than this counts: a node that was suspended saw nothing meanwhile.
const MOST_COUNTED: Duration = Duration::from_secs(2);

/// Who is there, as this node sees it after a renewal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Company {
    /// Nodes whose legs are theirs, this one among them.
    pub(super) alive: Vec<NodeId>,
    /// Nodes that fell silent, with the counters that stand still.
    pub(super) dead: Vec<Beat>,
}

impl Company {
    /// All nodes but this one.
    pub(super) fn others(&self, own: NodeId) -> Vec<NodeId> {
        let dead = self.dead.iter().map(|beat| beat.node);
        let all = self.alive.iter().copied().chain(dead);
        all.filter(|node| *node != own).collect()
    }
}

/// Renews the node's lease until told to stop, and tells `company` who is there.
pub(super) async fn keep_lease(shared: &Shared, company: &watch::Sender<Company>) {
    let mut others = Others::default();
    let mut renewed = Instant::now();
    let mut steady = false;
    let mut own_count = 0;
    loop {
        let began = Instant::now();
        match watched(shared, shared.ports.nodes.renew(shared.node)).await {
            Ok(beats) => {
                let passed = began.saturating_duration_since(renewed);
                let seen = others.note(shared.node, &beats, passed, steady);
                renewed = began;
                steady = true;
                let own = beats.iter().find(|beat| beat.node == shared.node);
                let count = own.map_or(0, |beat| beat.count);
                if count <= own_count {
                    drop_all(shared);
                }
                own_count = count;
                take_lease(shared, began, others.ever).await;
                company.send_replace(seen);
            }
            Err(error) => {
                if steady {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "this node cannot show that it lives"
                    );
                }
                steady = false;
            }
        }
        watched(shared, sleep(BEAT)).await;
    }
}

/// Holds the lease from the beginning of this renewal on, unless that is too long ago or it cannot be asked what became of
/// this node's legs meanwhile.
async fn take_lease(shared: &Shared, began: Instant, has_company: bool) {
    let was_frozen = shared.lease.is_frozen();
    if !was_frozen {
        shared.lease.renewed(began);
    }
    if !was_frozen && !has_company {
        return;
    }
    // What was not asked cannot be known: a frozen node stays as it is until the next beat. An answer that came late says
    // nothing of now.
    if watched(shared, heed_standing(shared)).await && was_frozen && began.elapsed() < FREEZE_AFTER
    {
        shared.lease.renewed(began);
        thaw(shared);
    }
}

/// Ends every leg of this node: another one has taken it for dead and closes them.
fn drop_all(shared: &Shared) {
    let live = shared.live.all();
    tracing::warn!(
        legs = live.len(),
        "another node took this one for dead; its answers are closed as interrupted"
    );
    for live in live {
        live.log.lose();
        live.stop(StopCause::Shutdown);
    }
}

/// Awaits something, and freezes the node meanwhile once its last renewal is too long ago.
async fn watched<T>(shared: &Shared, awaited: impl Future<Output = T>) -> T {
    let mut awaited = pin!(awaited);
    loop {
        if shared.lease.heed_silence() {
            tracing::warn!(
                legs = shared.live.all().len(),
                "others may take this node for dead: nothing more is shown until the store answers"
            );
        }
        tokio::select! {
            biased;
            done = &mut awaited => return done,
            () = sleep(shared.lease.next_change()) => {}
        }
    }
}

/// Asks how this node's legs stand and stops those that are to stop. Says whether it could ask.
async fn heed_standing(shared: &Shared) -> bool {
    let live = shared.live.all();
    let legs: Vec<_> = live.iter().map(|live| live.leg.id).collect();
    if legs.is_empty() {
        return true;
    }
    let standing = match shared.ports.runs.standing(&legs).await {
        Ok(standing) => standing,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "this node cannot ask how its legs stand"
            );
            return false;
        }
    };
    for (live, standing) in live.iter().zip(standing) {
        match standing {
            Standing::Open => {}
            Standing::Stopping => live.stop(StopCause::Asked),
            Standing::Closed | Standing::Gone => {
                live.log.lose();
                live.stop(StopCause::Dropped);
            }
        }
    }
    true
}

/// Goes on where the node froze: what was held back is shown, and what was not appended is.
fn thaw(shared: &Shared) {
    shared.lease.thaw();
    for live in shared.live.all() {
        live.log.show_held_back();
    }
    tracing::info!("this node shows that it lives again, and goes on");
}

/// Closes what dead nodes leave behind, takes over what was released, and ends what waited for its reader for too long,
/// until the engine ends.
///
/// A task of its own: a close that waits for the store must not keep the node from renewing.
pub(super) async fn reap(shared: &Arc<Shared>, mut company: watch::Receiver<Company>) {
    let mut forgotten = HashSet::new();
    let mut looked = Instant::now();
    loop {
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = shared.released.notified() => {}
            () = someone_died(&mut company) => {}
        }
        // A node that may be taken for dead itself judges nobody.
        shared.lease.held().await;
        if looked.elapsed() >= FORGOTTEN_EVERY {
            looked = Instant::now();
            match recover::close_forgotten(shared, &forgotten).await {
                Ok(found) => forgotten = found,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "legs of this node cannot be looked for"
                    );
                }
            }
        }
        let dead = company.borrow_and_update().dead.clone();
        for silent in dead {
            // It may have renewed since; then it stays, and its legs are its own.
            match shared.ports.nodes.bury(silent).await {
                Ok(true) => tracing::info!(node = %silent.node, "a node fell silent"),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a silent node cannot be taken out"
                    );
                }
            }
        }
        match recover::close_orphans(shared).await {
            Ok(0) => {}
            Ok(closed) => tracing::info!(
                answers = closed,
                "closed answers that another node left unfinished"
            ),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "orphans cannot be looked for"
                );
            }
        }
        match paused::expire(shared).await {
            Ok(0) => {}
            Ok(runs) => tracing::info!(runs, "ended runs whose readers did not answer in time"),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "expired runs cannot be ended"
                );
            }
        }
    }
}

/// Returns once a renewal shows that a node is silent.
async fn someone_died(company: &mut watch::Receiver<Company>) {
    while company.changed().await.is_ok() {
        if !company.borrow().dead.is_empty() {
            return;
        }
    }
    // The engine is gone, and with it whoever awaits this.
    std::future::pending::<()>().await;
}

/// What is known of the other nodes' counters.
#[derive(Debug, Default)]
struct Others {
    seen: HashMap<NodeId, Sight>,
    /// Whether there ever was another one.
    ever: bool,
}

#[derive(Debug, Clone, Copy)]
struct Sight {
    count: u64,
    /// How long it has not changed.
    unchanged: Duration,
}

impl Others {
    /// Takes in what a renewal gave, `passed` after the one before it. That time counts only if it is `steady`: if this node
    /// could renew at both its ends, so that the others could have.
    fn note(&mut self, own: NodeId, beats: &[Beat], passed: Duration, steady: bool) -> Company {
        let counted = if steady {
            passed.min(MOST_COUNTED)
        } else {
            Duration::ZERO
        };
        let mut seen = HashMap::with_capacity(beats.len());
        let mut company = Company {
            alive: vec![own],
            dead: Vec::new(),
        };
        for beat in beats.iter().filter(|beat| beat.node != own) {
            let unchanged = match self.seen.get(&beat.node) {
                Some(sight) if sight.count == beat.count => sight.unchanged + counted,
                Some(_) | None => Duration::ZERO,
            };
            let count = beat.count;
            seen.insert(beat.node, Sight { count, unchanged });
            if unchanged >= DEAD_AFTER {
                company.dead.push(*beat);
            } else {
                company.alive.push(beat.node);
            }
        }
        self.ever |= !seen.is_empty();
        self.seen = seen;
        company
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn node(number: u128) -> NodeId {
        NodeId::new(Uuid::from_u128(number))
    }

    fn beats(counts: &[(u128, u64)]) -> Vec<Beat> {
        let beat = |&(number, count)| Beat {
            node: node(number),
            count,
        };
        counts.iter().map(beat).collect()
    }

    fn names(company: &Company) -> Vec<NodeId> {
        company.dead.iter().map(|beat| beat.node).collect()
    }

    /// The dead after renewals one second apart, at each of which node 2 has the next of these counts.
    fn dead_after(counts: &[u64], steady: impl Fn(usize) -> bool) -> Vec<NodeId> {
        let mut others = Others::default();
        let mut company = Company::default();
        for (i, count) in counts.iter().enumerate() {
            let now = beats(&[(1, u64::try_from(i).unwrap()), (2, *count)]);
            company = others.note(node(1), &now, Duration::from_secs(1), steady(i));
        }
        names(&company)
    }

    #[test]
    fn a_node_is_dead_after_seven_seconds_without_change() {
        assert_eq!(dead_after(&[5; 7], |_| true), []);
        assert_eq!(dead_after(&[5; 8], |_| true), [node(2)]);
    }

    #[test]
    fn a_change_begins_anew() {
        assert_eq!(dead_after(&[5, 5, 5, 5, 5, 5, 5, 6, 6, 6], |_| true), []);
        // A smaller count is a change too.
        assert_eq!(dead_after(&[5, 5, 5, 5, 5, 5, 5, 1, 1], |_| true), []);
    }

    #[test]
    fn time_in_which_this_node_could_not_renew_does_not_count() {
        assert_eq!(dead_after(&[5; 9], |i| i % 3 != 0), []);
        assert_eq!(dead_after(&[5; 20], |i| i % 3 != 0), [node(2)]);
    }

    #[test]
    fn a_node_that_slept_does_not_take_the_others_for_dead() {
        let mut others = Others::default();
        let now = beats(&[(1, 1), (2, 7)]);
        others.note(node(1), &now, Duration::ZERO, true);
        let company = others.note(node(1), &now, Duration::from_hours(1), true);
        assert_eq!(company.dead, []);
    }

    #[test]
    fn this_node_is_always_alive() {
        let mut others = Others::default();
        for _ in 0..20 {
            let company = others.note(node(1), &beats(&[]), Duration::from_secs(1), true);
            assert_eq!(company.alive, [node(1)]);
        }
        assert!(!others.ever);
    }
}
