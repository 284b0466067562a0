use chat_core::ports::{Conversations, Messages, RunLog, Runs};
use records::{Secrets, Users};

/// A store of everything that the engine calls.
pub trait ChatStore: Conversations + Messages + Runs + RunLog + 'static {}

impl<T: Conversations + Messages + Runs + RunLog + 'static> ChatStore for T {}

/// A store of everything that the engine does not call.
pub trait RecordsStore: Users + Secrets + 'static {}

impl<T: Users + Secrets + 'static> RecordsStore for T {}

/// Runs a test on a runtime with several threads, so that racing callers do race.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_time()
        .build()
        .expect("a runtime")
        .block_on(test);
}

/// Writes a module with one test per behaviour of one of this crate's modules.
#[doc(hidden)]
#[macro_export]
macro_rules! behaviours {
    ($module:ident, $fresh:ident: $($name:ident),+ $(,)?) => {
        mod $module {
            use super::$fresh;

            $(
                #[test]
                fn $name() {
                    $crate::run(async {
                        let (store, _guard) = $fresh().await;
                        $crate::$module::$name(store).await;
                    });
                }
            )+
        }
    };
}

/// Writes the tests of the ports that the engine calls, for the store that `fresh` makes.
///
/// `fresh` is the name of an `async fn() -> (Arc<Store>, Guard)` in scope.
#[macro_export]
macro_rules! chat_contract {
    ($fresh:ident) => {
        $crate::behaviours!(conversations, $fresh:
            opening_makes_the_conversation,
            opening_finds_an_existing_conversation,
            input_is_appended_in_order_before_the_answers_place,
            the_answer_is_not_stored_yet,
            a_leg_may_be_opened_without_input,
            a_missing_conversation_is_refused_without_create,
            a_foreign_conversation_is_refused,
            an_id_of_another_conversations_message_is_taken,
            an_id_of_this_conversations_message_is_taken,
            the_id_of_a_coming_answer_is_taken,
            an_id_is_taken_by_the_input_before_it,
            the_first_failing_check_is_answered,
            a_held_slot_is_busy_under_refuse,
            a_second_open_replaces_the_first_and_never_shares_the_slot,
            a_paused_holder_is_cancelled_at_once,
            a_repeated_key_gives_the_first_leg,
            a_repeated_key_is_answered_before_any_refusal,
            two_callers_with_one_key_do_not_meet,
            a_refused_send_does_not_use_up_its_key,
            racing_opens_replace_each_other_one_by_one,
            racing_refusing_opens_have_one_winner,
            racing_opens_with_one_key_open_once,
            an_unknown_conversation_is_not_found,
            a_title_replaces_only_the_one_it_was_made_for,
            deleting_gives_the_conversation_and_its_open_legs,
            deleting_takes_everything_with_it,
            a_deleted_legs_writes_are_lost,
            a_deleted_conversation_frees_its_keys_and_ids,
        );
        $crate::behaviours!(cuts, $fresh:
            a_cut_deletes_from_the_named_message_on,
            a_cut_at_an_answer_cuts_nothing,
            a_cut_at_an_input_of_another_role_cuts_nothing,
            an_edit_may_not_take_an_answers_id,
            a_cut_deletes_runs_legs_and_seals,
            a_cut_drops_open_legs,
            a_cut_keeps_an_earlier_open_leg,
            an_edit_may_keep_the_messages_id,
            a_cut_at_an_unknown_or_foreign_message_cuts_nothing,
            a_cut_frees_the_slot_of_the_run_that_it_deletes,
            a_key_outlives_the_cut_of_its_leg,
        );
        $crate::behaviours!(history, $fresh:
            conversations_are_listed_newest_first,
            only_the_owners_conversations_are_listed,
            older_pages_follow_each_other,
            newer_pages_hold_the_newest,
            a_cursor_outlives_its_conversation,
            a_page_holds_while_others_are_made,
        );
        $crate::behaviours!(messages, $fresh:
            an_unknown_message_is_not_found,
            messages_after_a_place_ascend,
            messages_before_a_place_descend,
            a_missing_conversation_has_no_messages,
            a_search_finds_messages_with_all_terms,
            a_search_finds_words_of_unspaced_scripts,
            a_search_finds_answers,
            a_search_finds_an_answer_as_it_is_now,
            a_search_gives_the_newest_first,
            a_search_finds_only_the_owners_messages,
            a_search_does_not_find_deleted_messages,
            a_search_takes_its_text_as_text,
        );
        $crate::behaviours!(runs, $fresh:
            a_leg_is_found_as_it_was_opened,
            an_unknown_leg_is_not_found,
            the_newest_leg_was_opened_last,
            a_cut_leg_is_not_the_newest,
            a_checkpoint_inserts_and_then_overwrites_the_answer,
            a_checkpoint_writes_the_status,
            a_checkpoint_does_not_unask_a_stop,
            a_late_or_foreign_checkpoint_is_lost,
            a_close_writes_everything_and_frees_the_slot,
            a_close_overwrites_the_checkpoint,
            the_first_close_wins,
            a_foreign_close_is_lost,
            a_paused_run_keeps_the_slot,
            an_empty_answer_is_not_stored,
            racing_closes_have_one_winner,
            a_close_that_races_a_replacing_send_leaves_one_holder,
            a_stop_names_the_open_leg_until_it_is_closed,
            a_stop_finds_no_leg_where_none_is_open,
            orphans_are_open_legs_of_dead_nodes,
        );
        $crate::behaviours!(run_log, $fresh:
            what_was_appended_is_read_at_once,
            a_read_begins_after_a_number_and_is_limited,
            nothing_is_read_where_nothing_is,
            an_append_holds_several_legs,
            an_append_may_hold_several_batches_of_a_leg,
            a_repeated_batch_is_taken_as_done,
            a_gap_is_refused_and_the_whole_append_with_it,
            a_batch_of_a_closed_or_deleted_leg_is_dropped,
            a_closed_leg_is_read_from_its_seal,
            a_close_leaves_the_other_legs_logs,
            racing_appends_keep_each_legs_order,
            a_read_that_races_the_close_sees_everything,
        );
    };
}

