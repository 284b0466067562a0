use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chat_core::id::LegId;

/// Which log rows hold the records of which open leg.
///
/// Kept in memory, since an index in the database would cost a write per event. The writer changes it while a
/// transaction runs and then keeps or undoes the changes together with it. A reader copies a leg's rows *before* its
/// snapshot begins: rows that were not committed are missing in the snapshot and were not acknowledged, and rows that
/// went meanwhile belong to a leg that the snapshot shows as closed.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogIndex(Arc<Mutex<State>>);

/// A record of one leg in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The row.
    pub(crate) row: u32,
    /// The number of the record's first event.
    pub(crate) first: u32,
}

/// The records of an open leg.
#[derive(Debug)]
struct Held {
    /// The number that its next event will have.
    next: u32,
    /// Its records, by number.
    places: Vec<Place>,
    /// Closed or deleted in the transaction that runs.
    released: bool,
}

#[derive(Debug)]
enum Change {
    Opened(LegId),
    Appended { leg: LegId, first: u32 },
    Released(LegId),
    Emptied(u32),
}

#[derive(Debug, Default)]
struct State {
    legs: HashMap<LegId, Held>,
    /// How many open legs have records in a row.
    rows: HashMap<u32, u32>,
    /// The row that was made last; never given twice while the process lives.
    last_row: u32,
    /// What the running transaction changed, in order.
    changes: Vec<Change>,
}

/// A point in the running transaction to which changes can be undone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(usize);

impl Mark {
    /// The beginning of the transaction.
    pub(crate) const START: Self = Self(0);
}

impl LogIndex {
    /// Says that rows up to this one were made by earlier processes.
    pub(crate) fn begin_after(&self, last_row: u32) {
        self.state().last_row = last_row;
    }

    /// Takes note of an open leg.
    pub(crate) fn open(&self, leg: LegId) {
        let mut state = self.state();
        state.legs.insert(
            leg,
            Held {
                next: 1,
                places: Vec::new(),
                released: false,
            },
        );
        state.changes.push(Change::Opened(leg));
    }

    /// The number that an open leg's next event will have; `None` for a leg that is not open.
    pub(crate) fn goes_on_at(&self, leg: LegId) -> Option<u32> {
        self.state().legs.get(&leg).map(|held| held.next)
    }

    /// A number for a new row; `None` when all are used up.
    pub(crate) fn new_row(&self) -> Option<u32> {
        let mut state = self.state();
        state.last_row = state.last_row.checked_add(1)?;
        Some(state.last_row)
    }

    /// Takes note of a leg's record in a row, with events up to the one before `next`, and gives the number of its
    /// first event: the one that follows what the leg has already.
    ///
    /// `None`, and nothing is noted, for a leg that is not open and for one that has all of it already.
    pub(crate) fn append(&self, row: u32, leg: LegId, next: u32) -> Option<u32> {
        let mut guard = self.state();
        let state = &mut *guard;
        let held = state
            .legs
            .get_mut(&leg)
            .filter(|held| !held.released && held.next < next)?;
        let first = held.next;
        held.places.push(Place { row, first });
        held.next = next;
        state.changes.push(Change::Appended { leg, first });
        *state.rows.entry(row).or_default() += 1;
        Some(first)
    }

    /// Takes note that a leg was closed or deleted, and gives the rows that hold nothing of an open leg any more.
    pub(crate) fn release(&self, leg: LegId) -> Vec<u32> {
        let mut guard = self.state();
        let state = &mut *guard;
        let mut emptied = Vec::new();
        let Some(held) = state.legs.get_mut(&leg).filter(|held| !held.released) else {
            return emptied;
        };
        held.released = true;
        state.changes.push(Change::Released(leg));
        for place in &held.places {
            if let Some(count) = state.rows.get_mut(&place.row) {
                *count -= 1;
                if *count == 0 {
                    emptied.push(place.row);
                    state.changes.push(Change::Emptied(place.row));
                }
            }
        }
        emptied
    }

    /// The records of an open leg that hold events after this number, by number.
    pub(crate) fn places(&self, leg: LegId, after: u32) -> Vec<Place> {
        let state = self.state();
        let Some(held) = state.legs.get(&leg) else {
            return Vec::new();
        };
        // The last record that begins at or before the wanted event may hold it.
        let begun = held
            .places
            .partition_point(|place| place.first <= after.saturating_add(1));
        held.places
            .get(begun.saturating_sub(1)..)
            .unwrap_or_default()
            .to_vec()
    }

    /// Where the running transaction stands.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.state().changes.len())
    }

    /// Undoes what was changed since this mark.
    pub(crate) fn undo_to(&self, mark: Mark) {
        let mut guard = self.state();
        let state = &mut *guard;
        while state.changes.len() > mark.0 {
            match state.changes.pop() {
                Some(Change::Opened(leg)) => {
                    state.legs.remove(&leg);
                }
                Some(Change::Appended { leg, first }) => {
                    if let Some(held) = state.legs.get_mut(&leg) {
                        held.next = first;
                        if let Some(place) = held.places.pop() {
                            state.rows.entry(place.row).and_modify(|count| *count -= 1);
                        }
                    }
                }
                Some(Change::Released(leg)) => {
                    if let Some(held) = state.legs.get_mut(&leg) {
                        held.released = false;
                        for place in &held.places {
                            *state.rows.entry(place.row).or_default() += 1;
                        }
                    }
                }
                Some(Change::Emptied(_)) | None => {}
            }
        }
        // A row that only undone appends had used is none.
        state.rows.retain(|_, count| *count > 0);
    }

    /// Keeps what the running transaction changed, now that it is durable.
    pub(crate) fn committed(&self) {
        let mut guard = self.state();
        let state = &mut *guard;
        for change in state.changes.drain(..) {
            match change {
                Change::Released(leg) => {
                    state.legs.remove(&leg);
                }
                Change::Emptied(row) => {
                    state.rows.remove(&row);
                }
                Change::Opened(_) | Change::Appended { .. } => {}
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is complete in itself, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
