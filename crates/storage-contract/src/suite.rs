use chat_core::ports::{Conversations, Messages, Nodes, Notes, RunLog, Runs};
use records::{Archive, Documents, Secrets, Sessions, ThreadViews, Users};

/// A store of everything that the engine calls.
pub trait ChatStore: Conversations + Messages + Runs + RunLog + Nodes + Notes + 'static {}

impl<T: Conversations + Messages + Runs + RunLog + Nodes + Notes + 'static> ChatStore for T {}

/// A store of everything that the engine does not call.
pub trait RecordsStore: Users + Sessions + Secrets + Documents + ThreadViews + 'static {}

impl<T: Users + Sessions + Secrets + Documents + ThreadViews + 'static> RecordsStore for T {}

/// A store of everything, in which records can be moved as a whole.
pub trait WholeStore: ChatStore + RecordsStore + Archive {}

impl<T: ChatStore + RecordsStore + Archive> WholeStore for T {}

/// Runs a test on a runtime with several threads, so that racing callers do race.
pub fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
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
            a_taken_id_of_the_answer_is_refused,
            the_first_failing_check_is_answered,
            a_held_slot_is_busy_under_refuse,
            a_second_open_replaces_the_first_and_never_shares_the_slot,
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
        $crate::behaviours!(waiting, $fresh:
            a_paused_run_is_found,
            a_paused_holder_ends_as_the_send_says,
            a_paused_holder_that_is_not_named_refuses_the_send,
            a_paused_holder_is_looked_at_last,
            a_cut_deletes_a_paused_run,
            an_end_leaves_a_run_that_goes_on_to_its_owner,
            a_paused_run_is_ended,
            a_late_end_of_a_paused_run_is_lost,
            an_end_names_the_newest_leg,
            expired_runs_are_listed_in_order,
            a_run_that_does_not_wait_does_not_expire,
            a_run_that_is_to_stop_does_not_pause,
            a_pause_that_races_a_stop_is_one_of_both,
            racing_for_a_paused_run_has_one_winner,
            asking_a_paused_run_to_stop_changes_nothing,
        );
        $crate::behaviours!(resumes, $fresh:
            a_resumed_leg_is_found_as_it_was_opened,
            a_resume_writes_the_answer,
            a_resumed_run_holds_the_slot,
            a_resumed_leg_is_closed,
            a_run_is_resumed_twice,
            a_late_answer_resumes_its_run,
            an_answer_to_a_run_that_was_followed_is_lost,
            a_resume_of_anything_else_is_lost,
            a_resume_of_what_was_deleted_is_lost,
            a_repeated_key_gives_the_resumed_leg,
            a_lost_resume_does_not_use_up_its_key,
            racing_resumes_have_one_winner,
            a_resume_that_races_a_send_leaves_one_holder,
            deleting_takes_every_leg_of_a_run,
        );
        $crate::behaviours!(drops, $fresh:
            a_cut_at_any_message_deletes_from_it_on,
            a_cut_at_a_message_that_is_not_there_is_none,
            a_cut_drops_the_run_that_answers_there,
            a_cut_leaves_a_run_that_answers_before,
            a_cut_drops_a_paused_run,
            a_cut_takes_notes_and_ratings_along,
        );
        $crate::behaviours!(quotas, $fresh:
            a_send_beyond_the_quota_is_refused,
            a_quota_counts_the_callers_own_messages,
            a_quota_counts_from_its_time_on,
            a_deleted_message_does_not_count,
            a_quota_is_looked_at_after_the_key,
        );
        $crate::behaviours!(changes, $fresh:
            a_conversation_is_changed_as_asked,
            a_missing_conversation_is_not_changed,
            ratings_are_listed_in_order,
            a_foreign_message_is_not_rated,
            a_rating_outlives_a_write_of_its_message,
            deleting_takes_ratings_along,
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
            legs_stand_as_they_are,
            a_released_leg_is_an_orphan,
            a_late_or_foreign_release_is_lost,
            a_leg_that_is_to_stop_is_not_released,
            a_claimed_leg_has_a_new_epoch,
            a_leg_that_is_not_released_is_not_claimed,
            racing_claims_have_one_winner,
            a_write_with_the_earlier_epoch_is_lost,
            a_stop_that_races_a_release_is_not_missed,
        );
        $crate::behaviours!(nodes, $fresh:
            a_nodes_counter_rises_by_one_from_one,
            all_nodes_are_given,
            a_retired_node_is_not_given,
            a_node_that_renewed_is_not_buried,
            racing_burials_have_one_winner,
            racing_nodes_count_their_own,
        );
        $crate::behaviours!(notes, $fresh:
            an_unknown_summary_is_not_found,
            a_summary_is_found_as_it_was_stored,
            a_summary_replaces_only_the_one_it_was_made_from,
            racing_summaries_have_one_winner,
            a_missing_conversation_has_no_summary_stored,
            a_cut_into_what_it_covers_deletes_the_summary,
            a_summary_from_before_a_cut_is_not_stored,
            a_send_without_a_cut_leaves_the_summary,
            deleting_takes_the_notes_with_it,
            pins_are_listed_the_owners_first,
            a_pin_of_a_known_id_is_not_stored,
            racing_pins_have_one_winner,
            a_pin_of_a_missing_conversation_is_not_stored,
            notes_that_race_a_deletion_are_gone,
            a_summary_that_races_a_cut_is_of_one_state,
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
            a_password_is_found_as_it_was_stored,
            a_password_replaces_only_the_one_it_was_made_for,
            racing_passwords_have_one_winner,
            a_promoted_guest_is_a_regular_user,
            a_promoted_guest_keeps_what_they_own,
            only_a_guest_is_promoted,
            a_guest_is_not_promoted_to_a_taken_email,
            racing_promotions_to_an_email_have_one_winner,
            racing_promotions_of_a_guest_have_one_winner,
        );
        $crate::behaviours!(sessions, $fresh:
            a_session_is_found_by_its_id,
            an_expired_session_is_not_found,
            the_current_token_is_rotated,
            a_rotation_moves_the_expiry,
            any_other_token_ends_the_session,
            a_session_that_is_over_is_not_rotated,
            a_session_is_rotated_until_it_expires,
            racing_rotations_end_the_session,
            an_ended_session_is_gone,
            racing_ends_have_one_winner,
            all_sessions_of_a_user_are_ended,
            expired_sessions_are_swept,
        );
        $crate::behaviours!(secrets, $fresh:
            the_first_candidate_stays,
            each_name_has_its_own_secret,
            racing_callers_get_one_secret,
        );
        $crate::behaviours!(documents, $fresh:
            versions_are_listed_oldest_first,
            a_missing_document_has_no_versions,
            a_version_of_a_known_time_is_not_stored,
            a_version_of_another_owner_is_not_stored,
            racing_owners_have_one_winner,
            racing_versions_are_stored_once_each,
            suggestions_are_listed_oldest_first,
            a_suggestion_of_a_known_id_is_not_stored,
            a_suggestion_of_a_missing_version_is_not_stored,
            documents_are_listed_by_id,
            an_added_version_makes_the_document,
            an_added_version_is_the_newest,
            anothers_document_is_foreign,
            racing_added_versions_are_all_stored,
            racing_first_versions_have_one_owner,
            an_amended_version_keeps_its_time_and_suggestions,
            amending_a_missing_document_makes_it,
            the_newest_version_has_the_latest_time,
            versions_after_a_time_are_deleted,
            nothing_else_is_deleted_after_a_time,
            racing_deletions_give_each_version_once,
        );
        $crate::behaviours!(thread_views, $fresh:
            a_view_is_found_as_it_was_stored,
            an_unknown_view_is_not_found,
            a_second_view_of_a_thread_is_not_stored,
            racing_views_have_one_winner,
            views_are_listed_by_user_and_thread,
        );
    };
}