/// Writes the tests of the ports in `records`, for the store that `fresh` makes.
///
/// `fresh` is the name of an `async fn() -> (Arc<Store>, Guard)` in scope.
#[macro_export]
macro_rules! records_contract {
    ($fresh:ident) => {
        $crate::behaviours!(users, $fresh:
            a_user_is_found_by_id_and_by_email,
            an_unknown_user_is_not_found,
            a_taken_email_is_refused,
            racing_for_an_email_has_one_winner,
        );
        $crate::behaviours!(secrets, $fresh:
            the_first_candidate_stays,
            each_name_has_its_own_secret,
            racing_callers_get_one_secret,
        );
    };
}

/// Writes the tests of [`records::Files`], for the store that `fresh` makes.
///
/// `fresh` is the name of an `async fn() -> (Arc<Store>, Guard)` in scope.
#[macro_export]
macro_rules! files_contract {
    ($fresh:ident) => {
        $crate::behaviours!(files, $fresh:
            a_file_is_found_as_it_was_stored,
            an_unknown_file_is_not_found,
            an_empty_file_is_stored,
            a_file_of_several_pieces_is_read_as_it_came,
            a_file_that_is_too_large_is_refused,
            an_upload_that_breaks_off_is_refused,
            a_dropped_upload_leaves_nothing,
            a_file_is_not_seen_before_its_last_byte,
            a_stalled_upload_holds_up_no_other,
            a_taken_id_is_refused,
            racing_for_an_id_has_one_winner,
            a_range_is_read,
            any_text_is_a_name,
            an_owners_files_are_listed_in_order,
            a_deleted_file_is_gone,
            racing_deletions_have_one_winner,
            a_reader_never_sees_other_bytes,
            no_race_tears_a_file,
        );
    };
}
