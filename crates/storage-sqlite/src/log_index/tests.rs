use uuid::Uuid;

use super::*;

fn leg(number: u128) -> LegId {
    LegId::new(Uuid::from_u128(number))
}

fn next(log: &LogIndex, leg: LegId) -> Option<u32> {
    let state = log.state();
    state.legs.get(&leg).map(|held| held.next)
}

/// Two open legs that share row 1; the first has row 2 alone.
fn two() -> LogIndex {
    let log = LogIndex::default();
    log.open(leg(1));
    log.open(leg(2));
    assert_eq!(log.append(1, leg(1), 4), Some(1));
    assert_eq!(log.append(1, leg(2), 2), Some(1));
    assert_eq!(log.append(2, leg(1), 6), Some(4));
    log.committed();
    log
}

fn rows(log: &LogIndex, leg: LegId, after: u32) -> Vec<u32> {
    log.places(leg, after).iter().map(|p| p.row).collect()
}

#[test]
fn a_row_is_emptied_by_the_last_of_its_legs() {
    let log = two();
    assert_eq!(log.release(leg(1)), [2]);
    assert_eq!(log.release(leg(2)), [1]);
    log.committed();
    assert_eq!(next(&log, leg(1)), None);
    assert!(log.state().rows.is_empty());
    assert!(log.state().legs.is_empty());
}

#[test]
fn a_leg_with_two_records_in_a_row_empties_it_once() {
    let log = LogIndex::default();
    log.open(leg(1));
    log.append(1, leg(1), 2);
    log.append(1, leg(1), 3);
    assert_eq!(log.append(2, leg(1), 3), None, "it has all of that");
    assert_eq!(log.release(leg(1)), [1]);
    assert_eq!(log.release(leg(1)), [0; 0]);
}

#[test]
fn gives_only_records_that_may_hold_what_is_wanted() {
    let log = two();
    for (after, expected) in [(0, [1, 2].as_slice()), (2, &[1, 2]), (3, &[2]), (9, &[2])] {
        assert_eq!(rows(&log, leg(1), after), expected, "after {after}");
    }
    assert_eq!(rows(&log, leg(3), 0), [0; 0]);
}

#[test]
fn an_undone_transaction_leaves_the_index_as_it_was() {
    let log = two();
    let mark = log.mark();
    log.open(leg(3));
    assert_eq!(log.append(3, leg(3), 9), Some(1));
    assert_eq!(log.append(3, leg(2), 3), Some(2));
    assert_eq!(log.release(leg(1)), [2]);
    assert_eq!(log.append(4, leg(1), 7), None, "it was released");
    log.undo_to(mark);
    assert_eq!(next(&log, leg(3)), None);
    assert_eq!(next(&log, leg(2)), Some(2));
    assert_eq!(next(&log, leg(1)), Some(6));
    assert_eq!(rows(&log, leg(1), 0), [1, 2]);
    assert_eq!(log.release(leg(2)), [0; 0]);
    assert_eq!(log.release(leg(1)), [1, 2]);
}

#[test]
fn an_undone_operation_leaves_the_ones_before_it() {
    let log = two();
    assert_eq!(log.release(leg(1)), [2]);
    let mark = log.mark();
    assert_eq!(log.release(leg(2)), [1]);
    log.undo_to(mark);
    log.committed();
    assert_eq!(next(&log, leg(1)), None);
    assert_eq!(next(&log, leg(2)), Some(2));
    assert_eq!(log.release(leg(2)), [1]);
}

#[test]
fn a_reader_still_finds_the_rows_of_a_leg_whose_close_is_not_committed() {
    let log = two();
    log.release(leg(1));
    assert_eq!(rows(&log, leg(1), 0), [1, 2]);
    log.committed();
    assert_eq!(rows(&log, leg(1), 0), [0; 0]);
}
