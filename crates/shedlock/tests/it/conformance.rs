//! What every provider must do. Written once, run on each.

mod ending;
pub(crate) mod fuzz;
mod operator;
mod over;
mod shutdown;
mod taking;

use crate::stage::{
    MemoryStage, MySqlStage, PgBouncerStage, PostgresStage, RedisStage, SqliteStage,
};
use ending::*;
use fuzz::*;
use operator::*;
use over::*;
use shutdown::*;
use taking::*;

macro_rules! suite {
    ($stage:ident: $($test:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::$stage::new().await).await;
            }
        )*
    };
}

macro_rules! conformance {
    ($($module:ident: $stage:ident,)*) => {
        $(
            mod $module {
                suite! { $stage:
                    a_free_lock_is_taken_and_its_row_says_so,
                    a_held_lock_is_refused_to_everybody_and_its_row_stays_as_it_is,
                    two_names_are_independent,
                    a_lock_can_be_taken_again_right_after_its_unlock_ten_times_over,
                    a_lock_whose_lease_ran_out_is_free,
                    a_lock_stays_taken_for_its_at_least_time_even_beyond_its_lease,
                    a_lock_that_was_not_used_leaves_no_tail_of_its_own,
                    an_extension_counts_from_now_and_can_be_repeated,
                    an_extended_lock_is_held_beyond_the_end_that_it_first_had,
                    an_extension_beyond_all_measure_is_one_of_a_century,
                    the_at_least_time_counts_from_the_acquisition_after_an_extension_too,
                    an_extension_after_the_lease_ran_out_changes_nothing,
                    an_unlock_after_the_lease_ran_out_changes_nothing,
                    unlock_and_extension_of_a_former_holder_never_touch_a_newer_lock,
                    a_row_that_somebody_deleted_is_lost_for_its_holder_and_free_for_others,
                    a_lock_of_another_program_is_respected_until_it_is_over,
                    a_tail_of_our_own_is_taken_over_and_put_back,
                    only_the_named_previous_owner_is_taken_over,
                    taking_over_takes_a_free_lock_like_any_other,
                    one_of_two_takers_over_wins,
                    a_lock_that_an_operator_released_is_free_and_lost_for_its_holder,
                    an_operators_release_leaves_no_tail_and_counts_the_token_on,
                    an_operator_releases_only_the_holder_and_the_end_that_he_saw,
                    another_programs_lock_can_be_released_by_an_operator_too,
                    waiting_for_a_lock_ends_when_it_is_given_back,
                    all_locks_are_listed_by_name_with_whether_they_are_held,
                    names_and_owners_of_full_length_and_any_script_are_kept_whole,
                    a_name_that_is_too_long_is_refused_and_never_cut,
                    the_schema_that_this_crate_creates_passes_its_check,
                    a_provider_that_was_shut_down_takes_no_more_locks,
                    a_shutdown_waits_for_holders_that_give_their_locks_back,
                    what_is_still_held_at_shutdown_is_given_back_and_its_holders_are_told,
                    a_lock_whose_guard_was_dropped_is_given_back_at_shutdown,
                    a_shutdown_leaves_alone_what_is_kept_from_it,
                    eight_tasks_on_two_names_never_meet,
                }
            }
        )*
    };
}

conformance! {
    memory: MemoryStage,
    sqlite: SqliteStage,
    postgres: PostgresStage,
    pgbouncer: PgBouncerStage,
    mysql: MySqlStage,
    redis: RedisStage,
}