/// Writes the tests of [`records::Archive`], for the store that `fresh` makes, which has all other ports as well.
///
/// `fresh` is the name of an `async fn() -> (Arc<Store>, Guard)` in scope.
#[macro_export]
macro_rules! archive_contract {
    ($fresh:ident) => {
        $crate::behaviours!(archive, $fresh:
            a_user_is_stored_as_it_is_given,
            a_known_user_is_unchanged,
            a_user_with_a_taken_key_is_not_stored,
            exact_keys_keep_users_apart,
            racing_users_have_one_winner,
            sessions_move_with_their_users,
            a_conversation_is_stored_as_it_is_given,
            a_known_conversation_is_unchanged,
            a_conversation_with_a_taken_alias_is_not_stored,
            racing_conversations_have_one_winner,
            metadata_survive_exactly,
            a_conversation_goes_on_at_its_next_place,
            users_are_scanned_in_order_while_others_come,
            conversations_are_scanned_in_order_while_others_come,
            owners_are_scanned_once_each,
        );
        $crate::behaviours!(archive_messages, $fresh:
            messages_are_stored_as_they_are_given,
            no_messages_are_no_outcomes,
            a_known_message_is_unchanged,
            a_send_goes_on_after_the_last_message,
            messages_that_were_put_count_for_a_quota,
            a_cut_deletes_messages_that_were_put,
            deleting_takes_messages_that_were_put,
            messages_of_a_missing_conversation_are_orphans,
            a_message_with_something_taken_is_not_stored,
            a_message_that_a_coming_answer_will_be_is_taken,
            messages_of_runs_are_scanned_and_known,
            a_search_finds_messages_that_were_put,
            racing_messages_are_stored_once_each,
            racing_for_a_place_has_one_winner,
            puts_that_race_sends_share_no_place,
            a_message_of_eight_mebibytes_is_stored,
            a_message_out_of_place_is_an_error,
            messages_are_scanned_in_order_while_others_come,
            a_rating_is_set_once,
            a_rating_that_came_with_its_message_is_known,
            racing_ratings_have_one_winner,
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
